"""Reasoning that is closed and never opened."""

from typing import Any

import pytest

from upstream.openai.stream_assembler import StreamAssembler
from upstream.openai.unopened_thought import ThoughtOpener, restore_opening

UNOPENED = "The user asks of rivers.\n</think>\n\nRivers flow."


def test_the_opening_mark_is_put_back() -> None:
    """Then the reply reads as if it had come by the book."""
    message = {"content": UNOPENED}
    assert restore_opening(message)
    assert message["content"] == "<think>" + UNOPENED


@pytest.mark.parametrize(
    "message",
    [
        {"content": None},
        {"content": "Rivers flow."},
        {"content": "<think>so</think>\nRivers flow."},
        {"content": "Close it with `</think>`\nand go on."},
        {"content": "The tag </think> ends it."},
        {"content": "```\n</think>\n```\nis the tag."},
        {"content": "One </think>\nand another </think>\nmark."},
        {"content": "Only thoughts\n</think>\n"},
        {"content": UNOPENED, "reasoning_content": "thoughts"},
    ],
)
def test_an_answer_about_marks_is_left_alone(message: dict[str, Any]) -> None:
    """In doubt nothing is changed."""
    before = dict(message)
    assert not restore_opening(message)
    assert message == before


def read(pieces: list[Any], *, expects: bool, reason: str = "stop") -> tuple[str, bool | None]:
    """Return the text of a stream, and what it has shown."""
    opener, assembler = ThoughtOpener(expects=expects), StreamAssembler()
    deltas = [{"content": piece} if isinstance(piece, str) else piece for piece in pieces]
    chunks: list[dict[str, Any]] = [{"choices": [{"delta": delta}]} for delta in deltas]
    for chunk in [*chunks, {"choices": [{"delta": {}, "finish_reason": reason}]}]:
        assembler.feed(opener.feed(chunk))
    for chunk in opener.end():
        assembler.feed(chunk)
    return assembler.completion()["choices"][0]["message"]["content"], opener.is_unopened


def test_the_first_stream_is_learnt_from() -> None:
    """What has gone out stays; the mark may come in pieces."""
    assert read(["So.\n</th", "ink>\n\n", "Rivers."], expects=False) == ("So.\n</think>\n\nRivers.", True)


def test_a_stream_about_marks_is_not_learnt_from() -> None:
    """The same holds as for a whole text."""
    assert read(["Use `</think>`", "\nto close it."], expects=False) == ("Use `</think>`\nto close it.", None)


def test_a_stream_that_is_expected_to_think_gets_the_mark() -> None:
    """Before its first word."""
    assert read(["\n", "So.\n", "</think>", "Rivers."], expects=True) == ("\n<think>So.\n</think>Rivers.", True)


@pytest.mark.parametrize(
    "pieces", [["<think>So.</think>", "x"], [{"reasoning_content": "So."}, "x"], [{"reasoning": "So."}, "x"]]
)
def test_a_stream_that_opens_or_needs_no_mark_gets_none(pieces: list[Any]) -> None:
    """The server may have learnt to parse it since."""
    text, shown = read(pieces, expects=True)
    assert text.startswith(("<think>So", "x"))
    assert shown is None


def test_a_text_that_was_no_reasoning_is_sent_again() -> None:
    """Nothing is lost, and the model is not expected to think any more."""
    assert read(["Rivers ", "flow."], expects=True) == ("<think>Rivers flow.</think>Rivers flow.", False)


def test_reasoning_that_reached_its_limit_is_reasoning() -> None:
    """It would have been closed."""
    assert read(["So I "], expects=True, reason="length") == ("<think>So I ", None)
