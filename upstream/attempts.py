"""One attempt at a call: its slots, the breaker's permission, the request, the record of its outcome."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import chain
from types import TracebackType
from typing import Any

import structlog

from config.settings import Model
from runtime.slots import Slots
from upstream.breaker import Breaker
from upstream.calls import Attempt, Call
from upstream.dialects import dialect_of
from upstream.errors import CallError, Kind
from upstream.http.client import ChatRequest, Headers, Upstream
from upstream.http.timeouts import Timeouts
from upstream.openai import wire
from upstream.openai.conversation import Conversation
from upstream.openai.finish_reasons import is_stated
from upstream.openai.quirks import ModelQuirks, fit
from upstream.openai.refusals import find_quirks
from upstream.openai.stream_assembler import HeldChunks, StreamAssembler
from upstream.openai.unopened_thought import ThoughtOpener, restore_opening
from upstream.prompt_cache import CacheStyle, prepare_for_cache
from upstream.redact import redact, secrets_of
from upstream.retry_policy import RetryBudget

_log = structlog.get_logger(__name__)

_TOO_LATE = (Kind.TIMEOUT, "the deadline passed before the call could start")
_USAGE_WAIT_S = 2.0
_MAX_CAUSE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Route:
    """How a model is reached, and what limits the traffic to it.

    All models of one upstream share its connections and its slots; those with the same id there also the breaker.
    """

    upstream: Upstream
    headers: Headers
    slots: Slots
    upstream_slots: Slots
    breaker: Breaker
    budget: RetryBudget
    quirks: ModelQuirks
    clock: Callable[[], float]
    cache_style: CacheStyle = CacheStyle.NONE


async def complete(route: Route, call: Call, *, hedge: bool = False) -> dict[str, Any]:
    """Return the checked completion of one attempt. Raises CallError on any failure."""
    if call.on_text is not None:
        return await _complete_by_stream(route, call, call.on_text, hedge=hedge)
    await _take_slots(route, call)
    request = _build_request(route, call)
    with _AttemptScope(route, call, request, Attempt(started=0.0, hedge=hedge)) as attempt:
        completion = await route.upstream.complete(request, timeouts=_timeouts(route, call), attempt=attempt)
        message = completion["choices"][0]["message"]
        _count_answer(attempt, wire.count_chars(message))
        attempt.stated_model = completion.get("model")
        if restore_opening(message):
            route.quirks.note_thought(call.model.name, is_unopened=True)
        return completion


async def _complete_by_stream(
    route: Route, call: Call, on_text: Callable[[int, str], None], *, hedge: bool
) -> dict[str, Any]:
    """Return the completion of one attempt that is asked as a stream; `on_text` receives its text as it comes."""
    assembler, attempt = StreamAssembler(), Attempt(started=0.0, hedge=hedge)
    chunks = _stream(route, call, attempt)
    async with aclosing(chunks):
        async for chunk in chunks:
            assembler.feed(chunk)
            for choice in chunk["choices"]:
                if text := choice["delta"].get("content"):
                    on_text(attempt.number, text)
    return assembler.completion()


def stream(route: Route, call: Call, *, hedge: bool = False) -> AsyncGenerator[dict[str, Any]]:
    """Yield the checked chunks of one attempt, from the first with content. Raises CallError as `complete` does."""
    return _stream(route, call, Attempt(started=0.0, hedge=hedge))


async def _stream(route: Route, call: Call, attempt: Attempt) -> AsyncGenerator[dict[str, Any]]:
    extra: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    if call.model.weights is not None:
        extra["return_progress"] = True  # without it llama.cpp notices a cancelled call only after the whole prompt
    # Chunks are held back until the first one with content. Upstreams send a role, empty deltas and reasoning early,
    # and may fail afterwards: overloaded models do. As long as nothing was yielded, the caller has sent nothing to its
    # own client either, so a failure can still be retried, and a hedge can take over, unnoticed. After the first
    # content there is no way back, because two attempts never write the same text. The chunks held back are small, and
    # holding them delays no content: a client has no use for a role alone.
    held: HeldChunks | None = HeldChunks()
    ending = _Ending()
    opener = ThoughtOpener(expects=route.quirks.opens_thought)
    await _take_slots(route, call)
    request = _build_request(route, call, **extra)
    with _AttemptScope(route, call, request, attempt):
        chunks = route.upstream.stream(request, timeouts=_timeouts(route, call, streamed=True), attempt=attempt)
        async with aclosing(chunks):
            while (chunk := await _next_chunk(chunks, is_finished=ending.only_usage_follows)) is not None:
                ending.note(attempt, chunk)
                chunk = opener.feed(chunk)
                if held is not None:
                    held.add(chunk)
                    if not wire.has_content(chunk, reasoning=call.shows_reasoning):
                        continue
                    attempt.stated_model = chunk.get("model")
                    for early in held.release():
                        yield early
                    held = None
                else:
                    yield chunk
        if not ending.has_reason:
            raise CallError(Kind.TRUNCATED, "the stream ended without a finish_reason")
        for late in chain(held.release() if held is not None else (), opener.end()):
            yield late
        if opener.is_unopened is not None:
            route.quirks.note_thought(call.model.name, is_unopened=opener.is_unopened)


async def _next_chunk(chunks: AsyncGenerator[dict[str, Any]], *, is_finished: bool) -> dict[str, Any] | None:
    """Return the next chunk, or None at the end.

    After its finish_reason an answer is complete, whatever becomes of the connection: only the usage may follow, and it
    is waited for briefly.
    """
    if not is_finished:
        return await anext(chunks, None)
    try:
        async with asyncio.timeout(_USAGE_WAIT_S):
            return await anext(chunks, None)
    except (TimeoutError, CallError):
        return None


def is_full(route: Route) -> bool:
    """Whether an attempt would have to wait for a slot."""
    return route.slots.is_full() or route.upstream_slots.is_full()


class _AttemptScope:
    """One attempt that holds its slots, as a context: asks the breaker for permission, and records the outcome.

    The slots are free again on leaving, and also if entering raises CallError because the breaker is open. If a part of
    the request is refused, the call learns which.
    """

    __slots__ = ("_attempt", "_call", "_request", "_route", "_ticket")

    def __init__(self, route: Route, call: Call, request: ChatRequest, attempt: Attempt) -> None:
        self._route = route
        self._call = call
        self._request = request
        self._attempt = attempt

    def __enter__(self) -> Attempt:
        route, call, attempt = self._route, self._call, self._attempt
        try:
            self._ticket = route.breaker.admit()
        except BaseException:
            _free_slots(route)
            raise
        if not call.attempts:
            route.budget.count_call()
        attempt.started = route.clock()
        call.attempts.append(attempt)
        attempt.number = len(call.attempts)
        return attempt

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        attempt = self._attempt
        _free_slots(self._route)
        attempt.ended = self._route.clock()
        try:
            self._end(error)
        finally:
            if logging.root.isEnabledFor(logging.DEBUG):
                self._log()

    def _end(self, error: BaseException | None) -> None:
        route, attempt = self._route, self._attempt
        if error is None:
            attempt.outcome = "ok"
            route.breaker.succeeded(self._ticket)
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            attempt.outcome = "cancelled"
            route.breaker.abandoned(self._ticket)
        elif isinstance(error, CallError):
            self._fail(error)
        elif isinstance(error, Exception):
            failure = CallError(Kind.UNPARSABLE, "the reply has an unexpected shape")
            self._fail(failure)
            # An unexpected reply must cost no more than its own answer. If the fault is ours, the log shows it.
            _log.warning("a reply could not be read", model=self._call.model.name, exc_info=error)
            raise failure from error
        else:
            route.breaker.abandoned(self._ticket)

    def _fail(self, error: CallError) -> None:
        attempt, call = self._attempt, self._call
        if error.body is not None:
            try:
                _learn_from_refusal(self._route, call, self._request, error)
            except Exception as fault:  # noqa: BLE001 -- what an upstream says must not cost more than this attempt
                _log.warning("a refusal could not be read", model=call.model.name, exc_info=fault)
        error.message = redact(error.message, secrets_of(call.model))[: wire.MAX_MESSAGE_CHARS]
        attempt.outcome, attempt.message = error.kind, error.message
        attempt.status = error.status or attempt.status
        self._route.breaker.failed(self._ticket, error.kind, _breaker_reason(error, call.model))

    def _log(self) -> None:
        attempt, model = self._attempt, self._call.model
        _log.debug(
            "attempt",
            model=model.name,
            role=self._call.role,
            number=attempt.number,
            hedge=attempt.hedge or None,
            outcome=str(attempt.outcome),
            status=attempt.status,
            seconds=round((attempt.ended or 0.0) - attempt.started, 3),
            cause=attempt.message or None,
        )


async def _take_slots(route: Route, call: Call) -> None:
    """Take one of the model's slots and one of its upstream's, in the order of arrival.

    CallError at once if the breaker is open, because the wait may be long; CallError at the deadline if no slot is free
    by then.
    """
    route.breaker.check()
    remaining_s = call.deadline - route.clock()
    if remaining_s <= 0:
        raise CallError(*_TOO_LATE)
    if route.slots.take():
        if route.upstream_slots.take():
            return
        route.slots.free()
    try:
        async with asyncio.timeout(remaining_s):
            await route.slots.wait()
            try:
                await route.upstream_slots.wait()  # second: a call that waits for its model must not block the others
            except BaseException:
                route.slots.free()
                raise
    except TimeoutError:
        raise CallError(*_TOO_LATE) from None


def _free_slots(route: Route) -> None:
    route.upstream_slots.free()
    route.slots.free()


def _count_answer(attempt: Attempt, n_chars: int) -> None:
    """Add to the length of an attempt's answer. Raises CallError (oversized) if no model would write as much."""
    attempt.received_chars += n_chars
    if attempt.received_chars > wire.MAX_ANSWER_CHARS:
        message = f"the answer has more than {wire.MAX_ANSWER_CHARS:,} characters of text, reasoning and arguments"
        raise CallError(Kind.OVERSIZED, message)


