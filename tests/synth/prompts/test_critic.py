"""The critic prompt."""

import random
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from synth.prompts import critic

TEXTS = st.lists(st.text(max_size=200), min_size=1, max_size=5)
ROLES = st.sampled_from(["system", "user", "assistant", "tool"])
CONTENT = st.none() | st.text() | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}))
MESSAGES = st.lists(st.fixed_dictionaries({"role": ROLES, "content": CONTENT}), min_size=1)


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_an_order_is_a_permutation_and_the_seed_s_own(n_candidates: int, seed: int) -> None:
    """The trace records the seed, and the seed gives the order again."""
    order = critic.shuffled(n_candidates, seed)
    assert sorted(order) == list(range(n_candidates))
    assert order == critic.shuffled(n_candidates, seed)


@given(TEXTS)
def test_no_candidate_can_close_its_fence(texts: list[str]) -> None:
    """The nonce occurs in no candidate, and every text stands whole between its own two lines."""
    nonce = critic.draw_nonce_outside(texts, lambda: f"{random.getrandbits(64):016x}")
    block = critic.fill_template("why?", texts, nonce)
    assert block.count("===== BEGIN") - sum(text.count("===== BEGIN") for text in texts) == len(texts)
    for position, text in enumerate(texts):
        name = critic.letter(position)
        assert f"===== BEGIN {name} {nonce} =====\n{text}\n===== END {name} {nonce} =====" in block


def test_a_nonce_that_occurs_is_drawn_again() -> None:
    """Also where a candidate guessed it."""
    drawn = iter(["aaaa", "bbbb"])
    assert critic.draw_nonce_outside(["guess aaaa"], lambda: next(drawn)) == "bbbb"


@given(MESSAGES, st.text(min_size=1))
def test_the_conversation_is_only_added_to_at_the_end(messages: list[dict[str, Any]], block: str) -> None:
    """All messages but the last are the client's own; the last one begins with what the client wrote."""
    extended = critic.append_block(messages, block)
    assert extended[: len(messages) - 1] == messages[:-1]
    last, counterpart = messages[-1], extended[len(messages) - 1]
    assert {**counterpart, "content": None} == {**last, "content": None}
    if counterpart["content"] != last["content"]:
        assert last["role"] == "user"
        assert counterpart["content"][: len(last["content"])] == last["content"]
        assert len(extended) == len(messages)
    else:
        assert extended[-1] == {"role": "user", "content": block}


def test_a_template_of_the_operator_is_taken() -> None:
    """Its fields are filled in; other braces, and those inside candidates, stand for themselves."""
    template = "{count} drafts {y}\n{candidates}\nmark {nonce}\n{request}"
    block = critic.fill_template("{candidates}?", ["{count} {x}"], "n0", template)
    assert block.startswith("1 drafts {y}\n")
    assert "{count} {x}" in block
    assert block.endswith("\nmark n0\n{candidates}?")


def test_the_last_request_is_the_user_s_last_text() -> None:
    """Of a message in parts, the text; nothing where no user spoke."""
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    said: list[dict[str, Any]] = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": parts},
        {"role": "tool", "content": "x"},
    ]
    assert critic.find_last_request(said) == "ab"
    assert critic.find_last_request([{"role": "user"}]) == ""
    assert critic.find_last_request([{"role": "system", "content": "x"}]) == ""


def test_letters_go_on_after_z() -> None:
    """A, B, … Z, AA."""
    assert [critic.letter(position) for position in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


def test_the_prompt_asks_for_what_a_critic_owes() -> None:
    """Reasoning over majority, gaps, errors, unique points, form, silence about candidates."""
    for words in ("majority", "missing", "wrong", "single draft", "form", "Say nothing of drafts"):
        assert re.search(words, critic.PROMPT)
