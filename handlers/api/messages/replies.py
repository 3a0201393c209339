"""Build Anthropic Messages replies from events: a JSON body, or the same content as server-sent events. Pure.

Event sequence: https://docs.anthropic.com/en/docs/build-with-claude/streaming. Blocks follow each other and never
interleave: thinking, text, then one `tool_use` block for each call.
"""

from collections.abc import Mapping
from typing import Any

from handlers.api.messages.errors import error_body
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from runtime.json_codec import encode_ascii
from synth.authoring.client_stream import MAX_DELTA_CHARS, split_text
from synth.events import Answered, Event, ReasoningDelta, TextDelta
from synth.normalize import Completion
from upstream.anthropic.blocks import block_from_call, pack_opaque
from upstream.anthropic.outcomes import stop_reason_from_finish, usage_from_chat

_RETURNED_FIELDS = ("reasoning_details", "extra_content")
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def build_message(
    reply_id: str, model: str, answer: Answered, usage: Mapping[str, Any], work: ShownWork
) -> dict[str, Any]:
    """Return the `message` object. `usage` is that of Chat Completions; `work` is the work shown to the client."""
    completion = answer.completion
    return {
        "id": reply_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [*_thinking_blocks(completion, work.full_text(completion)), *_answer_blocks(completion)],
        "stop_reason": _stop_reason(completion),
        "stop_sequence": completion.beside.get("stop_sequence"),
        "usage": _build_usage(usage),
        **work.report_field(),
    }


def _thinking_blocks(completion: Completion, reasoning: str) -> list[dict[str, Any]]:
    """Return the thinking blocks: an Anthropic model's own with their signatures, else one for `reasoning`."""
    own = completion.extra.get("thinking_blocks")
    if isinstance(own, list):
        return [dict(block) for block in own]
    signature = _sign(completion)
    if not reasoning and not signature:
        return []
    return [{"type": "thinking", "thinking": reasoning, "signature": signature}]


def _sign(completion: Completion) -> str:
    """Pack the fields that the next turn must return to the model; only a turn with tool calls has a next one."""
    if not completion.tool_calls:
        return ""
    fields = {name: completion.extra[name] for name in _RETURNED_FIELDS if name in completion.extra}
    if completion.reasoning:
        fields["reasoning_content"] = completion.reasoning
    return pack_opaque(fields) if fields else ""


def _answer_blocks(completion: Completion) -> list[dict[str, Any]]:
    text = completion.text or completion.refusal or ""
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    blocks += [block_from_call(call, position) for position, call in enumerate(completion.tool_calls)]
    if completion.function_call:
        blocks.append(block_from_call({"function": completion.function_call}))
    return blocks


def _stop_reason(completion: Completion) -> str:
    own = completion.beside.get("stop_reason")
    if isinstance(own, str):
        return own
    return "refusal" if completion.refusal else stop_reason_from_finish(completion.finish_reason)


def _build_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {**usage_from_chat(usage), "mom": usage["mom"]} if "mom" in usage else usage_from_chat(usage)