class _Ending:
    """The end of a stream: whether it has given a finish reason, and which chunks may still follow.

    Some upstreams give a reason early, or in every chunk. Once content has followed a reason, no reason of that stream
    means any more that `only_usage_follows`.
    """

    __slots__ = ("_reason_came_early", "has_reason", "only_usage_follows")

    def __init__(self) -> None:
        self.has_reason = self.only_usage_follows = self._reason_came_early = False

    def note(self, attempt: Attempt, chunk: dict[str, Any]) -> None:
        """Record the finish reason of a chunk, and in the attempt its usage and length."""
        attempt.usage = wire.read_usage(chunk) or attempt.usage
        for choice in chunk["choices"]:
            n_chars = wire.count_chars(choice["delta"])
            _count_answer(attempt, n_chars)
            if n_chars and self.only_usage_follows:
                self._reason_came_early, self.only_usage_follows = True, False
            if is_stated(choice.get("finish_reason")):
                self.has_reason, self.only_usage_follows = True, not self._reason_came_early


def _timeouts(route: Route, call: Call, *, streamed: bool = False) -> Timeouts:
    """Return the timeouts of one attempt: `timeout_s` limits a complete reply, and each silence of a stream."""
    model = call.model
    remaining_s = call.deadline - route.clock()
    silence_s = model.timeout_s if streamed else None
    return Timeouts(
        total_s=remaining_s if streamed else min(model.timeout_s, remaining_s),
        connect_s=model.connect_timeout_s,
        first_byte_s=model.first_byte_timeout_s or silence_s,
        idle_s=model.idle_timeout_s or silence_s,
    )


