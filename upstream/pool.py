"""The upstreams by name: lifecycle, concurrency limits, retries inside a deadline, and the panel's gathering."""

import asyncio
import random as random_module
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, Protocol

import structlog

from config.settings import Model, Weights
from upstream import backoff, wire
from upstream.calls import Attempt, Call
from upstream.client import Endpoint, Upstream
from upstream.errors import CallError, Kind

_log = structlog.get_logger(__name__)

Outcome = dict[str, Any] | CallError

_SHORTEST_S = 0.001  # aiohttp takes 0 for "no limit"


class EmbeddedEndpoints(Protocol):
    """What the pool needs of the embedded models: where each one listens."""

    async def endpoint(self, weights: Weights) -> Endpoint:
        """Return where the child listens, waiting while it loads; CallError (not_ready) where it can't be."""
        ...


class Pool:
    """Every configured model's way out: one session per upstream, one limit per model.

    Build it inside a running loop; `close()` ends every connection. `clock`, `sleep` and `random` are the loop's
    time, asyncio's sleep and a source of floats in [0, 1), replaceable for tests.
    """

    def __init__(
        self,
        models: Iterable[Model],
        *,
        embedded: EmbeddedEndpoints | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.clock = clock or asyncio.get_running_loop().time
        self._sleep = sleep
        self._random = random
        self._upstreams: dict[tuple[str, str] | Weights, Upstream] = {}
        self._by_model: dict[str, Upstream] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        for model in models:
            self._by_model[model.name] = self._upstream_of(model, embedded)
            self._slots[model.name] = asyncio.Semaphore(model.max_concurrency)

    def _upstream_of(self, model: Model, embedded: EmbeddedEndpoints | None) -> Upstream:
        key = model.weights or (model.base_url, model.api_key.value if model.api_key else "")
        if key not in self._upstreams:
            self._upstreams[key] = Upstream(_locator(model, embedded), clock=self.clock)
        return self._upstreams[key]

    async def close(self) -> None:
        """Close every session. Calls still running fail; cancel them first."""
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams.values()))

    async def gather(self, calls: Sequence[Call]) -> AsyncGenerator[tuple[Call, Outcome]]:
        """Start all calls at once and yield each one's outcome as it settles: a checked completion or a CallError.

        Closing the generator cancels the calls that still run, and waits until their connections are closed.
        """
        tasks = {asyncio.create_task(self._settle(call)): call for call in calls}
        try:
            pending = set(tasks)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield tasks[task], task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self, call: Call) -> Outcome:
        try:
            return await self.complete(call)
        except CallError as error:
            return error

    async def complete(self, call: Call) -> dict[str, Any]:
        """Return the checked completion of a call, after as many attempts as its model allows; CallError else.

        An embedded model is asked for a stream, which stops when its reader leaves, and read to its end.
        """
        if call.model.weights is not None:
            return await self._assembled(call)
        with _recorded(call, self.clock):
            while True:
                try:
                    return await self._complete_once(call)
                except CallError as error:
                    pause_s = self._pause_before_retry(call, error)
                await self._sleep(pause_s)

    async def _assembled(self, call: Call) -> dict[str, Any]:
        assembler = wire.Assembler()
        async with aclosing(self.stream(call)) as chunks:
            async for chunk in chunks:
                assembler.feed(chunk)
        return assembler.completion()

    async def _complete_once(self, call: Call) -> dict[str, Any]:
        async with self._slot(call):
            with self._attempt(call) as attempt:
                completion = await self._by_model[call.model.name].complete(
                    _payload(call),
                    _headers(call.model),
                    timeout_s=self._timeout_s(call),
                    attempt=attempt,
                )
                attempt.usage = completion.get("usage")
                attempt.received_chars = wire.n_chars(completion["choices"][0]["message"])
                return completion

    async def stream(self, call: Call) -> AsyncGenerator[dict[str, Any]]:
        """Yield a call's checked chunks, among which is a finish_reason.

        An attempt that fails before its first content is retried as in `complete`; after it, CallError ends the
        stream. Close the generator (or cancel its reader) to close the connection.
        """
        with _recorded(call, self.clock):
            while True:
                flowing = False
                try:
                    async with aclosing(self._stream_once(call)) as chunks:
                        async for chunk in chunks:
                            flowing = True
                            yield chunk
                except CallError as error:
                    if flowing:
                        raise
                    pause_s = self._pause_before_retry(call, error)
                else:
                    return
                await self._sleep(pause_s)

    async def _stream_once(self, call: Call) -> AsyncGenerator[dict[str, Any]]:
        """Yield one attempt's chunks, holding them back until the first with content, so that a retry is unseen."""
        payload = {**_payload(call), "stream": True, "stream_options": {"include_usage": True}}
        if call.model.weights is not None:
            payload["return_progress"] = True  # else llama.cpp notices a cancelled call only after the whole prompt
        held: list[dict[str, Any]] | None = []
        finished = False
        async with self._slot(call):
            with self._attempt(call) as attempt:
                upstream = self._by_model[call.model.name]
                chunks = upstream.stream(
                    payload,
                    _headers(call.model),
                    timeout_s=self._timeout_s(call),
                    attempt=attempt,
                )
                async with aclosing(chunks):
                    async for chunk in chunks:
                        finished = _note(attempt, chunk) or finished
                        if held is not None:
                            held.append(chunk)
                            if not wire.has_content(chunk):
                                continue
                            for early in held:
                                yield early
                            held = None
                        else:
                            yield chunk
                if not finished:
                    raise CallError(Kind.TRUNCATED, "the stream ended without a finish_reason")
                for early in held or ():
                    yield early

    def _timeout_s(self, call: Call) -> float:
        remaining_s = call.deadline - self.clock()
        return max(_SHORTEST_S, min(call.model.timeout_s, remaining_s))

    def _pause_before_retry(self, call: Call, error: CallError) -> float:
        """Return the pause in seconds before the next attempt; raise `error` where there is to be none."""
        failed = len(call.attempts)
        if not error.retryable or failed > call.model.retries:
            raise error
        pause_s = backoff.pause_s(max(0, failed - 1), error.retry_after_s, self._random)
        if self.clock() + pause_s >= call.deadline:
            raise error
        if call.attempts:
            call.attempts[-1].pause_s = pause_s
        return pause_s

    @asynccontextmanager
    async def _slot(self, call: Call) -> AsyncGenerator[None]:
        """Hold one of the model's `max_concurrency` slots; CallError (timeout) where none gets free in time."""
        slots = self._slots[call.model.name]
        try:
            async with asyncio.timeout(call.deadline - self.clock()):
                await slots.acquire()
        except TimeoutError:
            raise CallError(Kind.TIMEOUT, "the deadline ran out before the call could start") from None
        try:
            yield
        finally:
            slots.release()

    @contextmanager
    def _attempt(self, call: Call) -> Iterator[Attempt]:
        """Record one attempt of a call, whichever way it ends."""
        attempt = Attempt(started=self.clock())
        call.attempts.append(attempt)
        try:
            yield attempt
        except CallError as error:
            error.message = _redacted(error.message, call.model)
            attempt.outcome, attempt.message = error.kind, error.message
            attempt.status = error.status or attempt.status
            raise
        except (asyncio.CancelledError, GeneratorExit):
            attempt.outcome = "cancelled"
            raise
        else:
            attempt.outcome = "ok"
        finally:
            attempt.ended = self.clock()
            _log.debug(
                "attempt",
                model=call.model.name,
                role=call.role,
                number=len(call.attempts),
                outcome=str(attempt.outcome),
                status=attempt.status,
                seconds=round(attempt.ended - attempt.started, 3),
                cause=attempt.message or None,
            )


