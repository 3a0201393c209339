"""The pool of upstreams, by model name: calls with their retries, and gathering several of them."""

import asyncio
import random as random_module
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Protocol

import structlog

from config.settings import Model, Weights
from runtime.slots import Slots
from runtime.timers import TimerWheel
from upstream import attempts
from upstream.attempts import Route
from upstream.breaker import Breaker, State, Status
from upstream.calls import Attempt, Call
from upstream.dialects import TOKEN_COUNT, dialect_of
from upstream.errors import CallError
from upstream.gathering import Gathering
from upstream.http.client import MAX_REPLY_BYTES, ChatRequest, Endpoint, Upstream, headers_of
from upstream.http.exchange import Exchange
from upstream.http.exchange_choice import choose_exchange
from upstream.http.timeouts import Timeouts
from upstream.openai.conversation import Conversation, Message
from upstream.openai.quirks import Quirk, QuirkMemory
from upstream.openai.stream_assembler import StreamAssembler
from upstream.prompt_cache import find_style
from upstream.retry_policy import RetryBudget
from upstream.retrying import Retrying

_log = structlog.get_logger(__name__)

MAX_UPSTREAM_CONCURRENCY = 256
_COUNT_S = 10.0  # longer is not worth waiting, as there is an estimate
_Chunk = dict[str, Any]
_Key = tuple[str, str] | Weights


class EmbeddedEndpoints(Protocol):
    """What the pool needs of the embedded models: the endpoint of each."""

    async def endpoint(self, weights: Weights) -> Endpoint:
        """Return the child's endpoint, after waiting while it loads. Raises CallError (not_ready) if unavailable."""
        ...


def _ignore_retry() -> None:
    """Default `on_retry`: do nothing."""


