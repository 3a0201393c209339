"""The wire format, out and in."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream.errors import CallError, Kind
from upstream.openai import wire
from upstream.openai.stream_assembler import StreamAssembler

LIMIT = st.none() | st.integers(1, 10**6)
PARAMS = st.fixed_dictionaries(
    {}, optional={"max_tokens": LIMIT, "max_completion_tokens": LIMIT, "top_p": st.floats(0, 1)}
)


@given(PARAMS, PARAMS)
def test_the_smallest_limit_is_sent_and_the_configuration_wins(client: Any, configured: Any) -> None:
    """Of all limits, under either name and from any source, the smallest is sent."""
    merged = wire.merge_params(client, configured)
    left = {name: value for name, value in client.items() if name not in configured or configured[name] is not None}
    stated = [params[name] for params in (left, configured) for name in wire.TOKEN_LIMITS if params.get(name)]
    sent = [merged[name] for name in wire.TOKEN_LIMITS if merged.get(name)]
    assert set(sent) == ({min(stated)} if stated else set())
    if "top_p" in configured:
        assert merged["top_p"] == configured["top_p"]


def test_a_limit_is_sent_under_the_configured_name() -> None:
    """Some upstreams know only one of the two names."""
    assert wire.merge_params({"max_tokens": 50}, {"max_completion_tokens": 80}) == {"max_completion_tokens": 50}
    assert wire.merge_params({"max_tokens": 50}, {}) == {"max_tokens": 50}
    assert wire.merge_params({"max_tokens": None}, {"max_tokens": 9}) == {"max_tokens": 9}


def test_a_configured_null_leaves_a_field_out() -> None:
    """Whatever the client states; what the configuration does not name stays."""
    assert wire.merge_params({"temperature": 0, "seed": 7}, {"temperature": None}) == {"seed": 7}
    assert wire.merge_params({"max_tokens": 9}, {"max_tokens": None}) == {}


def test_a_lone_surrogate_survives() -> None:
    """What a client could send in JSON reaches the upstream, even where UTF-8 cannot hold it."""
    assert json.loads(b"".join(wire.encode([], {"x": "\ud83d"}))) == {"messages": [], "x": "\ud83d"}


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff\xfe{", b"[" * 100_000])
def test_invalid_json_is_unparsable(body: bytes) -> None:
    """The message says what came, without quoting it."""
    with pytest.raises(CallError) as caught:
        wire.decode(body)
    assert caught.value.kind is Kind.UNPARSABLE
    assert caught.value.retryable


@pytest.mark.parametrize(
    "body",
    [[], None, "x", {}, {"choices": None}, {"choices": []}, {"choices": ["x"]}, {"choices": [{"message": None}]}],
)
def test_json_of_another_shape_is_unparsable(body: Any) -> None:
    """A completion has a first choice with a message."""
    with pytest.raises(CallError) as caught:
        wire.check_completion(body)
    assert caught.value.kind is Kind.UNPARSABLE


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"error": {"message": "slow down", "code": 429}}, Kind.RATE_LIMITED, 429),
        ({"error": {"message": "no", "code": "401"}}, Kind.AUTH, 401),
        ({"error": {"message": "overloaded"}}, Kind.SERVER_ERROR, 503),
        ({"error": "plain words"}, Kind.SERVER_ERROR, 502),
        ({"choices": [{"error": {"message": "half-way", "code": 503}}]}, Kind.SERVER_ERROR, 503),
    ],
)
def test_an_error_inside_a_200_counts_by_its_own_code(body: Any, kind: Kind, status: int) -> None:
    """OpenRouter and others answer 200 with an error inside."""
    with pytest.raises(CallError) as caught:
        wire.check_completion(body)
    assert (caught.value.kind, caught.value.status) == (kind, status)


def test_arguments_that_come_as_an_object_become_json_text() -> None:
    """Some upstreams send them so, in streams as well; clients read text."""
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    assembler = StreamAssembler()
    assembler.feed(wire.check_chunk({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}))
    (assembled,) = assembler.completion()["choices"][0]["message"]["tool_calls"]
    assert json.loads(assembled["function"]["arguments"]) == {"x": 1}


@pytest.mark.parametrize("event", [[], "x", {"choices": "x"}, {"choices": ["x"]}])
def test_an_event_that_is_no_chunk_is_unparsable(event: Any) -> None:
    """The stream holds chunks or it fails."""
    with pytest.raises(CallError) as caught:
        wire.check_chunk(event)
    assert caught.value.kind is Kind.UNPARSABLE


def test_a_reply_without_choices_is_shown() -> None:
    """An upstream may say in an unknown shape what is wrong."""
    with pytest.raises(CallError, match="it says: the model is being moved") as caught:
        wire.check_completion({"state": 7, "reason": "the model is being moved"})
    assert caught.value.kind is Kind.UNPARSABLE
    with pytest.raises(CallError, match="SAFETY"):
        wire.check_completion({"id": "x", "choices": [], "promptFeedback": {"blockReason": "SAFETY"}, "usage": {}})
