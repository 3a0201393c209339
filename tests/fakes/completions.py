"""OpenAI's completion shapes, rendered from a test's description of an answer. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Request = Mapping[str, Any]  # the parsed body of POST /v1/chat/completions
CREATED = 1_700_000_000  # seconds since the epoch, in every completion of the fake
DONE = b"data: [DONE]\n\n"


def compact(value: Any) -> bytes:
    """Return `value` as JSON without white space, non-ASCII characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: Any) -> bytes:
    """Return `value` as one server-sent event."""
    return b"data: " + compact(value) + b"\n\n"


def tool_call(name: str, arguments: str, *, call_id: str = "call_1") -> dict[str, Any]:
    """Return one entry of a message's `tool_calls`; `arguments` is sent byte for byte."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def error_body(message: str, *, kind: str, param: str | None = None, code: Any = None) -> dict[str, Any]:
    """Return an error object in OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer, renderable as a `chat.completion` or as the `chat.completion.chunk`s of the same.

    `text` may be a list of content parts, which a stream sends as their joined text, or None. `stop` as the
    finish reason reads `tool_calls` where there are any, as it does at OpenAI. `usage` is (prompt, completion)
    tokens or the whole object; None leaves it out. `piece_chars` is the length of one delta of text, reasoning
    or tool arguments. `extra`, `choice` and `message` are laid over the completion (and every chunk), each
    choice and each message (and first delta); `without` names keys to leave out of a completion and its choices.
    A request's `n` gives as many equal choices.
    """

    text: str | Sequence[Mapping[str, Any]] | None
    finish_reason: str | None = "stop"
    usage: tuple[int, int] | Mapping[str, Any] | None = (11, 7)
    reasoning: str | None = None
    reasoning_key: str = "reasoning_content"
    tool_calls: Sequence[Mapping[str, Any]] = ()
    piece_chars: int = 4
    extra: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    without: Sequence[str] = ()

    def whole(self, request: Request) -> dict[str, Any]:
        """Return the `chat.completion` object."""
        choices = [self._choice(index, self._finish_reason(), message=self._message()) for index in _indices(request)]
        return self._object("chat.completion", request, choices, usage=self._usage())

    def chunks(self, request: Request) -> Iterator[dict[str, Any]]:
        """Yield the `chat.completion.chunk` objects: role, deltas, finish, and usage where it was asked for."""
        wants_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        usage_so_far = {"usage": None} if wants_usage else {}

        def chunk(index: int, finish_reason: str | None, delta: Mapping[str, Any]) -> dict[str, Any]:
            choice = self._choice(index, finish_reason, delta=delta)
            return self._object("chat.completion.chunk", request, [choice], **usage_so_far)

        for index in _indices(request):
            for delta in self._deltas():
                yield chunk(index, None, delta)
            if "finish_reason" not in self.without:
                yield chunk(index, self._finish_reason(), {})
        if wants_usage and self.usage is not None and "usage" not in self.without:
            yield self._object("chat.completion.chunk", request, [], usage=self._usage())

    def _object(self, kind: str, request: Request, choices: list[Any], **usage: Any) -> dict[str, Any]:
        head = {"id": "chatcmpl-fake", "object": kind, "created": CREATED, "model": request.get("model")}
        whole = head | {"choices": choices} | usage | dict(self.extra)
        left_out = {*self.without, *(() if self.usage is not None else ("usage",))}
        return {key: value for key, value in whole.items() if key not in left_out}

    def _choice(self, index: int, finish_reason: str | None, **content: Any) -> dict[str, Any]:
        overlay = {key: value for key, value in self.choice.items() if finish_reason or key != "finish_reason"}
        choice = {"index": index, **content, "logprobs": None, "finish_reason": finish_reason} | overlay
        return {key: value for key, value in choice.items() if key not in self.without}

    def _message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.reasoning is not None:
            message[self.reasoning_key] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        return message | dict(self.message)

    def _deltas(self) -> Iterator[dict[str, Any]]:
        text = self._joined_text()
        yield {"role": "assistant", "content": None if text is None else ""} | dict(self.message)
        for piece in self._pieces(self.reasoning or ""):
            yield {self.reasoning_key: piece}
        for piece in self._pieces(text or ""):
            yield {"content": piece}
        for index, call in enumerate(self.tool_calls):
            function = call["function"]
            yield {"tool_calls": [{"index": index, **call, "function": {**function, "arguments": ""}}]}
            for piece in self._pieces(function["arguments"]):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}

    def _joined_text(self) -> str | None:
        if self.text is None or isinstance(self.text, str):
            return self.text
        return "".join(part.get("text", "") for part in self.text)

    def _pieces(self, text: str) -> Iterator[str]:
        for start in range(0, len(text), self.piece_chars):
            yield text[start : start + self.piece_chars]

    def _finish_reason(self) -> str | None:
        return "tool_calls" if self.tool_calls and self.finish_reason == "stop" else self.finish_reason

    def _usage(self) -> Mapping[str, Any] | None:
        if not isinstance(self.usage, tuple):
            return self.usage
        prompt, completion = self.usage
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _indices(request: Request) -> range:
    return range(request.get("n") or 1)
