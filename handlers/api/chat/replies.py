"""Build Chat Completions replies from events: a JSON body, or server-sent events with the same content."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.api.client_api import Envelope
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from runtime.json_codec import encode_ascii
from synth.authoring.client_stream import MAX_DELTA_CHARS, split_text
from synth.events import Answered, DecidedBy, Event, Finished, ReasoningDelta, TextDelta
from synth.normalize import Completion
from synth.request import ChatRequest


def build_completion(
    envelope: Envelope, finished: Finished, usage: Mapping[str, Any], work: ShownWork
) -> dict[str, Any]:
    """Return the `chat.completion` object."""
    return {
        **_upstream_fields(finished),
        "id": envelope.reply_id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [_build_choice(answer, work.full_text(answer.completion)) for answer in finished.answers],
        "usage": usage,
        **work.report_field(),
    }


def _upstream_fields(finished: Finished) -> Mapping[str, Any]:
    """Return further top-level fields of a single model's reply. A mixture's answer has several authors, hence none."""
    first = finished.answers[0]
    return first.completion.beside if first.decided_by is DecidedBy.MODEL else {}


def _message_fields(answer: Answered) -> dict[str, Any]:
    """Return the message fields unknown to the gateway.

    A mixture hides those that hold reasoning, except beside tool calls: providers refuse the next turn without them.
    """
    is_shown = answer.decided_by is DecidedBy.MODEL or _has_calls(answer.completion)
    hidden = () if is_shown else ("reasoning_details",)
    return {name: value for name, value in answer.completion.extra.items() if name not in hidden}


def _has_calls(completion: Completion) -> bool:
    return bool(completion.tool_calls or completion.function_call)


def _build_choice(answer: Answered, reasoning: str) -> dict[str, Any]:
    completion = answer.completion
    message: dict[str, Any] = {
        "role": "assistant",
        "content": _content(completion),
        "refusal": completion.refusal,
        **_message_fields(answer),
    }
    if not reasoning and _has_calls(completion):
        reasoning = completion.reasoning
    if reasoning:
        message["reasoning_content"] = reasoning
    if completion.tool_calls:
        message["tool_calls"] = list(completion.tool_calls)
    if completion.function_call:
        message["function_call"] = completion.function_call
    return {
        "index": answer.choice,
        "message": message,
        "logprobs": completion.logprobs,
        "finish_reason": completion.finish_reason,
    }


def _content(completion: Completion) -> str | list[Any] | None:
    if completion.media:
        return [*([{"type": "text", "text": completion.text}] if completion.text else []), *completion.media]
    return completion.text or (None if _has_calls(completion) or completion.refusal else "")


_AFTER_TEXT = '},"logprobs":null,"finish_reason":null}]}\n\n'


class ChunkWriter:
    """Serializes events as `chat.completion.chunk` server-sent events.

    The envelope is serialized once, so a text delta costs one JSON string. All output is ASCII, because some clients
    split lines at Unicode's line separators.
    """

    def __init__(self, envelope: Envelope, request: ChatRequest, work: ShownWork) -> None:
        head = {
            "id": envelope.reply_id,
            "object": "chat.completion.chunk",
            "created": envelope.created,
            "model": envelope.model,
        }
        self._head = f"data: {encode_ascii(head)[:-1]}"
        self._before_text = [f'{self._head},"choices":[{{"index":{n},"delta":{{"content":' for n in range(request.n)]
        self._n_choices = request.n
        self._includes_usage = request.include_usage
        self._work = work
        self._has_begun = False

    def opening(self) -> bytes:
        """Return the chunk that gives each choice its role; once."""
        if self._has_begun:
            return b""
        self._has_begun = True
        return b"".join(self._chunk(n, {"role": "assistant", "content": ""}) for n in range(self._n_choices))

    def read(self, event: Event) -> bytes:
        """Return the chunks for an event; often b""."""
        match event:
            case TextDelta(text=text, choice=choice):
                if len(text) <= MAX_DELTA_CHARS:
                    return f"{self._before_text[choice]}{json.dumps(text)}{_AFTER_TEXT}".encode("ascii")
                return b"".join(self._chunk(choice, {"content": part}) for part in split_text(text, MAX_DELTA_CHARS))
            case Answered():
                return self._finish_choice(event)
            case _:
                choice = event.choice if isinstance(event, ReasoningDelta) else 0
                return self._reasoning(choice, self._work.read(event))

    def _reasoning(self, choice: int, text: str) -> bytes:
        parts = split_text(text, MAX_DELTA_CHARS)
        return b"".join(self._chunk(choice, {"reasoning_content": part}) for part in parts)

    def _finish_choice(self, answer: Answered) -> bytes:
        completion, choice = answer.completion, answer.choice
        delta: dict[str, Any] = _message_fields(answer)
        chunks: list[bytes] = []
        if _has_calls(completion) and not self._work.shows_reasoning:
            chunks.append(self._reasoning(choice, completion.reasoning))
        if completion.media:
            delta["content"] = list(completion.media)
        if completion.refusal:
            delta["refusal"] = completion.refusal
        if completion.tool_calls:
            delta["tool_calls"] = [{**call, "index": n} for n, call in enumerate(completion.tool_calls)]
        if completion.function_call:
            delta["function_call"] = completion.function_call
        if delta or completion.logprobs:
            first, *others = _split_calls(delta)
            chunks.append(self._chunk(choice, first, logprobs=completion.logprobs))
            chunks += [self._chunk(choice, other) for other in others]
        return b"".join([*chunks, self._chunk(choice, {}, completion.finish_reason)])

    def heartbeat(self) -> bytes:
        """Return a comment, which SSE parsers skip."""
        return b": keep-alive\n\n"

    def end(self, usage: Mapping[str, Any]) -> bytes:
        """Return the chunk that carries the usage and the report, if the client asked for one, and the stream's end."""
        last = {**({"usage": usage} if self._includes_usage else {}), **self._work.report_field()}
        chunk = f'{self._head},"choices":[],{encode_ascii(last)[1:]}\n\n' if last else ""
        return f"{chunk}data: [DONE]\n\n".encode("ascii")

    def fail(self, error: ApiError) -> bytes:
        """Return the error as the last event, without `[DONE]`."""
        return error.sse()

    def _chunk(
        self, choice: int, delta: Mapping[str, Any], finish_reason: str | None = None, logprobs: Any = None
    ) -> bytes:
        choices: Sequence[Any] = [
            {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        ]
        return f'{self._head},"choices":{encode_ascii(choices)}}}\n\n'.encode("ascii")


def _split_calls(delta: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a delta with its tool calls, as several if their arguments are long."""
    later: list[dict[str, Any]] = []
    calls: list[Any] = []
    for call in delta.get("tool_calls", ()):
        first, *others = _split_arguments(call.get("function"))
        calls.append({**call, "function": first} if first is not None else call)
        later += [{"tool_calls": [{"index": call["index"], "function": other}]} for other in others]
    function, *others = _split_arguments(delta.get("function_call"))
    later += [{"function_call": other} for other in others]
    return [
        {**delta, **({"tool_calls": calls} if calls else {}), **({"function_call": function} if function else {})},
        *later,
    ]


def _split_arguments(function: Any) -> list[Any]:
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(arguments, str) or len(arguments) <= MAX_DELTA_CHARS:
        return [function]
    first, *others = split_text(arguments, MAX_DELTA_CHARS)
    return [{**function, "arguments": first}, *({"arguments": other} for other in others)]