def _build_request(route: Route, call: Call, **extra: Any) -> ChatRequest:
    """Return the request in the form that this model accepts, as far as its quirks are known."""
    model = call.model
    params = wire.merge_params(call.params, {**model.params, **call.overrides})
    quirks = (*route.quirks.all(), *call.quirks)
    prepared = prepare_for_cache(route.cache_style, call.messages, {"model": model.model, **params, **extra}, quirks)
    conversation, fields = fit(quirks, *prepared)
    if isinstance(call.messages, Conversation) and call.messages.is_large:
        conversation.is_large = True
    return ChatRequest(conversation, fields, route.headers, dialect_of(model))


def _learn_from_refusal(route: Route, call: Call, request: ChatRequest, error: CallError) -> None:
    """Note in the call which part of a request was refused, if the body of the upstream's error says so.

    The error then `has_remedy`: asking once more without that part may succeed.
    """
    known = (*route.quirks.all(), *call.quirks)
    found = find_quirks(error.body, error.status, request.messages, request.fields, known)
    cause = redact(error.message, secrets_of(call.model))[:_MAX_CAUSE_CHARS]
    call.quirks += [replace(quirk, cause=cause) for quirk in found if quirk not in call.quirks]
    error.has_remedy = bool(found)


def _breaker_reason(error: CallError, model: Model) -> str:
    """Return the reason that an open breaker gives; for a refused key it names the key's source."""
    if error.kind is not Kind.AUTH:
        return error.message
    secrets = [model.api_key] if model.api_key else [*model.headers.values()]
    sources = ", ".join(dict.fromkeys(secret.source for secret in secrets))
    subject = f"the key from {sources} was refused" if sources else "a key is required, and none is configured"
    return f"{subject} (HTTP {error.status}: {error.message})"
