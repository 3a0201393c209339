"""The prompt that asks where answers disagree."""

import random

from synth.prompts.compare import AGREED, ask_for_disagreements


def test_answers_are_shown_anonymously_and_fenced() -> None:
    """In an order that is returned, behind the question, with the mark of this request."""
    showing = ask_for_disagreements(
        "Why?", ["One.", "Two.", "Three."], rng=random.Random(1), draw_nonce=lambda: "n0nce"
    )
    (message,) = showing.messages
    content = message["content"]
    assert content.startswith("Why?\n\n---\n3 advisors have")
    assert sorted(showing.order) == [0, 1, 2]
    for letter, position in zip("ABC", showing.order, strict=True):
        text = ["One.", "Two.", "Three."][position]
        assert f"===== BEGIN {letter} n0nce =====\n{text}\n===== END {letter} n0nce =====" in content
    assert content.endswith(AGREED)
    assert "{" not in content


def test_long_answers_keep_their_beginning_and_end() -> None:
    """A conclusion stands at either."""
    long = "B" + "x" * 100_000 + "E"
    showing = ask_for_disagreements("Why?", [long, "Two."], rng=random.Random(1), draw_nonce=lambda: "n")
    content = showing.messages[0]["content"]
    assert len(content) < 15_000
    assert "\nBxx" in content
    assert "xxE\n" in content
    assert "\n[…]\n" in content
