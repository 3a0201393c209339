"""OpenAI's chat-completions wire format, as upstreams speak it: payloads out, completions and chunks in. Pure.

Shapes: https://platform.openai.com/docs/api-reference/chat (object, streaming). A completion or chunk stays the
`dict` that JSON made of it; the checks here promise only the shape that the rest of the gateway relies on.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from runtime import json_codec, json_steps
from runtime.json_steps import Steps
from upstream.errors import CallError, Kind
from upstream.openai.conversation import Conversation, Message
from upstream.openai.error_replies import find_cause, is_error, read_error, states_error

TOKEN_LIMITS = ("max_completion_tokens", "max_tokens")
MAX_MESSAGE_CHARS = 400
MAX_TOOL_CALLS = 1024
"""An answer with more tool calls than this is refused; agents make a handful at a time."""

MAX_ANSWER_CHARS = 2**22
"""The longest answer, with its reasoning and arguments: a million tokens, several times of what models can write."""

_MAX_LENIENT_BYTES = 2**20  # what is not strict JSON is read a second time, in one turn of the event loop
_SPACE = re.compile(r"\s*")
_LENIENT = json.JSONDecoder(strict=False)
_USUAL = frozenset({"choices", "id", "object", "created", "model", "usage", "system_fingerprint", "service_tier"})
_WRAPPERS = ("data", "result", "response", "output", "body")

_UNSEEN = frozenset({"role", "index"})
_REASONING = frozenset({"reasoning", "reasoning_content", "reasoning_details"})


def encode(messages: Sequence[Message], fields: Mapping[str, Any]) -> tuple[bytes, ...]:
    """Return the JSON of a request, which has at least one field beside its messages, in pieces to be sent in turn.

    The messages are encoded once for all models that they go to.
    """
    return b'{"messages":[', Conversation.of(messages).items_json(), b"],", json_codec.encode(fields)[1:]


def encode_in_steps(conversation: Conversation, fields: Mapping[str, Any]) -> Steps[tuple[bytes, ...]]:
    """Return a large request as `encode` does."""
    yield from conversation.encode_in_steps()
    pieces = yield from json_steps.encode(fields)
    return b'{"messages":[', conversation.items_json(), b"],", pieces[0][1:], *pieces[1:]


def find_token_limit(*params: Mapping[str, Any]) -> int | None:
    """Return the token limit in force: the smallest that any of the params states, or None."""
    limits = [each[name] for each in params for name in TOKEN_LIMITS if isinstance(each.get(name), int)]
    return min(limits, default=None)


def token_limit_name(configured: Mapping[str, Any], provider: str | None) -> str:
    """Return the name under which a model takes a token limit: the configured one, or else its provider's."""
    default = "max_completion_tokens" if provider == "openai" else "max_tokens"
    return next((name for name in TOKEN_LIMITS if name in configured), default)