@contextmanager
def _recorded(call: Call, clock: Callable[[], float]) -> Iterator[None]:
    """Record a call's start, end and outcome."""
    call.started = clock()
    try:
        yield
    except CallError as error:
        call.outcome = error.kind
        raise
    except (asyncio.CancelledError, GeneratorExit):
        call.outcome = "cancelled"
        raise
    else:
        call.outcome = "ok"
    finally:
        call.ended = clock()


def _note(attempt: Attempt, chunk: dict[str, Any]) -> bool:
    """Take down what a chunk says of usage and length; return whether it ends the answer."""
    if chunk.get("usage"):
        attempt.usage = chunk["usage"]
    finished = False
    for choice in chunk["choices"]:
        attempt.received_chars += wire.n_chars(choice["delta"])
        finished = finished or bool(choice.get("finish_reason"))
    return finished


def _payload(call: Call) -> dict[str, Any]:
    params = wire.merge_params(call.params, {**call.model.params, **call.overrides})
    return {"model": call.model.model, "messages": call.messages, **params}


def _headers(model: Model) -> dict[str, str]:
    return {name: secret.value for name, secret in model.headers.items()}


def _redacted(message: str, model: Model) -> str:
    """Take the model's own credentials out of what its upstream said."""
    for secret in filter(None, (model.api_key, *model.headers.values())):
        if secret.value:
            message = message.replace(secret.value, "[redacted]")
    return message


def _locator(model: Model, embedded: EmbeddedEndpoints | None) -> Callable[[], Awaitable[Endpoint]]:
    weights = model.weights
    if weights is not None:
        if embedded is None:
            raise ValueError(f"{model.name} is an embedded model, but the pool was given none")
        return lambda: embedded.endpoint(weights)
    endpoint = Endpoint(model.base_url, model.api_key)

    async def located() -> Endpoint:
        return endpoint

    return located
