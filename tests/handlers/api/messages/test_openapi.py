"""The description of Messages in the OpenAPI document agrees with the parser."""

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from handlers.api.messages.api import MessagesApi
from handlers.api.messages.errors import error_body
from handlers.api.messages.openapi import PATHS, SCHEMAS
from handlers.errors import ApiError

HI = [{"role": "user", "content": "hi"}]
TOOL = {"name": "f", "input_schema": {"type": "object"}}


def _is_valid(value: Any, name: str) -> bool:
    return Draft202012Validator(SCHEMAS[name]).is_valid(value)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": HI},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "system": "s", "stream": False},
        {"messages": [{"role": "assistant", "content": "a"}, *HI], "system": [{"type": "text", "text": "s"}]},
        {"model": None, "messages": HI, "max_tokens": 1, "temperature": 0.5, "top_p": None, "stop_sequences": ["x"]},
        {"messages": HI, "tools": [TOOL], "top_k": 3},
    ],
)
def test_documented_requests_are_accepted(body: dict[str, Any]) -> None:
    """A generated client that keeps to the document gets no 400."""
    assert _is_valid(body, "MessagesRequest")
    assert MessagesApi().parse(body).chat.messages


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": HI, "max_tokens": 0},
        {"messages": HI, "tools": [{"name": "f"}]},
        {"messages": HI, "stop_sequences": [1]},
    ],
)
def test_refused_requests_are_documented_as_invalid(body: dict[str, Any]) -> None:
    """And the other way round."""
    assert not _is_valid(body, "MessagesRequest")
    with pytest.raises(ApiError):
        MessagesApi().parse(body)


@pytest.mark.parametrize("status", [400, 404, 502])
def test_errors_are_as_described(status: int) -> None:
    """With and without an id."""
    assert _is_valid(error_body(ApiError(status, "why"), "req-1"), "AnthropicError")
    assert _is_valid(error_body(ApiError(status, "why")), "AnthropicError")


def test_every_reference_leads_somewhere() -> None:
    """Each `$ref` of the paths is one of the schemas beside them."""
    refs = {part.split('"')[0] for part in json.dumps(PATHS).split("#/components/schemas/")[1:]}
    assert refs == set(SCHEMAS)
