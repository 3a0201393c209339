"""Parse and validate a Chat Completions request. Every error names the path of the field and the remedy. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from handlers.api.intake.body import TYPE_NAMES, refuse, type_name
from handlers.api.intake.steering import STEERING_FIELD, read_steering
from synth.request import ChatRequest
from upstream.openai.conversation import Conversation
from upstream.openai.wire import TOKEN_LIMITS

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_CHOICES = 8
NO_LIMIT = -1  # some local clients send this token limit to mean "unlimited"
_OWN_FIELDS = frozenset({"model", "messages", "n", "stream", "stream_options", STEERING_FIELD})


def parse(fields: Mapping[str, Any]) -> ChatRequest:
    """Return the request in the decoded body of `POST /v1/chat/completions`. Raises ApiError (400) if it is invalid."""
    _check_messages(fields.get("messages"), present="messages" in fields)
    for name in _CHECKS:
        if name in fields and fields[name] is not None:
            _CHECKS[name](name, fields[name])
    stream_options = fields.get("stream_options") or {}
    return ChatRequest(
        model=fields.get("model") or None,
        messages=Conversation(fields["messages"]),
        params={
            name: value
            for name, value in fields.items()
            if name not in _OWN_FIELDS and not (value == NO_LIMIT and name in TOKEN_LIMITS)
        },
        n=fields.get("n") or 1,
        stream=fields.get("stream") or False,
        include_usage=bool(stream_options.get("include_usage")),
        steering=read_steering(fields),
    )


def _check_messages(messages: Any, *, present: bool) -> None:
    if not present or messages is None:
        refuse("messages", "is required: an array of {role, content} objects", code="missing_required_parameter")
    if not isinstance(messages, list):
        refuse("messages", f"must be an array, is {type_name(messages)}")
    if not messages:
        refuse("messages", "must hold at least one message")
    for position, message in enumerate(messages):
        if not _is_plain(message):
            _check_message(f"messages[{position}]", message)


def _is_plain(message: Any) -> bool:
    """Whether a message has a known role and a plain string as content, like nearly all."""
    return type(message) is dict and message.get("role") in ROLES and type(message.get("content")) is str


def _check_message(path: str, message: Any) -> None:
    if not isinstance(message, dict):
        refuse(path, f"must be an object, is {type_name(message)}")
    role = message.get("role")
    if role not in ROLES:
        stated = f"is {role!r}"[:80] if isinstance(role, str) else f"is {type_name(role)}"
        refuse(f"{path}.role", f"must be one of {', '.join(ROLES)}, {stated}")
    content = message.get("content")
    if isinstance(content, list):
        for position, part in enumerate(content):
            _check_part(f"{path}.content[{position}]", part)
    elif content is not None and not isinstance(content, str):
        refuse(f"{path}.content", f"must be a string, an array of parts or null, is {type_name(content)}")


def _check_part(path: str, part: Any) -> None:
    if not isinstance(part, dict):
        refuse(path, f"must be an object, is {type_name(part)}")
    if not isinstance(part.get("type"), str):
        refuse(f"{path}.type", f"must be a string, is {type_name(part.get('type'))}")
    if part["type"] == "text" and not isinstance(part.get("text"), str):
        refuse(f"{path}.text", f"must be a string, is {type_name(part.get('text'))}")


def _expect(*types: type) -> Callable[[str, Any], None]:
    def check(path: str, value: Any) -> None:
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if not fits:
            remedy = _suggest_remedy(path, value, types)
            refuse(path, f"must be {TYPE_NAMES[types[-1]]}, is {type_name(value)}{remedy}")

    return check


def _suggest_remedy(path: str, value: Any, types: tuple[type, ...]) -> str:
    if isinstance(value, str) and str not in types:
        return f' ("{value[:20]}"); with httpie write {path}:={value[:20]}'
    return ""


def _expect_integer(low: int, high: int | None = None) -> Callable[[str, Any], None]:
    is_integer = _expect(int)

    def check(path: str, value: Any) -> None:
        is_integer(path, value)
        if value < low or (high is not None and value > high):
            bounds = f"at least {low}" if high is None else f"from {low} to {high}"
            refuse(path, f"must be {bounds}, is {value}"[:120])

    return check


def _check_stop(path: str, value: Any) -> None:
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return
    refuse(path, f"must be a string or an array of strings, is {type_name(value)}")


def _check_stream_options(path: str, value: Any) -> None:
    _expect(dict)(path, value)
    if value.get("include_usage") is not None:
        _expect(bool)(f"{path}.include_usage", value["include_usage"])


def _check_objects(path: str, value: Any) -> None:
    _expect(list)(path, value)
    for position, item in enumerate(value):
        if not isinstance(item, dict):
            refuse(f"{path}[{position}]", f"must be an object, is {type_name(item)}")


def _check_tools(path: str, value: Any) -> None:
    _check_objects(path, value)
    for position, tool in enumerate(value):
        at = f"{path}[{position}]"
        kind = tool.get("type", "function")
        _expect(str)(f"{at}.type", kind)
        if kind in ("function", "custom"):
            _expect(dict)(f"{at}.{kind}", tool.get(kind))
            _expect(str)(f"{at}.{kind}.name", tool[kind].get("name"))


def _check_functions(path: str, value: Any) -> None:
    _check_objects(path, value)
    for position, function in enumerate(value):
        _expect(str)(f"{path}[{position}].name", function.get("name"))


def _check_tool_choice(path: str, value: Any) -> None:
    """Check a tool choice: a keyword, or an object that names one tool or several allowed ones."""
    if isinstance(value, str):
        return
    if not isinstance(value, dict):
        refuse(path, f"must be a string or an object, is {type_name(value)}")
    kind = value.get("type", "function")
    _expect(str)(f"{path}.type", kind)
    if kind in value:
        _expect(dict)(f"{path}.{kind}", value[kind])
    if kind == "allowed_tools":
        allowed = value.get("allowed_tools") or {}
        _check_tools(f"{path}.allowed_tools.tools", allowed.get("tools") or [])
        return
    _expect(str)(f"{path}.{kind}.name", (value.get(kind) or value).get("name"))


def _check_response_format(path: str, value: Any) -> None:
    _expect(dict)(path, value)
    if not isinstance(value.get("type"), str):
        refuse(f"{path}.type", f"must be a string, is {type_name(value.get('type'))}")
    if value["type"] != "json_schema":
        return
    if not isinstance(value.get("json_schema"), dict):
        refuse(f"{path}.json_schema", f"must be an object, is {type_name(value.get('json_schema'))}")


# The fields that the gateway reads or that clients are known to get wrong. All others pass untouched.
_CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    "model": _expect(str),
    "stream": _expect(bool),
    "stream_options": _check_stream_options,
    "n": _expect_integer(1, MAX_CHOICES),
    "max_tokens": _expect_integer(NO_LIMIT),
    "max_completion_tokens": _expect_integer(NO_LIMIT),
    "temperature": _expect(int, float),
    "top_p": _expect(int, float),
    "presence_penalty": _expect(int, float),
    "frequency_penalty": _expect(int, float),
    "seed": _expect(int),
    "stop": _check_stop,
    "tools": _check_tools,
    "functions": _check_functions,
    "tool_choice": _check_tool_choice,
    "function_call": _check_tool_choice,
    "parallel_tool_calls": _expect(bool),
    "response_format": _check_response_format,
    "logprobs": _expect(bool),
    "logit_bias": _expect(dict),
    "metadata": _expect(dict),
    "user": _expect(str),
}
