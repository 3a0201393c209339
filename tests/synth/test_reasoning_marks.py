"""Reasoning between marks at the beginning of a text."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.reasoning_marks import ReasoningSplitter, Split, has_mark, split_reasoning

PIECES = ["<think>", "</think>", "<thi", "nk>", "</", " ", "\n", "a", "<", "word", "[THINK]", "[/THINK]", "<thought>"]
PIECES += ["</thought>", "<answer>", "<|channel|>", "<|message|>", "<|start|>assistant", "final", "analysis", "<|end|>"]
TEXTS = st.lists(st.sampled_from(PIECES)).map("".join)


def split(pieces: list[str]) -> Split:
    splitter = ReasoningSplitter()
    splits = [*map(splitter.feed, pieces), splitter.end()]
    return Split("".join(each.reasoning for each in splits), "".join(each.text for each in splits))


@given(TEXTS, st.lists(st.integers(0, 120)))
def test_splitting_does_not_depend_on_how_the_text_was_cut(text: str, cuts: list[int]) -> None:
    """A stream in any pieces is split like the whole."""
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[start:end] for start, end in itertools.pairwise(ends)]
    assert split(pieces) == split([text])


@given(st.text())
def test_text_without_a_leading_mark_is_untouched(text: str) -> None:
    """Not a byte of an answer is tidied."""
    if not text.lstrip().startswith(("<", "[", "\u25c1")):
        assert split([text]) == Split(text=text)
        assert not has_mark(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>why</think>\n\nanswer", Split("why", "answer")),
        (" \n<think>why</think>answer </think>", Split("why", "answer </think>")),
        ("<think>never closed", Split("never closed", "")),
        ("say <think>x</think>", Split("", "say <think>x</think>")),
        ("<think></think>", Split("", "")),
        ("  <thi", Split("", "  <thi")),
        ("[THINK]why[/THINK]answer", Split("why", "answer")),
        ("[THINGS] to do", Split("", "[THINGS] to do")),
        ("<seed:think>why</seed:think>answer", Split("why", "answer")),
        ("<|START_THINKING|>why<|END_THINKING|>answer", Split("why", "answer")),
        ("\u25c1think\u25b7why\u25c1/think\u25b7answer", Split("why", "answer")),
    ],
)
def test_only_a_leading_block_is_reasoning(text: str, expected: Split) -> None:
    """Later blocks belong to the answer."""
    assert split([text]) == expected
    assert split_reasoning(text) == (expected.reasoning, expected.text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<thought>why</thought>\nanswer", Split("why", "answer")),
        ("<reasoning>\nwhy</reasoning>\n\nanswer", Split("\nwhy", "answer")),
        ("<reasoning>why</reasoning>\n<answer>5</answer>", Split("", "<reasoning>why</reasoning>\n<answer>5</answer>")),
        ("<thought>never closed", Split("", "<thought>never closed")),
        ("<thought>why</thought>", Split("", "<thought>why</thought>")),
        ("<reasoning>why</reasoning>\n ", Split("", "<reasoning>why</reasoning>\n ")),
    ],
)
def test_a_mark_that_may_be_the_answer_s_own_is_reasoning_only_beside_an_answer(text: str, expected: Split) -> None:
    """Prompts ask for such tags, and then another tag follows."""
    assert split([text]) == expected


FINAL = "<|start|>assistant<|channel|>final<|message|>answer"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<|channel|>analysis<|message|>why<|end|>{FINAL}<|return|>", Split("why", "answer")),
        (f"<|start|>assistant<|channel|>analysis<|message|>why<|end|>{FINAL}", Split("why", "answer")),
        ("<|channel|>analysis<|message|>why", Split("why", "")),
        (FINAL + " with a < b", Split("", "answer with a < b")),
        (
            f"<|channel|>commentary to=functions.f <|constrain|>json<|message|>{{}}<|call|>{FINAL}",
            Split("{}", "answer"),
        ),
    ],
)
def test_harmony_s_final_channel_is_the_answer(text: str, expected: Split) -> None:
    """Its other channels are reasoning; its tokens belong to no text."""
    assert split([text]) == expected


def test_a_long_doubtful_block_is_held_in_linear_work() -> None:
    """A megabyte that drips in is joined once."""
    splitter = ReasoningSplitter()
    assert all(
        splitter.feed(piece) == Split() for piece in itertools.chain(["<thought>"], itertools.repeat("word ", 200_000))
    )
    assert splitter.feed("</thought>done").text == "done"
