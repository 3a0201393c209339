"""Probes the configured models: asks all of them for one token at once, in a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from config.settings import Model, Weights
from upstream.calls import Attempt, Call
from upstream.doctor import diagnosis, model_list
from upstream.doctor.diagnosis import Circumstances
from upstream.errors import CallError, Kind
from upstream.http.client import ChatRequest, Endpoint, Upstream, headers_of
from upstream.http.timeouts import Timeouts
from upstream.openai.wire import TOKEN_LIMITS
from upstream.pool import Pool

LIMIT_S = 20.0
_QUESTION = ({"role": "user", "content": "Hi"},)
_TIMER_RESOLUTION_S = 0.01  # timers may fire early by the resolution of the loop's clock
_FEW_TOKENS = 16  # the least that reasoning models and some others accept


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of probing one model.

    `problem` is the cause and the remedy if the model does not answer, else "". `warning` is something to fix although
    it answers. `is_reached`: the upstream replied at all. `is_listed`: its list of models has this one; None if it
    gives no list. `seconds` is the duration of the answer.
    """

    name: str
    problem: str = ""
    warning: str = ""
    is_reached: bool = False
    is_listed: bool | None = None
    seconds: float | None = None


class Prober:
    """Probes the models of a pool.

    `wait_until_loaded` returns "" when an embedded model is ready, or the reason why it cannot be loaded. `proxies` are
    the proxy variables of the environment, named if a connection fails. `limit_s` bounds each probe, without the time
    that an embedded model takes to load.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        wait_until_loaded: Callable[[Weights], Awaitable[str]],
        proxies: Sequence[str] = (),
        limit_s: float = LIMIT_S,
    ) -> None:
        self._pool = pool
        self._wait_until_loaded = wait_until_loaded
        self._proxies = proxies
        self._limit_s = limit_s

    async def probe_all(self, models: Iterable[Model]) -> list[ProbeResult]:
        """Return the results in the order of the models. Cancellation closes every connection."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._probe(model)) for model in models]
        return [task.result() for task in tasks]

    async def _probe(self, model: Model) -> ProbeResult:
        if model.weights is not None and (reason := await self._wait_until_loaded(model.weights)):
            return ProbeResult(model.name, problem=reason)
        deadline = self._pool.clock() + self._limit_s
        async with asyncio.TaskGroup() as group:
            listing = group.create_task(self._fetch_ids(model))
            asking = group.create_task(self._ask_for_token(model, deadline))
        listed, answer = listing.result(), asking.result()
        result = ProbeResult(
            model.name,
            is_reached=listed is not None or answer.is_reached,
            is_listed=None if listed is None else model.model in listed,
        )
        if answer.failure is not None:
            return replace(result, problem=await self._explain(model, answer.failure, listed, deadline))
        warning = _explain_misnamed_limit(model) if answer.is_misnamed else ""
        if answer.is_misnamed and "max_tokens" in model.params:
            return replace(result, problem=warning)
        return replace(result, seconds=answer.seconds, warning=warning)

    async def _fetch_ids(self, model: Model) -> frozenset[str] | None:
        if model.weights is not None:
            return None
        return await model_list.fetch_model_ids(
            _endpoint_of(model), dict(headers_of(model)), timeout_s=self._limit_s / 2
        )

    async def _ask_for_token(self, model: Model, deadline: float) -> "_Answer":
        """Ask for one token; if the model objects to that, for a few, with the parameter name that it accepts."""
        limit = next((name for name in reversed(TOKEN_LIMITS) if name in model.params), "max_tokens")
        first = await self._ask(model, {limit: 1}, deadline)
        if first.failure is None or not diagnosis.objects_to_limit(first.failure):
            return first
        wants_other = limit == "max_tokens" and "max_completion_tokens" in first.failure.message
        limit = "max_completion_tokens" if wants_other else limit
        second = await self._ask(model, {limit: _FEW_TOKENS}, deadline)
        if second.failure is not None and diagnosis.is_cut_short(second.failure):
            second = replace(second, failure=None)
        return replace(second, is_misnamed=wants_other)

    async def _ask(self, model: Model, limit: dict[str, Any], deadline: float) -> "_Answer":
        params = {name: value for name, value in model.params.items() if name not in TOKEN_LIMITS}
        once = replace(model, params=params, retries=0, hedge_after_s=None)
        call = Call(once, "direct", _QUESTION, limit, deadline)
        started = self._pool.clock()
        failure = None
        try:
            await self._pool.complete(call)
        except CallError as error:
            failure = error
        is_reached = any(attempt.first_byte is not None for attempt in call.attempts)
        return _Answer(self._pool.clock() - started, failure, is_reached)

    async def _explain(self, model: Model, error: CallError, listed: frozenset[str] | None, deadline: float) -> str:
        if error.kind is Kind.TIMEOUT and self._pool.clock() > deadline - _TIMER_RESOLUTION_S:
            error = CallError(Kind.TIMEOUT, f"no answer within {self._limit_s:g} s")
        elsewhere = None
        if listed is None and model.weights is None and diagnosis.may_be_elsewhere(error):
            elsewhere = await self._find_base_url(model, deadline)
        return diagnosis.explain(error, model, Circumstances(listed, elsewhere, self._proxies))

    async def _find_base_url(self, model: Model, deadline: float) -> str | None:
        """Return the most likely base URL on the same host that understands the same request."""
        urls = diagnosis.guess_base_urls(model.base_url)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._understands(url, model, deadline)) for url in urls]
        return next((url for url, task in zip(urls, tasks, strict=True) if task.result()), None)

    async def _understands(self, base_url: str, model: Model, deadline: float) -> bool:
        endpoint = replace(_endpoint_of(model), base_url=base_url)

        async def located() -> Endpoint:
            return endpoint

        clock = self._pool.clock
        upstream = Upstream(located, clock=clock, timers=self._pool.timers)
        question = ChatRequest(_QUESTION, {"model": model.model, "max_tokens": 1}, headers_of(model))
        timeouts = Timeouts(total_s=max(1.0, deadline - clock()))
        try:
            await upstream.complete(question, timeouts=timeouts, attempt=Attempt(clock()))
        except CallError as error:
            return diagnosis.is_understood(error)
        finally:
            await upstream.close()
        return True


@dataclass(frozen=True, slots=True)
class _Answer:
    """The outcome of one request: its duration, and the error if it failed.

    `is_misnamed`: the model accepts the token limit only as `max_completion_tokens`.
    """

    seconds: float
    failure: CallError | None
    is_reached: bool
    is_misnamed: bool = False


def _explain_misnamed_limit(model: Model) -> str:
    if "max_tokens" in model.params:
        return "does not accept max_tokens: write max_completion_tokens under its params instead"
    return "does not accept max_tokens: write params: {max_completion_tokens: N}, so that clients may send either"


def _endpoint_of(model: Model) -> Endpoint:
    return Endpoint(model.base_url, model.api_key)
