"""Refusals in the words of many providers, and a request that they refuse."""

from typing import Any

from upstream.openai.conversation import Conversation
from upstream.openai.refusals import find_quirks

CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Rome"}', "strict": True},
}
MESSAGES: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
    {"role": "user", "name": "ann", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]},
    {"role": "user", "content": "Well?"},
]
FIELDS: dict[str, Any] = {
    "model": "m",
    "temperature": 0,
    "top_p": 0.9,
    "max_tokens": 100,
    "seed": 7,
    "user": "u",
    "stop": ["x"],
    "logprobs": True,
    "logit_bias": {"1": 2},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "reasoning_effort": "minimal",
    "parallel_tool_calls": True,
    "metadata": {"a": "b"},
    "store": True,
    "response_format": {"type": "json_object"},
    "stream": True,
    "stream_options": {"include_usage": True},
    "web_options": {},
}


def openai(message: str, param: str | None = None, code: str | None = None) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def detail(*loc: Any, kind: str = "extra_forbidden", msg: str = "Extra inputs are not permitted", **more: Any) -> Any:
    return {"detail": [{"type": kind, "loc": ["body", *loc], "msg": msg, "input": 1, **more}]}


def found(body: Any, fields: Any = None, messages: Any = None, **more: Any) -> list[tuple[str, ...]]:
    """Return what is found, each as the words of its action, name and value."""
    asked = FIELDS if fields is None else fields
    quirks = find_quirks(body, 400, Conversation(MESSAGES if messages is None else messages), asked, **more)
    return [tuple(filter(None, (quirk.action.value, quirk.name, quirk.value))) for quirk in quirks]


UNSUPPORTED = "Unsupported parameter: '{}' is not supported with this model."
TEMPERATURE = (
    "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."
)
DESERIALIZE = "Failed to deserialize the JSON body into the target type: "