def merge_params(client: Mapping[str, Any], configured: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a model's configured params over the client's; null leaves the client's out; the smallest token limit counts.

    The limit goes out under the name that the configuration uses, else under the client's own name or names.
    """
    if not configured and client.keys().isdisjoint(TOKEN_LIMITS):
        return dict(client)
    left_out = [name for name, value in configured.items() if value is None]
    if left_out:
        client = {name: value for name, value in client.items() if name not in left_out}
        configured = {name: value for name, value in configured.items() if value is not None}
    merged = {**client, **configured}
    limit = find_token_limit(client, configured)
    if limit is None:
        return merged
    spoken_by = configured if any(configured.get(name) is not None for name in TOKEN_LIMITS) else client
    for name in TOKEN_LIMITS:
        merged.pop(name, None)
        if spoken_by.get(name) is not None:
            merged[name] = limit
    return merged


def decode(body: bytes | str) -> Any:
    """Return the JSON value of an upstream's bytes. Raises CallError (unparsable) if they are not JSON.

    Control characters inside strings are taken, and bytes that are not UTF-8 are replaced: an answer that was paid
    for is not lost by one bad byte.
    """
    try:
        return json_codec.decode(body)
    except RecursionError:
        pass
    except ValueError:
        if len(body) <= _MAX_LENIENT_BYTES:
            with suppress(ValueError, RecursionError):
                return json.loads(body if isinstance(body, str) else body.decode(errors="replace"), strict=False)
    raise CallError(Kind.UNPARSABLE, f"the reply is not JSON ({_describe(body)})")


def find_object(body: bytes) -> Any:
    """Return the first JSON object inside a text, or None if there is none: some servers print warnings around it."""
    start = body.find(b"{")
    if start < 0 or len(body) > _MAX_LENIENT_BYTES:
        return None
    try:
        return _LENIENT.raw_decode(body[start:].decode(errors="replace"))[0]
    except (ValueError, RecursionError):
        return None


def decode_sequence(body: bytes) -> list[Any]:
    """Return the JSON values that follow each other in a text. Raises CallError (unparsable) otherwise."""
    values: list[Any] = []
    text, at = body.decode(errors="replace"), 0
    try:
        while at < len(text) <= _MAX_LENIENT_BYTES:
            value, at = _LENIENT.raw_decode(text, at)
            values.append(value)
            space = _SPACE.match(text, at)
            at = space.end() if space else at
    except (ValueError, RecursionError):
        values.clear()
    if not values:
        raise CallError(Kind.UNPARSABLE, f"the reply is not JSON ({_describe(body)})")
    return values


def decode_or_text(body: bytes) -> Any:
    """Return the JSON value of an error reply, or its text if it is not JSON."""
    try:
        return decode(body)
    except CallError:
        return body.decode(errors="replace").strip()


def check_completion(body: Any) -> dict[str, Any]:
    """Return `body` if it is a completion with a first choice that holds a message. Raises CallError otherwise."""
    checked = _refuse_error(body)
    choices = checked.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        choice = choices[0]
        if len(choices) > 1:
            choice = next((each for each in choices if isinstance(each, dict) and each.get("index") == 0), choice)
            checked["choices"] = [choice]
        if states_error(choice.get("error")):  # OpenRouter: a provider that failed half-way
            raise read_error(choice, 200)
        if "message" not in choice and isinstance(choice.get("text"), str):
            choice["message"] = {"content": choice["text"]}
        if isinstance(choice.get("message"), str):
            choice["message"] = {"role": "assistant", "content": choice["message"]}
        if isinstance(choice.get("message"), dict):
            check_message(choice["message"])
            return checked
    cause = find_cause({key: value for key, value in checked.items() if key not in _USUAL})
    says = f"; it says: {cause}" if cause else ""
    raise CallError(
        Kind.UNPARSABLE, f"the reply is JSON, but not a chat completion: it has no choices[0].message{says}"
    )


def check_chunk(event: Any) -> dict[str, Any]:
    """Return `event` if it is a chunk: choices are objects with an object delta. Raises CallError otherwise."""
    checked = _refuse_error(event)
    choices = checked.get("choices")
    if choices is None:
        return {**checked, "choices": []}
    if isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices):
        for choice in choices:
            if states_error(choice.get("error")):
                raise read_error(choice, 200)
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                choice["delta"] = {"content": delta} if isinstance(delta, str) else {}
            check_message(choice["delta"])
        return checked
    raise CallError(Kind.UNPARSABLE, "the stream holds JSON that is not a chat completion chunk")


def is_chunk(value: Any) -> bool:
    """Whether a JSON value is a chunk of a stream, rather than a whole completion or anything else."""
    choices = value.get("choices") if isinstance(value, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and isinstance(first.get("delta"), dict) and "message" not in first


def check_message(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message or delta if the parts that are read have the expected types. Raises CallError otherwise."""
    calls = message.get("tool_calls")
    if calls is not None:
        calls = message["tool_calls"] = [calls] if isinstance(calls, dict) else calls
        if isinstance(calls, list) and len(calls) > MAX_TOOL_CALLS:
            raise CallError(Kind.OVERSIZED, f"the answer makes more than {MAX_TOOL_CALLS} tool calls")
        if not isinstance(calls, list) or not all(map(_is_call, calls)):
            raise CallError(Kind.UNPARSABLE, "the reply holds tool calls of another shape")
    content, function = message.get("content"), message.get("function_call")
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        content = message["content"] = [{"type": "text", **content}]
    if not (content is None or isinstance(content, str | list)) or not (function is None or isinstance(function, dict)):
        raise CallError(Kind.UNPARSABLE, "the reply holds a message of another shape")
    return message


def _is_call(call: Any) -> bool:
    """Whether a tool call, or a piece of one, can be read. An index in digits becomes an integer."""
    if not isinstance(call, dict):
        return False
    index = call.get("index")
    if isinstance(index, str | float) and re.fullmatch(r"[0-9]{1,6}(?:\.0)?", str(index)):
        call["index"] = int(float(index))
    elif not isinstance(index, int | None):
        return False
    function = call.get("function")
    return function is None or (
        isinstance(function, dict)
        and isinstance(function.get("arguments"), str | dict | list | None)
        and isinstance(function.get("name"), str | None)
    )


def read_usage(body: Any) -> Mapping[str, Any] | None:
    """Return the usage in an unwrapped reply, even if the rest of it is malformed."""
    usage = body.get("usage") if isinstance(body, dict) else None
    return usage if isinstance(usage, dict) else None


def unwrap(body: Any) -> Any:
    """Return the completion or chunk inside what a relay wraps around it, else `body` itself.

    Relays put it under a name of their own, or quote it: `{"code": 0, "msg": "ok", "data": {"choices": …}}`.
    """
    if isinstance(body, str):
        inner = _decode_quoted(body)
        return body if inner is None else inner
    if not isinstance(body, dict) or "choices" in body or states_error(body.get("error")):
        return body
    for key in _WRAPPERS:
        inner = body.get(key)
        inner = _decode_quoted(inner) if isinstance(inner, str) else inner
        if not isinstance(inner, dict) or not isinstance(choices := inner.get("choices"), list):
            continue
        if choices or not _says_failed(body):
            return {"usage": body.get("usage"), **inner}
    return body


def _says_failed(wrapper: Mapping[str, Any]) -> bool:
    """Whether what a relay wraps around a reply says that there is none: beside `"choices": []`, it is the error."""
    code = str(wrapper.get("code", ""))
    return wrapper.get("success") is False or (re.fullmatch("[45][0-9]{2}", code) is not None)


def _decode_quoted(text: str) -> Any:
    """Return the completion or chunk that a JSON string contains, or None."""
    if not text.startswith("{") or len(text) > _MAX_LENIENT_BYTES:
        return None
    try:
        value = json_codec.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and "choices" in value else None


def _refuse_error(body: Any) -> dict[str, Any]:
    body = unwrap(body)
    if isinstance(body, list) and len(body) == 1 and isinstance(body[0], dict):  # as Google wraps its errors
        body = body[0]
    if not isinstance(body, dict):
        raise CallError(Kind.UNPARSABLE, f"the reply is JSON, but not an object: {type(body).__name__}")
    if is_error(body):
        raise read_error(body, 200)
    return body


def _describe(body: bytes | str) -> str:
    start = body[:200].lstrip()
    markup: bytes | str = b"<" if isinstance(start, bytes) else "<"
    if not start:
        return "empty body"
    return f"{'a web page' if start[:1] == markup else 'other text'} of {len(body)} bytes"


def has_content(chunk: Mapping[str, Any], *, reasoning: bool) -> bool:
    """Whether a checked chunk carries anything of the answer that a client sees, with its reasoning or without."""
    unseen = _UNSEEN if reasoning else _UNSEEN | _REASONING
    return any(value for choice in chunk["choices"] for key, value in choice["delta"].items() if key not in unseen)


def count_chars(message: Mapping[str, Any]) -> int:
    """Return the number of characters that a message or delta brings, for an estimate of its tokens."""
    n = 0
    for name, value in message.items():
        if isinstance(value, str):
            n += len(value)
        elif name == "tool_calls" and value:
            functions = [call.get("function") or {} for call in value if isinstance(call, dict)]
            n += sum(len(function.get("arguments") or "") for function in functions)
    return n
