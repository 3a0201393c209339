"""OpenAI's chat-completions wire format, as upstreams speak it: payloads out, completions and chunks in. Pure.

Shapes: https://platform.openai.com/docs/api-reference/chat (object, streaming). A completion or chunk stays the
`dict` that JSON made of it; the checks here promise only the shape that the rest of the house relies on.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from upstream.errors import CallError, Kind, kind_of_status

TOKEN_LIMITS = ("max_completion_tokens", "max_tokens")
MAX_MESSAGE_CHARS = 400

_CONTEXT_LENGTH_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_CONTEXT_LENGTH_WORDS = re.compile(
    r"maximum context length|context (?:window|length|size)|prompt is too long|too many (?:input )?tokens",
    re.IGNORECASE,
)


def encode(payload: Mapping[str, Any]) -> bytes:
    """Return the JSON bytes of a payload. ASCII, so that a lone surrogate in a prompt survives."""
    return json.dumps(payload, separators=(",", ":")).encode("ascii")


def merge_params(client: Mapping[str, Any], configured: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a model's configured params over the client's; of all token limits the smallest counts.

    The limit goes out under the name that the configuration uses, else under the client's own name or names.
    """
    merged = {**client, **configured}
    stated = [params[name] for params in (client, configured) for name in TOKEN_LIMITS if params.get(name) is not None]
    if not stated:
        return merged
    spoken_by = configured if any(configured.get(name) is not None for name in TOKEN_LIMITS) else client
    for name in TOKEN_LIMITS:
        merged.pop(name, None)
        if spoken_by.get(name) is not None:
            merged[name] = min(stated)
    return merged


