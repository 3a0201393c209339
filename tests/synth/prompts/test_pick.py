"""Reading what a critic chose."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.prompts.critic import letter
from synth.prompts.pick import Pick, likeliest, picks


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("A", 0),
        ("B.", 1),
        ("**C**", 2),
        ("`B`\nbecause it is right", 1),
        ("Answer: C", 2),
        ("The best draft is B.", 1),
        ("Draft A: correct", 0),
        ("B is the best since the loop ends", 1),
        ("A - handles errors", 0),
        ("A \u2014 handles errors", 0),
        ("  \n(C) it compiles", 2),
    ],
)
def test_a_letter_is_a_verdict(text: str, position: int) -> None:
    """In the dress that critics give it."""
    assert picks(text, 3) == (Pick(position),)


@pytest.mark.parametrize(
    "text",
    ["", "Z", "D", "A list is a thing", "I think B", "AA", "None of them", "def f(): pass", "A1 Z9x", "both A and B"],
)
def test_anything_else_is_none(text: str) -> None:
    """A letter that was not shown, and words that begin with one."""
    assert picks(text, 3) in ((), (Pick(0, 1),))


@pytest.mark.parametrize("text", ["A1 B3", "A1, B3", "**A1** and B3\nbecause", "A1+B3", "Answer: A1 B3"])
def test_hunks_are_named_in_their_order(text: str) -> None:
    """Letter and number, however they are joined."""
    assert picks(text, 2) == (Pick(0, 1), Pick(1, 3))


@given(st.text(), st.integers(1, 30))
def test_no_text_names_what_was_not_shown(text: str, n_shown: int) -> None:
    """And no text raises."""
    assert all(pick.position < n_shown for pick in picks(text, n_shown))


@given(st.integers(0, 29), st.sampled_from(["", ".", "\nreason", " because"]))
def test_every_letter_is_understood(position: int, rest: str) -> None:
    """Past Z as well."""
    assert picks(letter(position) + rest, 30) == (Pick(position),)


def tokens(*tokens: tuple[str, dict[str, float]]) -> Any:
    return {
        "content": [
            {
                "token": token,
                "logprob": rivals.get(token, -0.1),
                "top_logprobs": [{"token": name, "logprob": value} for name, value in rivals.items()],
            }
            for token, rivals in tokens
        ]
    }


def test_the_likeliest_letter_counts_at_the_first_that_may_be_one() -> None:
    """Where the sampled token was not the likeliest one."""
    logprobs = tokens(("The", {}), (" A", {" A": -1.2, " B": -0.4, " Q": -0.1}), ("B", {"B": 0.0}))
    assert likeliest(logprobs, 2) == 1


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": ["x"]}, tokens(("no", {}))])
def test_without_logprobs_of_a_letter_there_is_none(logprobs: Any) -> None:
    """Whatever shape they have."""
    assert likeliest(logprobs, 2) is None
