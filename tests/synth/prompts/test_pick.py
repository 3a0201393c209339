"""Reading the pick out of a critic's reply."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.prompts.candidates import letter
from synth.prompts.pick import Pick, find_likeliest, read_picks


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
def test_a_letter_is_a_pick(text: str, position: int) -> None:
    """With the words and the markup that critics put around it."""
    assert read_picks(text, 3) == (Pick(position),)


@pytest.mark.parametrize(
    "text",
    ["", "Z", "D", "A list is a thing", "I think B", "AA", "None of them", "def f(): pass", "A1 Z9x", "both A and B"],
)
def test_any_other_reply_names_no_candidate(text: str) -> None:
    """Letters that were not shown, and words that begin with a letter."""
    assert read_picks(text, 3) in ((), (Pick(0, 1),))


@pytest.mark.parametrize("text", ["A1 B3", "A1, B3", "**A1** and B3\nbecause", "A1+B3", "Answer: A1 B3"])
def test_hunks_keep_the_order_in_which_they_are_named(text: str) -> None:
    """A letter and a number each, with any joint between them."""
    assert read_picks(text, 2) == (Pick(0, 1), Pick(1, 3))


@given(st.text(), st.integers(1, 30))
def test_a_pick_is_always_one_of_the_candidates_shown(text: str, n_shown: int) -> None:
    """For any text, and no text raises."""
    assert all(pick.position < n_shown for pick in read_picks(text, n_shown))


@given(st.integers(0, 29), st.sampled_from(["", ".", "\nreason", " because"]))
def test_every_letter_is_understood(position: int, rest: str) -> None:
    """Beyond Z too."""
    assert read_picks(letter(position) + rest, 30) == (Pick(position),)


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


def test_the_likeliest_letter_of_the_first_candidate_token_counts() -> None:
    """Even if the sampled token was a less likely one."""
    logprobs = tokens(("The", {}), (" A", {" A": -1.2, " B": -0.4, " Q": -0.1}), ("B", {"B": 0.0}))
    assert find_likeliest(logprobs, 2) == 1


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": ["x"]}, tokens(("no", {}))])
def test_without_logprobs_of_a_letter_no_position_is_found(logprobs: Any) -> None:
    """For any shape that upstreams send."""
    assert find_likeliest(logprobs, 2) is None
