"""JSON to ChatRequest, and refusals that name the place and the remedy."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.api.chat.parse import parse
from handlers.errors import ApiError
from tests.handlers.api.bodies import decode

HI = [{"role": "user", "content": "hi"}]


def refusal(body: Any, content_type: str | None = "application/json") -> ApiError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ApiError) as caught:
        parse(decode(raw, content_type))
    return caught.value


def test_known_fields_are_read_and_all_others_kept() -> None:
    """Fields about the form of the reply are not in the params."""
    body = {"model": "mom", "messages": HI, "n": 2, "stream": True, "stream_options": {"include_usage": True}}
    chat = parse({**body, "temperature": 0, "odd": [None]})
    assert (chat.model, chat.messages, chat.n, chat.stream, chat.include_usage) == ("mom", HI, 2, True, True)
    assert chat.params == {"temperature": 0, "odd": [None]}


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"messages": None}, "messages", "is required"),
        ({"messages": "hi"}, "messages", "must be an array, is a string"),
        ({"messages": []}, "messages", "at least one"),
        ({"messages": ["hi"]}, "messages[0]", "must be an object"),
        ({"messages": [*HI, {"content": "x"}]}, "messages[1].role", "is null"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role", "is 'robot'"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "is an integer"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]", "must be an object"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type", "is null"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text", "is null"),
        ({"model": 7}, "model", "must be a string"),
        ({"stream": "false"}, "stream", "write stream:=false"),
        ({"stream": 1}, "stream", "must be a boolean"),
        ({"temperature": "0"}, "temperature", 'is a string ("0"); with httpie write temperature:=0'),
        ({"temperature": True}, "temperature", "must be a number, is a boolean"),
        ({"n": 9}, "n", "from 1 to 8"),
        ({"n": 0}, "n", "from 1 to 8"),
        ({"max_tokens": -2}, "max_tokens", "at least -1"),
        ({"temperature": "1"}, "temperature", "must be a number"),
        ({"tools": [{"type": ["x"]}]}, "tools[0].type", "must be a string"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "is null"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "is null"),
        ({"functions": [{}]}, "functions[0].name", "is null"),
        ({"tool_choice": 5}, "tool_choice", "must be a string or an object"),
        ({"tool_choice": {"type": ["a"]}}, "tool_choice.type", "must be a string"),
        ({"tool_choice": {"type": "function", "function": {"name": ["a"]}}}, "tool_choice.function.name", "a string"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": "x"}}, "tool_choice.allowed_tools", "an object"),
        ({"function_call": 7}, "function_call", "must be a string or an object"),
        ({"stop": [1]}, "stop", "array of strings"),
        ({"tools": {}}, "tools", "must be an array, is an object"),
        ({"tools": ["x"]}, "tools[0]", "must be an object"),
        ({"response_format": "json"}, "response_format", "must be an object"),
        ({"response_format": {}}, "response_format.type", "is null"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "is null"),
        ({"stream_options": []}, "stream_options", "must be an object"),
        ({"stream_options": {"include_usage": "false"}}, "stream_options.include_usage", "must be a boolean"),
    ],
)
def test_a_refusal_names_the_path(fields: dict[str, Any], param: str, says: str) -> None:
    """400, the field's path as `param` and at the head of the message, what is wrong, and often the remedy."""
    error = refusal({"messages": HI, **fields})
    assert (error.status, error.param) == (400, param)
    assert error.message.startswith(f"{param}: ")
    assert says in error.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b"{", "at line 1 column 2"),
        (b"[]", "must be a JSON object, not an array"),
        (b'{"messages": NaN}', "NaN is not a JSON value"),
        (b'{"temperature": 1e999}', "1e999 is not a JSON value"),
        (b"\xff\xfe\x00", "is not valid JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"metadata": {"a": ' + b"[" * 200 + b"]" * 200 + b"}}", "nested more than 200 levels deep"),
        (b'{"n": 1' + b"0" * 5000 + b"}", "is not valid JSON"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, says: str) -> None:
    """400 invalid_json, with the place where the parser stopped."""
    error = refusal(body)
    assert (error.status, error.code) == (400, "invalid_json")
    assert says in error.message


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
def test_forms_and_text_are_refused_with_the_remedy(content_type: str) -> None:
    """415, naming the header to send."""
    error = refusal({"messages": HI}, content_type)
    assert error.status == 415
    assert "Content-Type: application/json" in error.message
    assert error.message.endswith(f"not {content_type}")


@pytest.mark.parametrize("content_type", [";", "+json", "a b+json", "text/plain\udcff", "json", "application/json, x"])
def test_an_invalid_media_type_is_not_shown(content_type: str) -> None:
    """Nothing of it is shown: it may be no text at all."""
    error = refusal({"messages": HI}, content_type)
    assert error.status == 415
    assert error.message.endswith("not application/octet-stream")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/x+json;a=b", ""]
)
def test_json_may_be_said_in_many_ways(content_type: str) -> None:
    """With parameters, in capitals, as a kind of it, and by an empty header, which some clients send."""
    assert parse(decode(json.dumps({"messages": HI}).encode(), content_type)).messages == HI


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda value: st.lists(value, max_size=3) | st.dictionaries(st.text(max_size=5), value, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "model",
    "messages",
    "n",
    "stream",
    "stream_options",
    "stop",
    "tools",
    "temperature",
    "response_format",
    "odd",
]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON)
def test_any_json_is_a_request_or_a_refusal(body: Any) -> None:
    """Never another exception, so never a 500."""
    try:
        chat = parse(decode(json.dumps(body).encode()))
    except ApiError as error:
        assert 400 <= error.status < 500  # noqa: PT017 -- either outcome is right
    else:
        assert chat.messages == body["messages"]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_minus_one_is_no_limit(name: str) -> None:
    """Some local clients say so."""
    assert parse({"messages": HI, name: -1}).params == {}
