"""One shape for all upstreams' replies."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.normalize import EmptyAnswerError, normalize
from upstream.errors import CallError, Kind


def raw(content: Any = "text", finish_reason: Any = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish_reason}
    return {"choices": [choice], "usage": usage}


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
def test_text_and_reasoning_are_separated(content: Any, message: Any, text: str, reasoning: str) -> None:
    """In every place where upstreams put them; a fence around the whole answer stays."""
    completion = normalize(raw(content, **message))
    assert (completion.text, completion.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("stop", "stop"),
        (None, "stop"),
        ("max_tokens", "length"),
        ("STOP", "stop"),
        ("eos", "stop"),
        (7, "stop"),
        ("content_filter: RECITATION", "content_filter"),
        ("tool_calls", "stop"),  # without any call
    ],
)
def test_finish_reasons_are_openai_s(stated: Any, expected: str) -> None:
    """Missing and foreign words become one of OpenAI's."""
    assert normalize(raw(finish_reason=stated)).finish_reason == expected


@pytest.mark.parametrize("stated", ["error", "MALFORMED_FUNCTION_CALL", "gone_fishing"])
def test_an_answer_that_broke_off_is_a_failure(stated: str) -> None:
    """An unknown reason is no success either."""
    with pytest.raises(CallError) as caught:
        normalize(raw(finish_reason=stated))
    assert caught.value.kind is Kind.TRUNCATED
    assert stated in caught.value.message


def test_a_single_model_s_unknown_reason_passes() -> None:
    """The client knows its model better."""
    assert normalize(raw(finish_reason="gone_fishing"), strict=False).finish_reason == "gone_fishing"


def test_tool_calls_end_a_turn_as_tool_calls() -> None:
    """Some upstreams state `stop`, which would stop agents."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert normalize(raw(None, "stop", tool_calls=[call])).finish_reason == "tool_calls"
    assert normalize(raw(None, "stop", function_call=call["function"])).finish_reason == "function_call"


@pytest.mark.parametrize("stated", ["length", "content_filter"])
def test_a_cut_answer_stays_cut_beside_tool_calls(stated: str) -> None:
    """Its calls are probably cut as well."""
    call = {"id": "1", "function": {"name": "f", "arguments": "{"}}
    assert normalize(raw(None, stated, tool_calls=[call])).finish_reason == stated


@pytest.mark.parametrize("identity", [None, "", 0])
def test_tool_calls_have_an_id_and_a_type(identity: Any) -> None:
    """Agents answer by the id, and each call needs one of its own."""
    call = {"id": identity, "type": "", "function": {"name": "f", "arguments": "{}"}}
    first, second = normalize(raw(None, tool_calls=[call, call])).tool_calls
    assert first["type"] == second["type"] == "function"
    assert first["id"] != second["id"]
    assert first["id"]
    assert second["id"]


def test_a_flat_call_gets_its_function() -> None:
    """As the older `functions` had it."""
    (call,) = normalize(raw(None, tool_calls=[{"id": "1", "name": "f", "arguments": {"a": 1}}])).tool_calls
    assert call == {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (json.dumps('{"a": 1}'), '{"a": 1}'),
        ('"{no JSON"', '"{no JSON"'),
        ('"{', '"{'),
        ('"a text"', '"a text"'),
    ],
)
def test_arguments_that_were_encoded_twice_are_decoded_once(sent: str, read: str) -> None:
    """Only if JSON comes out; the client's tool then reads an object."""
    (call,) = normalize(raw(None, tool_calls=[{"id": "1", "function": {"name": "f", "arguments": sent}}])).tool_calls
    assert call["function"]["arguments"] == read


def test_missing_arguments_become_an_empty_object() -> None:
    """Some models send "" for none; all other arguments pass byte for byte."""
    calls = [{"id": "1", "function": {"name": "f", "arguments": text}} for text in ("", '{ "a":1}')]
    made = normalize(raw(None, tool_calls=calls)).tool_calls
    assert [call["function"]["arguments"] for call in made] == ["{}", '{ "a":1}']


@pytest.mark.parametrize("content", [None, "", "  \n", [], "<think>only thoughts</think>"])
def test_an_empty_answer_is_a_failure(content: Any) -> None:
    """An empty answer is no candidate, and not worth another attempt."""
    with pytest.raises(CallError) as caught:
        normalize(raw(content))
    assert caught.value.kind is Kind.EMPTY
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [("<think>thoughts</think>", "stop", {}), (None, "stop", {"reasoning_content": "thoughts"}), ("", "length", {})],
)
def test_a_single_model_s_reply_without_words_passes(content: Any, reason: str, message: Any) -> None:
    """It is 200 at its provider as well; among candidates it is none."""
    assert normalize(raw(content, reason, **message), strict=False).finish_reason == reason
    with pytest.raises(EmptyAnswerError) as caught:
        normalize(raw(content, reason, **message))
    assert caught.value.completion.finish_reason == reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"type": "image_url", "image_url": {"url": "data:,x"}}], {}),
        ("", {"images": [{"type": "image_url"}]}),
        (None, {"audio": {"id": "1", "data": ""}}),
    ],
)
def test_pictures_and_sound_are_an_answer(content: Any, message: Any) -> None:
    """They need no words."""
    completion = normalize(raw(content, **message))
    assert completion.media or completion.extra


def test_a_turn_may_end_silently_after_a_tool() -> None:
    """The model has nothing to add to the result."""
    assert normalize(raw(""), may_be_silent=True).text == ""


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
    """Any value in a message's known fields gives a completion or a CallError."""
    tool_calls = extra if isinstance(extra, list) else None
    with suppress(CallError):
        completion = normalize(raw(content, reason, usage, reasoning=extra, tool_calls=tool_calls))
        assert completion.text.strip() or completion.tool_calls