def decode(body: bytes | str) -> Any:
    """Return the JSON value of an upstream's bytes; CallError (unparsable) where they are none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise CallError(Kind.UNPARSABLE, f"the reply is not JSON ({_describe(body)})") from None


def check_completion(body: Any) -> dict[str, Any]:
    """Return `body` if it is a completion with a first choice that holds a message; CallError otherwise."""
    checked = _refuse_error(body)
    choices = checked.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        if isinstance(choices[0].get("message"), dict):
            return checked
        if choices[0].get("error"):  # OpenRouter: a provider that failed half-way
            raise error_from_body(choices[0], 200)
    raise CallError(Kind.UNPARSABLE, "the reply is JSON, but not a chat completion: it has no choices[0].message")


def check_chunk(event: Any) -> dict[str, Any]:
    """Return `event` if it is a chunk, with choices as a list of objects with an object delta; CallError otherwise."""
    checked = _refuse_error(event)
    choices = checked.get("choices")
    if choices is None:
        return {**checked, "choices": []}
    if isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices):
        for choice in choices:
            if choice.get("error"):
                raise error_from_body(choice, 200)
            if not isinstance(choice.get("delta"), dict):
                choice["delta"] = {}
        return checked
    raise CallError(Kind.UNPARSABLE, "the stream holds JSON that is not a chat completion chunk")


def error_from_body(body: Any, status: int, retry_after_s: float | None = None) -> CallError:
    """Return the CallError that an error reply means. A 200 with an error inside counts by its own code."""
    message, code = _message_and_code(body)
    if status < 400:  # noqa: PLR2004
        status = code if isinstance(code, int) and 400 <= code < 600 else 502  # noqa: PLR2004
    kind = kind_of_status(status)
    says_context = code in _CONTEXT_LENGTH_CODES or _CONTEXT_LENGTH_WORDS.search(message)
    if says_context and status in (400, 413, 422):
        kind = Kind.CONTEXT_LENGTH
    if not message:
        message = f"HTTP {status}"
    return CallError(kind, message[:MAX_MESSAGE_CHARS], status=status, retry_after_s=retry_after_s)


def _refuse_error(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise CallError(Kind.UNPARSABLE, f"the reply is JSON, but not an object: {type(body).__name__}")
    if body.get("error"):
        raise error_from_body(body, 200)
    return body


def _message_and_code(body: Any) -> tuple[str, Any]:
    if isinstance(body, list) and body:  # Google wraps its error in a list
        body = body[0]
    if not isinstance(body, dict):
        return "", None
    error = body.get("error", body)
    if isinstance(error, str):
        return error, body.get("code")
    if not isinstance(error, dict):
        return "", None
    message = next((error[key] for key in ("message", "detail") if isinstance(error.get(key), str)), "")
    codes = [error.get(key) for key in ("code", "type", "status")]
    known = next((code for code in codes if code in _CONTEXT_LENGTH_CODES), None)
    return message, known or _as_status(codes[0])


def _as_status(code: Any) -> Any:
    return int(code) if isinstance(code, str) and code.isdecimal() else code


def _describe(body: bytes | str) -> str:
    start = body[:200].lstrip()
    markup: bytes | str = b"<" if isinstance(start, bytes) else "<"
    if not start:
        return "empty body"
    return f"{'a web page' if start[:1] == markup else 'other text'} of {len(body)} bytes"


class Assembler:
    """Puts the chunks of one stream together to the completion that the same call without streaming gives.

    Only the first choice is read: the gateway never asks an upstream for more than one.
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {
            "content": [],
            "reasoning_content": [],
            "reasoning": [],
            "refusal": [],
        }
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._function_call: dict[str, Any] | None = None
        self._logprobs: dict[str, list[Any]] = {}
        self._usage: Any = None
        self.finish_reason: str | None = None

    def feed(self, chunk: Mapping[str, Any]) -> None:
        """Take in one checked chunk."""
        for key in ("id", "created", "model", "system_fingerprint", "service_tier"):
            if chunk.get(key) is not None:
                self._head.setdefault(key, chunk[key])
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        for choice in chunk["choices"]:
            if choice.get("index") in (0, None):
                self._feed_choice(choice)

    def _feed_choice(self, choice: Mapping[str, Any]) -> None:
        delta = choice["delta"]
        for key, pieces in self._texts.items():
            if isinstance(delta.get(key), str):
                pieces.append(delta[key])
        for position, piece in enumerate(delta.get("tool_calls") or ()):
            self._feed_tool_call(position, piece)
        if isinstance(delta.get("function_call"), dict):
            self._function_call = _joined(self._function_call or {}, delta["function_call"])
        if isinstance(choice.get("logprobs"), dict):
            for key, values in choice["logprobs"].items():
                self._logprobs.setdefault(key, []).extend(values or ())
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def _feed_tool_call(self, position: int, piece: Mapping[str, Any]) -> None:
        index = piece.get("index")
        call = self._tool_calls.setdefault(position if index is None else index, {})
        for key, value in piece.items():
            if key == "function" and isinstance(value, dict):
                call["function"] = _joined(call.get("function", {}), value)
            elif key != "index" and value is not None:
                call[key] = value

    def completion(self) -> dict[str, Any]:
        """Return the completion; CallError (truncated) where the stream gave no finish_reason."""
        if self.finish_reason is None:
            raise CallError(Kind.TRUNCATED, "the stream ended without a finish_reason")
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message.update({key: "".join(pieces) for key, pieces in self._texts.items() if pieces})
        if self._tool_calls:
            message["tool_calls"] = [self._tool_calls[index] for index in sorted(self._tool_calls)]
        if self._function_call:
            message["function_call"] = self._function_call
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        if self._logprobs:
            choice["logprobs"] = self._logprobs
        return {**self._head, "choices": [choice], "usage": self._usage}


def _joined(function: Mapping[str, Any], piece: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(function)
    if piece.get("name"):
        joined["name"] = piece["name"]
    joined["arguments"] = joined.get("arguments", "") + (piece.get("arguments") or "")
    return joined


def has_content(chunk: Mapping[str, Any]) -> bool:
    """Whether a checked chunk carries anything of the answer itself, beyond the role and an empty text."""
    return any(
        value for choice in chunk["choices"] for key, value in choice["delta"].items() if key not in ("role", "index")
    )


def n_chars(message: Mapping[str, Any]) -> int:
    """Return the number of characters that a message or delta brings, for an estimate of its tokens."""
    functions = [call.get("function") or {} for call in message.get("tool_calls") or () if isinstance(call, dict)]
    texts = [value for value in message.values() if isinstance(value, str)]
    return sum(map(len, texts)) + sum(len(function.get("arguments") or "") for function in functions)