class MessageWriter:
    """Serializes a run's events as the events of a Messages stream.

    `work` maps an event to the text that the client sees as thinking.
    """

    def __init__(self, reply_id: str, model: str, work: ShownWork) -> None:
        self._reply_id = reply_id
        self._model = model
        self._work = work
        self._has_begun = False
        self._index = -1
        self._open: str | None = None
        self._has_signature = False
        self._has_text = False
        self._answer: Answered | None = None

    def opening(self) -> bytes:
        """Return `message_start`, whose usage is still zero; once."""
        if self._has_begun:
            return b""
        self._has_begun = True
        message: dict[str, Any] = {
            "id": self._reply_id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_from_chat({}),
        }
        return _event("message_start", message=message)

    def heartbeat(self) -> bytes:
        """Return a `ping`."""
        return self.opening() + PING

    def fail(self, error: ApiError) -> bytes:
        """Return an `error` event."""
        return _event("error", **{key: value for key, value in error_body(error).items() if key != "type"})

    def read(self, event: Event) -> bytes:
        """Return the events for a run's event; often b""."""
        match event:
            case TextDelta(text=text):
                return self._delta("text", {"type": "text_delta", "text": text})
            case Answered():
                self._answer = event
                return self._finish_blocks(event.completion)
        reasoning = self._work.read(event)
        shown = self._delta("thinking", {"type": "thinking_delta", "thinking": reasoning}) if reasoning else b""
        signature = event.signature if isinstance(event, ReasoningDelta) else ""
        return shown + self._close(signature) if signature and self._open == "thinking" else shown

    def _delta(self, kind: str, delta: Mapping[str, Any]) -> bytes:
        begin = b""
        if self._open != kind:
            block = {"type": "text", "text": ""} if kind == "text" else _EMPTY_THINKING
            begin = self._close() + self._start(block)
            self._open = kind
        self._has_text = self._has_text or kind == "text"
        return begin + _event("content_block_delta", index=self._index, delta=delta)

    def _start(self, block: Mapping[str, Any]) -> bytes:
        self._index += 1
        return _event("content_block_start", index=self._index, content_block=block)

    def _close(self, signature: str = "") -> bytes:
        if self._open is None:
            return b""
        signed = b""
        if self._open == "thinking" and signature:
            delta = {"type": "signature_delta", "signature": signature}
            signed = _event("content_block_delta", index=self._index, delta=delta)
            self._has_signature = True
        self._open = None
        return signed + _event("content_block_stop", index=self._index)

    def _finish_blocks(self, completion: Completion) -> bytes:
        """Return the remaining blocks: signatures, a refusal, and the tool calls."""
        parts = [self._close()]
        if completion.refusal and not self._has_text:
            parts += [self._delta("text", {"type": "text_delta", "text": completion.refusal}), self._close()]
        for block in [*self._late_thinking(completion), *_answer_blocks(completion)]:
            if block["type"] == "text":
                continue
            parts.append(self._whole_block(block))
        return b"".join(parts)

    def _late_thinking(self, completion: Completion) -> list[dict[str, Any]]:
        """Return thinking blocks that are complete only now: those with a signature of their own or of ours."""
        own = completion.extra.get("thinking_blocks")
        if isinstance(own, list):
            return [] if self._has_signature else [dict(block) for block in own]
        signature = _sign(completion)
        return [{"type": "thinking", "thinking": "", "signature": signature}] if signature else []

    def _whole_block(self, block: Mapping[str, Any]) -> bytes:
        match block["type"]:
            case "tool_use":
                begin = self._start({**block, "input": {}})
                middle = b"".join(
                    _event("content_block_delta", index=self._index, delta=_input_delta(part))
                    for part in split_text(encode_ascii(block["input"]), MAX_DELTA_CHARS)
                )
            case "thinking":
                begin = self._start(_EMPTY_THINKING)
                thought = {"type": "thinking_delta", "thinking": block.get("thinking", "")}
                signed = {"type": "signature_delta", "signature": block.get("signature", "")}
                middle = _event("content_block_delta", index=self._index, delta=thought) + _event(
                    "content_block_delta", index=self._index, delta=signed
                )
            case _:
                begin, middle = self._start(block), b""
        return begin + middle + _event("content_block_stop", index=self._index)

    def end(self, usage: Mapping[str, Any]) -> bytes:
        """Return `message_delta` with the stop reason and the usage, and `message_stop`."""
        completion = self._answer.completion if self._answer else Completion("")
        delta = {"stop_reason": _stop_reason(completion), "stop_sequence": completion.beside.get("stop_sequence")}
        report = self._work.report_field()
        return _event("message_delta", delta=delta, usage=_build_usage(usage), **report) + _event("message_stop")


_EMPTY_THINKING: Mapping[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}


def _input_delta(part: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": part}


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {encode_ascii({'type': kind, **fields})}\n\n".encode("ascii")