class Pool:
    """All configured models: a connection pool and a retry budget per upstream; slots and a breaker per model.

    Make it inside a running loop; `close()` ends every connection. `exchange` makes each upstream's HTTP client; None
    chooses one. `clock`, `sleep` and `random` are the monotonic clock, asyncio's sleep and a source of floats in [0,
    1), replaceable for tests. `timers` is the wheel that all timeouts share.
    """

    def __init__(
        self,
        models: Iterable[Model],
        *,
        embedded: EmbeddedEndpoints | None = None,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        max_upstream_concurrency: int = MAX_UPSTREAM_CONCURRENCY,
        exchange: Callable[[], Exchange] | None = None,
        quirks: QuirkMemory | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.clock = clock or time.monotonic  # the loop's clock, too
        self.timers = TimerWheel()
        self._sleep = sleep
        self._random = random
        self._max_reply_bytes = max_reply_bytes
        self._max_upstream_concurrency = max_upstream_concurrency
        self._exchange = exchange or choose_exchange()
        self._quirks = quirks or QuirkMemory()
        self._upstreams: dict[_Key, tuple[Upstream, Slots, RetryBudget]] = {}
        self._breakers: dict[tuple[_Key, str], Breaker] = {}
        self._models = {model.name: model for model in models}
        self._routes = {name: self._route(model, embedded) for name, model in self._models.items()}

    def _route(self, model: Model, embedded: EmbeddedEndpoints | None) -> Route:
        key: _Key = model.weights or (model.base_url, model.api_key.value if model.api_key else "")
        if key not in self._upstreams:
            locate = _locator(model, embedded)
            upstream = Upstream(
                locate,
                clock=self.clock,
                timers=self.timers,
                max_reply_bytes=self._max_reply_bytes,
                exchange=self._exchange,
            )
            shared = Slots(self._max_upstream_concurrency)
            self._upstreams[key] = upstream, shared, RetryBudget(self.clock)
        if (key, model.model) not in self._breakers:
            self._breakers[key, model.model] = Breaker(self.clock, _breaker_log(model))
        upstream, shared, budget = self._upstreams[key]
        slots, breaker = Slots(model.max_concurrency), self._breakers[key, model.model]
        quirks = self._quirks.of(model)
        style = find_style(model)
        return Route(upstream, headers_of(model), slots, shared, breaker, budget, quirks, self.clock, style)

    async def close(self) -> None:
        """Close every connection. Running calls fail; cancel them first."""
        await asyncio.gather(*(upstream.close() for upstream, _, _ in self._upstreams.values()))

    def breakers(self) -> Mapping[str, Status]:
        """Return the status of each model's circuit breaker, by the model's configured name.

        Two names for one model at one upstream share a breaker.
        """
        return {name: route.breaker.status() for name, route in self._routes.items()}

    def quirks(self) -> Mapping[str, tuple[Quirk, ...]]:
        """Return the quirks learnt from each model's refusals, by the model's configured name."""
        return {name: route.quirks.learnt() for name, route in self._routes.items()}

    def is_apart(self, model: str, others: Iterable[str]) -> bool:
        """Whether none of the other models has the same upstream."""
        upstream = self._routes[model].upstream
        return all(self._routes[other].upstream is not upstream for other in others)

    @asynccontextmanager
    async def connected(self, model: Model) -> AsyncGenerator[None]:
        """Connect to a model's upstream while the block runs, for a call that will follow; leaving cancels connecting.

        No request is sent, and failures are ignored: the call itself will report them.
        """
        route = self._routes[model.name]
        connecting = asyncio.create_task(
            route.upstream.connect(route.headers, dialect_of(model), model.connect_timeout_s)
        )
        try:
            yield
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    async def count_tokens(self, name: str, messages: Sequence[Message], tools: Sequence[Any]) -> int | None:
        """Return the prompt tokens as the model's upstream counts them, or None if it cannot, or fails to."""
        route, model = self._routes[name], self._models[name]
        if model.api != "messages":
            return None
        fields = {"model": model.model, **({"tools": tools} if tools else {})}
        request = ChatRequest(Conversation.of(messages), fields, route.headers, TOKEN_COUNT)
        timeouts = Timeouts(_COUNT_S, model.connect_timeout_s, None, None)
        try:
            reply = await route.upstream.ask(request, timeouts=timeouts, attempt=Attempt(started=self.clock()))
        except CallError:
            return None
        counted = reply.get("input_tokens") if isinstance(reply, dict) else None
        return counted if type(counted) is int else None

    def gather(self, calls: Sequence[Call]) -> Gathering:
        """Return the context in which all these calls run concurrently."""
        return Gathering(calls, self.complete, self.clock)

    async def complete(self, call: Call, *, on_retry: Callable[[], None] = _ignore_retry) -> dict[str, Any]:
        """Return the checked completion of a call, after at most as many attempts as its model allows; or CallError.

        `on_retry` is called before each retry. An embedded model is asked for a stream, which stops when its reader
        leaves.
        """
        if call.model.weights is not None:
            return await self._complete_by_stream(call, on_retry)
        attempt = partial(attempts.complete, self._routes[call.model.name], call)
        with _CallScope(call, self.clock):
            return await self._retrying(call, on_retry).first_good(attempt, _discard)

    async def _complete_by_stream(self, call: Call, on_retry: Callable[[], None]) -> dict[str, Any]:
        assembler = StreamAssembler()
        async with aclosing(self.stream(call, on_retry=on_retry)) as chunks:
            async for chunk in chunks:
                assembler.feed(chunk)
        return assembler.completion()

    async def stream(self, call: Call, *, on_retry: Callable[[], None] = _ignore_retry) -> AsyncGenerator[_Chunk]:
        """Yield a call's checked chunks, one of which has a finish_reason.

        An attempt that fails before its first content is retried as in `complete`; after that, CallError ends the
        stream. Closing the generator, or cancelling its reader, closes the connection.
        """
        route = self._routes[call.model.name]

        async def begin(*, hedge: bool) -> tuple[_Chunk, AsyncGenerator[_Chunk]]:
            chunks = attempts.stream(route, call, hedge=hedge)
            return await anext(chunks), chunks

        with _CallScope(call, self.clock):
            first, rest = await self._retrying(call, on_retry).first_good(begin, _close)
            async with aclosing(rest):
                yield first
                async for chunk in rest:
                    yield chunk

    def _retrying(self, call: Call, on_retry: Callable[[], None]) -> Retrying:
        return Retrying(self._routes[call.model.name], call, self._sleep, self._random, on_retry)


async def _discard(_completion: dict[str, Any]) -> None:
    """Discard the slower of two completions: there is nothing to close."""


async def _close(stream: tuple[_Chunk, AsyncGenerator[_Chunk]]) -> None:
    """Discard the slower of two streams."""
    await stream[1].aclose()


def _breaker_log(model: Model) -> Callable[[Status], None]:
    """Return a function that logs each change of a model's breaker."""

    def log(status: Status) -> None:
        facts = {"model": model.name, "upstream_model": model.model}
        if status.state is State.OPEN:
            _log.warning("breaker open", **facts, seconds=round(status.wait_s), reason=status.reason)
        else:
            _log.info(f"breaker {status.state.replace('_', ' ')}", **facts)

    return log


class _CallScope:
    """A call, as a context that records its start, end and outcome."""

    __slots__ = ("_call", "_clock")

    def __init__(self, call: Call, clock: Callable[[], float]) -> None:
        self._call = call
        self._clock = clock

    def __enter__(self) -> None:
        self._call.started = self._clock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        call = self._call
        call.ended = self._clock()
        if error is None:
            call.outcome = "ok"
        elif isinstance(error, CallError):
            call.outcome, call.cause = error.kind, error.message
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            call.outcome = "cancelled"


def _locator(model: Model, embedded: EmbeddedEndpoints | None) -> Callable[[], Endpoint | Awaitable[Endpoint]]:
    weights = model.weights
    if weights is not None:
        if embedded is None:
            raise ValueError(f"{model.name} is an embedded model, but the pool has none")
        return lambda: embedded.endpoint(weights)
    endpoint = Endpoint(model.base_url, model.api_key)
    return lambda: endpoint
