"""Whether the configured models answer: each is asked for one token, beside all others, in a bounded time."""

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
_SOON_S = 0.01  # the loop's timers may be early by its clock's resolution
_FEW_TOKENS = 16  # what models that reason, or want a least number, take


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of asking one model.

    `problem` says why it does not answer, and what to do; "" where it does. `warning` is something to mend though it
    answers. `is_reached`: the upstream replied at all. `is_listed`: its list of models has this one, None where it
    gives no list. `seconds` is how long the answer took.
    """

    name: str
    problem: str = ""
    warning: str = ""
    is_reached: bool = False
    is_listed: bool | None = None
    seconds: float | None = None


class Checking:
    """Asks the models of a pool. `loaded` waits for an embedded model; "" once it is ready, else why it can't be.

    `proxies` are the environment's variables for proxies, to be named where one might have been needed. `limit_s`
    bounds each model, the loading of an embedded one apart.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        loaded: Callable[[Weights], Awaitable[str]],
        proxies: Sequence[str] = (),
        limit_s: float = LIMIT_S,
    ) -> None:
        self._pool = pool
        self._loaded = loaded
        self._proxies = proxies
        self._limit_s = limit_s

    async def findings(self, models: Iterable[Model]) -> list[Finding]:
        """Return what became of each model, in their order. Cancelling it ends every connection."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._finding(model)) for model in models]
        return [task.result() for task in tasks]

    async def _finding(self, model: Model) -> Finding:
        if model.weights is not None and (reason := await self._loaded(model.weights)):
            return Finding(model.name, problem=reason)
        deadline = self._pool.clock() + self._limit_s
        async with asyncio.TaskGroup() as group:
            listing = group.create_task(self._listed(model))
            asking = group.create_task(self._asked(model, deadline))
        listed, asked = listing.result(), asking.result()
        finding = Finding(
            model.name,
            is_reached=listed is not None or asked.is_reached,
            is_listed=None if listed is None else model.model in listed,
        )
        if asked.failure is not None:
            return replace(finding, problem=await self._problem(model, asked.failure, listed, deadline))
        warning = _misnamed(model) if asked.is_misnamed else ""
        if asked.is_misnamed and "max_tokens" in model.params:
            return replace(finding, problem=warning)
        return replace(finding, seconds=asked.seconds, warning=warning)

    async def _listed(self, model: Model) -> frozenset[str] | None:
        if model.weights is not None:
            return None
        return await model_list.listed(_endpoint(model), dict(headers_of(model)), timeout_s=self._limit_s / 2)

    async def _asked(self, model: Model, deadline: float) -> "_Asked":
        """Ask for one token; where the model objects to that, for a few, by the name that it wants."""
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

    async def _ask(self, model: Model, limit: dict[str, Any], deadline: float) -> "_Asked":
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
        return _Asked(self._pool.clock() - started, failure, is_reached)

    async def _problem(self, model: Model, error: CallError, listed: frozenset[str] | None, deadline: float) -> str:
        if error.kind is Kind.TIMEOUT and self._pool.clock() > deadline - _SOON_S:
            error = CallError(Kind.TIMEOUT, f"no answer within {self._limit_s:g} s")
        elsewhere = None
        if listed is None and model.weights is None and diagnosis.may_be_elsewhere(error):
            elsewhere = await self._elsewhere(model, deadline)
        return diagnosis.sentence(error, model, Circumstances(listed, elsewhere, self._proxies))

    async def _elsewhere(self, model: Model, deadline: float) -> str | None:
        """Return the likeliest base URL, on the same host, at which the same question is understood."""
        urls = diagnosis.guesses(model.base_url)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._understands(url, model, deadline)) for url in urls]
        return next((url for url, task in zip(urls, tasks, strict=True) if task.result()), None)

    async def _understands(self, base_url: str, model: Model, deadline: float) -> bool:
        endpoint = replace(_endpoint(model), base_url=base_url)

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
class _Asked:
    """How a question ended: after how many seconds, and why there is no answer, where there is none.

    `is_misnamed`: it is understood only with `max_completion_tokens`.
    """

    seconds: float
    failure: CallError | None
    is_reached: bool
    is_misnamed: bool = False


def _misnamed(model: Model) -> str:
    if "max_tokens" in model.params:
        return "takes no max_tokens: write max_completion_tokens under its params instead"
    return "takes no max_tokens: write params: {max_completion_tokens: N}, so that clients may send either"


def _endpoint(model: Model) -> Endpoint:
    return Endpoint(model.base_url, model.api_key)
