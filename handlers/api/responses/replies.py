"""Build OpenAI Responses replies from events: a `response` object, or the same content as server-sent events. Pure.

Event sequence: https://platform.openai.com/docs/api-reference/responses-streaming. Codex reads only `output_item.done`
and `response.completed`; the SDKs want the whole sequence with its `sequence_number`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from handlers.api.client_api import Envelope
from handlers.api.reply.shown_work import ShownWork
from handlers.api.responses.parse import ResponsesRequest
from handlers.errors import ApiError
from runtime.json_codec import encode_ascii
from synth.events import Answered, Event, TextDelta
from synth.normalize import Completion, count_detail
from upstream.anthropic.blocks import pack_opaque

_RETURNED_FIELDS = ("reasoning_details", "extra_content", "thinking_blocks")
_FINAL_CODE = "invalid_prompt"
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def build_response(
    identity: "Identity", request: ResponsesRequest, answer: Answered, usage: Mapping[str, Any], work: ShownWork
) -> dict[str, Any]:
    """Return the `response` object. `usage` is that of Chat Completions; `work` is the work shown to the client."""
    completion = answer.completion
    output = [
        *_reasoning_items(identity, completion, work.full_text(completion)),
        *_message_items(identity, completion),
        *_call_items(identity, request, completion),
    ]
    response = _response(identity, request, _status(completion), output=output, usage=usage, completion=completion)
    return response | work.report_field()


class Identity:
    """The ids of a response and its items, its creation time in Unix seconds, and the model as the client named it."""

    def __init__(self, envelope: Envelope) -> None:
        self._suffix = envelope.reply_id.partition("-")[2]
        self.response_id = f"resp_{self._suffix}"
        self.created = envelope.created
        self.model = envelope.model

    def item_id(self, kind: str, position: int = 0) -> str:
        """Return the id of an item: `msg_…`, `rs_…`, `fc_…`."""
        return f"{kind}_{self._suffix}{position:02d}"


def _response(
    identity: Identity,
    request: ResponsesRequest,
    status: str,
    *,
    output: Sequence[Mapping[str, Any]] = (),
    usage: Mapping[str, Any] | None = None,
    completion: Completion | None = None,
) -> dict[str, Any]:
    reason = _INCOMPLETE.get(completion.finish_reason) if completion and status == "incomplete" else None
    return {
        "id": identity.response_id,
        "object": "response",
        "created_at": identity.created,
        "status": status,
        "error": None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "model": identity.model,
        "output": list(output),
        "usage": None if usage is None else _build_usage(usage),
        "previous_response_id": None,
        "store": False,
        **request.echo,
    }


def _status(completion: Completion) -> str:
    return "incomplete" if completion.finish_reason in _INCOMPLETE else "completed"


def _build_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    cached = count_detail(usage, "prompt_tokens_details", "cached_tokens")
    reasoning = count_detail(usage, "completion_tokens_details", "reasoning_tokens")
    found = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": prompt + completion,
    }
    return {**found, "mom": usage["mom"]} if "mom" in usage else found


def _reasoning_items(identity: Identity, completion: Completion, reasoning: str) -> list[dict[str, Any]]:
    packed = _pack(completion)
    if not reasoning and not packed:
        return []
    return [_reasoning_item(identity.item_id("rs"), reasoning, packed)]


def _reasoning_item(item_id: str, text: str, packed: str | None) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"id": item_id, "type": "reasoning", "summary": summary, "encrypted_content": packed}


def _pack(completion: Completion) -> str | None:
    """Pack the fields that the next turn must return to the model; only a turn with tool calls has a next one."""
    if not completion.tool_calls:
        return None
    fields = {name: completion.extra[name] for name in _RETURNED_FIELDS if name in completion.extra}
    if completion.reasoning:
        fields["reasoning_content"] = completion.reasoning
    return pack_opaque(fields) if fields else None


def _message_items(identity: Identity, completion: Completion) -> list[dict[str, Any]]:
    if completion.refusal:
        part: dict[str, Any] = {"type": "refusal", "refusal": completion.refusal}
    elif completion.text or not (completion.tool_calls or completion.function_call):
        part = _text_part(completion.text)
    else:
        return []
    return [_message_item(identity.item_id("msg"), "completed", [part])]


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message_item(item_id: str, status: str, content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": list(content)}


def _call_items(identity: Identity, request: ResponsesRequest, completion: Completion) -> list[dict[str, Any]]:
    calls: list[Mapping[str, Any]] = list(completion.tool_calls)
    if completion.function_call:
        calls.append({"function": completion.function_call})
    items = []
    for position, call in enumerate(calls):
        item = request.tools.item_from_call(call)
        kind = "ctc" if item["type"] == "custom_tool_call" else "fc"
        item_id = identity.item_id(kind, position)
        items.append({"id": item_id, "status": "completed", **item, "call_id": item["call_id"] or item_id})
    return items


class ResponseWriter:
    """Serializes a run's events as the events of a Responses stream.

    `work` maps an event to the text that the client sees as a reasoning summary.
    """

    def __init__(self, identity: Identity, request: ResponsesRequest, work: ShownWork) -> None:
        self._work = work
        self._identity = identity
        self._request = request
        self._sequence = 0
        self._output: list[dict[str, Any]] = []
        self._open: str | None = None
        self._pieces: list[str] = []
        self._answer: Answered | None = None
        self._is_announced = False

    def opening(self) -> bytes:
        """Return `response.created` and `response.in_progress`, once."""
        if self._is_announced:
            return b""
        self._is_announced = True
        response = _response(self._identity, self._request, "in_progress")
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def heartbeat(self) -> bytes:
        """Return an event that changes nothing."""
        if not self._is_announced:
            return self.opening()
        return self._event("response.in_progress", response=_response(self._identity, self._request, "in_progress"))

    def read(self, event: Event) -> bytes:
        """Return the events for a run's event; often b"". The first include the opening, as events are numbered."""
        match event:
            case TextDelta(text=text):
                return self.opening() + self._text(text)
            case Answered():
                self._answer = event
                return self.opening() + self._finish_items(event.completion)
        reasoning = self._work.read(event)
        return self.opening() + self._reasoning(reasoning) if reasoning else b""

    def _text(self, text: str) -> bytes:
        begin = b""
        if self._open != "text":
            begin = self._close() + self._open_item(_message_item(self._identity.item_id("msg"), "in_progress", []))
            part = {"item_id": self._item_id("msg"), "content_index": 0, "part": _text_part("")}
            begin += self._event("response.content_part.added", output_index=len(self._output), **part)
            self._open = "text"
        self._pieces.append(text)
        return begin + self._delta("response.output_text.delta", "msg", content_index=0, delta=text, logprobs=[])

    def _reasoning(self, text: str) -> bytes:
        begin = b""
        if self._open != "reasoning":
            begin = self._close() + self._open_item(_reasoning_item(self._item_id("rs"), "", None))
            part = {"item_id": self._item_id("rs"), "summary_index": 0, "part": {"type": "summary_text", "text": ""}}
            begin += self._event("response.reasoning_summary_part.added", output_index=len(self._output), **part)
            self._open = "reasoning"
        self._pieces.append(text)
        return begin + self._delta("response.reasoning_summary_text.delta", "rs", summary_index=0, delta=text)

    def _item_id(self, kind: str) -> str:
        return self._identity.item_id(kind, len(self._output) if kind == "rs" else 0)

    def _open_item(self, item: Mapping[str, Any]) -> bytes:
        return self._event("response.output_item.added", output_index=len(self._output), item=item)

    def _delta(self, kind: str, item_kind: str, **fields: Any) -> bytes:
        return self._event(kind, output_index=len(self._output), item_id=self._item_id(item_kind), **fields)

    def _close(self) -> bytes:
        """Return the events that complete the open item."""
        kind, text = self._open, "".join(self._pieces)
        self._open, self._pieces = None, []
        if kind == "text":
            part = _text_part(text)
            done = self._delta("response.output_text.done", "msg", content_index=0, text=text, logprobs=[])
            done += self._delta("response.content_part.done", "msg", content_index=0, part=part)
            return done + self._close_item(_message_item(self._item_id("msg"), "completed", [part]))
        if kind == "reasoning":
            part = {"type": "summary_text", "text": text}
            done = self._delta("response.reasoning_summary_text.done", "rs", summary_index=0, text=text)
            done += self._delta("response.reasoning_summary_part.done", "rs", summary_index=0, part=part)
            return done + self._close_item(_reasoning_item(self._item_id("rs"), text, None))
        return b""

    def _close_item(self, item: dict[str, Any]) -> bytes:
        done = self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return done

    def _finish_items(self, completion: Completion) -> bytes:
        """Return the remaining items: packed reasoning, a message without streamed text, and the calls."""
        has_text = self._open == "text" or any(item["type"] == "message" for item in self._output)
        parts = [self._close()]
        packed = _pack(completion)
        if packed is not None:
            parts.append(self._whole_item(_reasoning_item(self._item_id("rs"), "", packed)))
        if not has_text:
            parts += [self._whole_item(item) for item in _message_items(self._identity, completion)]
        for item in _call_items(self._identity, self._request, completion):
            parts.append(self._whole_call(item))
        return b"".join(parts)

    def _whole_item(self, item: dict[str, Any]) -> bytes:
        return self._open_item(item) + self._close_item(item)

    def _whole_call(self, item: dict[str, Any]) -> bytes:
        is_custom = item["type"] == "custom_tool_call"
        field, stem = ("input", "custom_tool_call_input") if is_custom else ("arguments", "function_call_arguments")
        begin = self._open_item({**item, "status": "in_progress", field: ""})
        facts = {"output_index": len(self._output), "item_id": item["id"]}
        middle = self._event(f"response.{stem}.delta", **facts, delta=item[field])
        middle += self._event(f"response.{stem}.done", **facts, name=item["name"], **{field: item[field]})
        return begin + middle + self._close_item(item)

    def end(self, usage: Mapping[str, Any]) -> bytes:
        """Return `response.completed`, or `response.incomplete` if the answer was cut off."""
        completion = self._answer.completion if self._answer else Completion("")
        status = _status(completion)
        response = _response(
            self._identity, self._request, status, output=self._output, usage=usage, completion=completion
        )
        return self._event(f"response.{status}", response=response | self._work.report_field())

    def fail(self, error: ApiError) -> bytes:
        """Return `response.failed`, with a code after which Codex shows the message and does not repeat the request."""
        begin = self.opening()
        response = _response(self._identity, self._request, "failed", output=self._output)
        code = error.code if error.code == "context_length_exceeded" else _FINAL_CODE
        response["error"] = {"code": code, "message": error.message}
        return begin + self._event("response.failed", response=response)

    def _event(self, kind: str, **fields: Any) -> bytes:
        data = encode_ascii({"type": kind, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        return f"event: {kind}\ndata: {data}\n\n".encode("ascii")
