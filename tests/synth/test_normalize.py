"""One shape whatever upstreams send."""

import itertools
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.normalize import Split, ThinkSplitter, normalize
from upstream.errors import CallError, Kind


def raw(content: Any = "text", finish_reason: Any = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish_reason}
    return {"choices": [choice], "usage": usage}


def split(pieces: list[str]) -> Split:
    splitter = ThinkSplitter()
    splits = [*map(splitter.feed, pieces), splitter.end()]
    return Split("".join(each.reasoning for each in splits), "".join(each.text for each in splits))


TEXTS = st.lists(st.sampled_from(["<think>", "</think>", "<thi", "nk>", "</", " ", "\n", "a", "<", "word"])).map(
    "".join
)


@given(TEXTS, st.lists(st.integers(0, 60)))
def test_splitting_does_not_depend_on_how_the_text_was_cut(text: str, cuts: list[int]) -> None:
    """A stream in any pieces is split like the whole."""
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[start:end] for start, end in itertools.pairwise(ends)]
    assert split(pieces) == split([text])


@given(st.text())
def test_text_without_a_leading_block_is_untouched(text: str) -> None:
    """Not a byte of an answer is tidied."""
    if not text.lstrip().startswith("<think>"):
        assert split([text]) == Split(text=text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>why</think>\n\nanswer", Split("why", "answer")),
        (" \n<think>why</think>answer </think>", Split("why", "answer </think>")),
        ("<think>never closed", Split("never closed", "")),
        ("say <think>x</think>", Split("", "say <think>x</think>")),
        ("<think></think>", Split("", "")),
        ("  <thi", Split("", "  <thi")),
    ],
)
def test_only_a_leading_block_is_reasoning(text: str, expected: Split) -> None:
    """Later blocks belong to the answer."""
    assert split([text]) == expected


@pytest.mark.parametrize(
    ("content", "message", "text", "reasoning"),
    [
        ("a", {"reasoning_content": "r"}, "a", "r"),
        ("a", {"reasoning": "r"}, "a", "r"),
        ("<think>r</think>a", {}, "a", "r"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], {}, "ab", ""),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"type": "text", "text": "a"}],
            {},
            "a",
            "r",
        ),
        (["a", {"type": "odd"}, 7], {}, "a", ""),
        ("```python\nx\n```", {}, "```python\nx\n```", ""),
    ],
)
def test_text_and_reasoning_are_told_apart(content: Any, message: Any, text: str, reasoning: str) -> None:
    """In every place where upstreams put them; a fence around the whole answer stays."""
    completion = normalize(raw(content, **message))
    assert (completion.text, completion.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("stop", "stop"), (None, "stop"), ("max_tokens", "length"), ("STOP", "stop"), ("eos", "stop"), (7, "stop")],
)
def test_finish_reasons_are_openai_s(stated: Any, expected: str) -> None:
    """Missing and foreign words become one of OpenAI's."""
    assert normalize(raw(finish_reason=stated)).finish_reason == expected


def test_tool_calls_end_a_turn_as_tool_calls() -> None:
    """Some upstreams say stop, and agents would stop there."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert normalize(raw(None, "stop", tool_calls=[call])).finish_reason == "tool_calls"
    assert normalize(raw(None, "stop", function_call=call["function"])).finish_reason == "function_call"


def test_no_arguments_are_an_empty_object() -> None:
    """Some models send "" for none; all other arguments pass byte for byte."""
    calls = [{"id": "1", "function": {"name": "f", "arguments": text}} for text in ("", '{ "a":1}')]
    made = normalize(raw(None, tool_calls=calls)).tool_calls
    assert [call["function"]["arguments"] for call in made] == ["{}", '{ "a":1}']


@pytest.mark.parametrize("content", [None, "", "  \n", [], "<think>only thoughts</think>"])
def test_nothing_said_is_a_failure(content: Any) -> None:
    """An empty answer is no candidate, and not worth another attempt."""
    with pytest.raises(CallError) as caught:
        normalize(raw(content))
    assert caught.value.kind is Kind.EMPTY
    assert not caught.value.retryable


def test_a_refusal_is_an_answer() -> None:
    """It has words for the user."""
    assert normalize(raw(None, refusal="I won't.")).refusal == "I won't."


@pytest.mark.parametrize(
    "usage", [None, [], {"completion_tokens": "7"}, {"completion_tokens": -1}, {"completion_tokens": True}]
)
def test_a_usage_that_counts_nothing_is_none(usage: Any) -> None:
    """Only counts count."""
    assert normalize(raw(usage=usage)).completion_tokens is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)


@given(JSON, JSON, JSON, JSON)
def test_any_message_is_a_completion_or_empty(content: Any, reason: Any, usage: Any, extra: Any) -> None:
    """Whatever is in a message's known fields, nothing else than CallError comes of it."""
    tool_calls = extra if isinstance(extra, list) else None
    with suppress(CallError):
        completion = normalize(raw(content, reason, usage, reasoning=extra, tool_calls=tool_calls))
        assert completion.text.strip() or completion.tool_calls
