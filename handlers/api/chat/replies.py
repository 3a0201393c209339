"""Build Chat Completions replies from events: a JSON body, or server-sent events with the same content."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from config.settings import Mixture, Server
from handlers.request_record import as_number
from runtime.frozen import frozen
from runtime.json_codec import encode_ascii
from synth.events import (
    Answered,
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    DecidedBy,
    Event,
    Finished,
    LayerStarted,
    ProposerLeftOut,
    ReasoningDelta,
    ReviewArrived,
    ReviewFailed,
    TextDelta,
)
from synth.ledger import Ledger, estimate_prompt_tokens, estimate_tokens
from synth.normalize import Completion, count
from synth.request import ChatRequest
from upstream.calls import Call, Tokens


@frozen
class Envelope:
    """The fields that every part of a reply has: id, creation time in Unix seconds, model as the client named it."""

    reply_id: str
    created: int
    model: str


class ShownWork:
    """Collects `reasoning_content`, which is empty unless the mixture shows it.

    `show_reasoning` shows the reasoning of the answer's author, `show_work` the progress of the panel. A single model
    that was asked for by name shows its reasoning as it would without a gateway.
    """

    def __init__(self, mixture: Mixture | None) -> None:
        self.is_shown = mixture is not None and mixture.show_work
        self._shows_reasoning = mixture is None or mixture.show_reasoning
        self._notes: list[str] = []

    def read(self, event: Event) -> str:
        """Return the text that an event adds; often the empty string."""
        note = _describe_step(event) if self.is_shown else ""
        if note:
            self._notes.append(note)
        if isinstance(event, ReasoningDelta) and self._shows_reasoning:
            return event.text
        return note

    def full_text(self, completion: Completion) -> str:
        """Return the reasoning content of a complete answer."""
        return "".join(self._notes) + (completion.reasoning if self._shows_reasoning else "")


def _describe_step(event: Event) -> str:
    match event:
        case LayerStarted() | CandidateArrived() | CandidateFailed() | ProposerLeftOut():
            return _describe_panel_step(event)
        case AuthorStarted(call=call, choice=0):
            return f"{call.model.name} writes the answer.\n"
        case ReviewArrived(call=call, defects=defects, choice=0):
            return f"{call.name} found {len(defects) or 'no'} {'defect' if len(defects) == 1 else 'defects'}.\n"
        case ReviewFailed(model=model, error=error, choice=0):
            return f"{model} failed to look for defects: {error.kind}.\n"
        case _:
            return ""


def _describe_panel_step(event: LayerStarted | CandidateArrived | CandidateFailed | ProposerLeftOut) -> str:
    match event:
        case LayerStarted(layer=layer, letters=letters):
            return f"The panel is asked again, with its {len(letters)} answers (layer {layer}).\n"
        case CandidateArrived(call=call):
            return f"{call.name} answered ({_duration_s(call):.1f} s).\n"
        case CandidateFailed(call=call, error=error):
            return f"{call.name} failed: {error.kind} ({_duration_s(call):.1f} s).\n"
        case ProposerLeftOut(name=name, reason=reason):
            return f"{name} was not asked: {reason}.\n"


def _duration_s(call: Call) -> float:
    return (call.ended or 0.0) - (call.started or 0.0)


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
    }


def _upstream_fields(finished: Finished) -> Mapping[str, Any]:
    """Return further top-level fields of a single model's reply. A mixture's answer has several authors, hence none."""
    first = finished.answers[0]
    return first.completion.beside if first.decided_by is DecidedBy.MODEL else {}


def _message_fields(answer: Answered) -> dict[str, Any]:
    """Return the message fields that the gateway does not know; a mixture hides those that hold reasoning."""
    hidden = () if answer.decided_by is DecidedBy.MODEL else ("reasoning_details",)
    return {name: value for name, value in answer.completion.extra.items() if name not in hidden}


def _build_choice(answer: Answered, reasoning: str) -> dict[str, Any]:
    completion = answer.completion
    message: dict[str, Any] = {
        "role": "assistant",
        "content": _content(completion),
        "refusal": completion.refusal,
        **_message_fields(answer),
    }
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


def _content(completion: Completion) -> str | None:
    has_calls = completion.tool_calls or completion.function_call or completion.refusal
    return completion.text or (None if has_calls else "")


def build_usage(finished: Finished, ledger: Ledger, request: ChatRequest, server: Server) -> dict[str, Any]:
    """Return `usage`: at the top the counts that a client's context accounting needs, under `mom` the real total.

    At the top: the prompt tokens of the conversation as the best-ranked member of the panel counted them, and the
    completion tokens of the answer; or, with `server.usage: total`, the sums of all calls. A total has a `cost` only if
    all of its tokens have a price.
    """
    used = ledger.used()
    first = finished.answers[0]
    whole = {
        "calls": used.n_calls,
        **_token_counts(used.tokens),
        "estimated": used.tokens.estimated,
        **_cost_fields(used.cost, currency=server.currency),
        "models": {
            name: {"calls": each.n_calls, **_token_counts(each.tokens), **_cost_fields(each.cost)}
            for name, each in ledger.by_model().items()
        },
    }
    top = used.tokens
    if server.usage != "total":
        top = Tokens(_prompt_tokens(ledger, request), _completion_tokens(finished.answers))
    details = first.completion.usage_details if first.decided_by is DecidedBy.MODEL else {}
    return {**details, **_token_counts(top), "mom": whole}


def _token_counts(tokens: Tokens) -> dict[str, int]:
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
    }


def _cost_fields(cost: Decimal | None, **beside: str) -> dict[str, Any]:
    return {} if cost is None else {"cost": as_number(cost), **beside}


def _prompt_tokens(ledger: Ledger, request: ChatRequest) -> int:
    for call in ledger.calls:
        counted = count(call.usage, "prompt_tokens")
        if counted is not None and (call.role not in ("critic", "verifier") or call.messages is request.messages):
            return counted
    return estimate_prompt_tokens(request.messages)


def _completion_tokens(answers: Sequence[Answered]) -> int:
    n_tokens = 0
    for answer in answers:
        completion = answer.completion
        counted = completion.completion_tokens
        n_tokens += estimate_tokens(len(completion.text) + len(completion.reasoning)) if counted is None else counted
    return n_tokens


_AFTER_TEXT = '},"logprobs":null,"finish_reason":null}]}\n\n'


class ChunkWriter:
    """Serializes events as `chat.completion.chunk` server-sent events.

    The envelope is serialized once, so a text delta costs one JSON string. All output is ASCII, because some clients
    split lines at Unicode's line separators.
    """

    def __init__(self, envelope: Envelope, n_choices: int, work: ShownWork) -> None:
        head = {
            "id": envelope.reply_id,
            "object": "chat.completion.chunk",
            "created": envelope.created,
            "model": envelope.model,
        }
        self._head = f"data: {encode_ascii(head)[:-1]}"
        self._before_text = [f'{self._head},"choices":[{{"index":{n},"delta":{{"content":' for n in range(n_choices)]
        self._n_choices = n_choices
        self._work = work

    def opening(self) -> bytes:
        """Return the chunk that gives each choice its role."""
        return b"".join(self._chunk(n, {"role": "assistant", "content": ""}) for n in range(self._n_choices))

    def read(self, event: Event) -> bytes:
        """Return the chunks for an event; often none."""
        match event:
            case TextDelta(text=text, choice=choice):
                return f"{self._before_text[choice]}{json.dumps(text)}{_AFTER_TEXT}".encode("ascii")
            case Answered():
                return self._finish_choice(event)
            case _:
                shown = self._work.read(event)
                choice = event.choice if isinstance(event, ReasoningDelta) else 0
                return self._chunk(choice, {"reasoning_content": shown}) if shown else b""

    def _finish_choice(self, answer: Answered) -> bytes:
        completion = answer.completion
        delta: dict[str, Any] = _message_fields(answer)
        if completion.refusal:
            delta["refusal"] = completion.refusal
        if completion.tool_calls:
            delta["tool_calls"] = [{**call, "index": n} for n, call in enumerate(completion.tool_calls)]
        if completion.function_call:
            delta["function_call"] = completion.function_call
        chunk = self._chunk(answer.choice, delta, logprobs=completion.logprobs) if delta or completion.logprobs else b""
        return chunk + self._chunk(answer.choice, {}, completion.finish_reason)

    def usage(self, usage: Mapping[str, Any]) -> bytes:
        """Return the chunk that carries the usage and has no choices."""
        return f'{self._head},"choices":[],"usage":{encode_ascii(usage)}}}\n\n'.encode("ascii")

    def end(self) -> bytes:
        """Return the event that ends a complete stream."""
        return b"data: [DONE]\n\n"

    def _chunk(
        self, choice: int, delta: Mapping[str, Any], finish_reason: str | None = None, logprobs: Any = None
    ) -> bytes:
        choices: Sequence[Any] = [
            {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        ]
        return f'{self._head},"choices":{encode_ascii(choices)}}}\n\n'.encode("ascii")
