"""Probes the configured models: asks all of them at once, for one token and then as clients ask, in a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from config.settings import Model, Weights
from upstream.calls import Attempt, Call
from upstream.dialects import dialect_of
from upstream.doctor import diagnosis, model_list
from upstream.doctor.client_request import ClientRequest, Feature, build_request, join_labels, list_features
from upstream.doctor.diagnosis import Circumstances
from upstream.errors import CallError, Kind
from upstream.http.client import ChatRequest, Endpoint, Upstream, headers_of
from upstream.http.timeouts import Timeouts
from upstream.openai.conversation import Conversation
from upstream.openai.quirks import Quirk
from upstream.openai.wire import TOKEN_LIMITS
from upstream.pool import Pool

LIMIT_S = 20.0
_QUESTION = ({"role": "user", "content": "Hi"},)
_TIMER_RESOLUTION_S = 0.01  # timers may fire early by the resolution of the loop's clock
_FEW_TOKENS = 16  # the least that reasoning models and some others accept
_MAX_CAUSE_CHARS = 160
_PASSING = frozenset({Kind.RATE_LIMITED, Kind.TIMEOUT, Kind.CONNECT, Kind.DISCONNECTED, Kind.SERVER_ERROR})

Limit = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of probing one model.

    `problem` is the cause and the remedy if the model does not answer, else "". `warning` is a fault of a model that
    answers. `notes` are fields that it refuses, with what the gateway does about each. `is_reached`: the upstream
    replied at all. `is_listed`: its list of models has this one, or None if it gives no list. `seconds` is the
    duration of the answer. `is_offline`: the connection failed as if this machine had no network.
    """

    name: str
    problem: str = ""
    warning: str = ""
    notes: tuple[str, ...] = ()
    is_reached: bool = False
    is_listed: bool | None = None
    seconds: float | None = None
    is_offline: bool = False


class Prober:
    """Probes the models of a pool: for one token, and if a model answers, once more as a coding tool asks.

    `wait_until_loaded` returns "" when an embedded model is ready, or the reason why it cannot be loaded. `proxies` are
    the proxy variables of the environment, named if a connection fails. `limit_s` bounds each request, without the time
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
            problem = await self._explain(model, answer.failure, listed, deadline)
            return replace(result, problem=problem, is_offline=diagnosis.is_without_network(answer.failure))
        warning = await self._ask_as_clients_do(model, answer.limit, self._pool.clock() + self._limit_s)
        notes = self._describe_quirks(model, answer.quirks)
        return replace(result, seconds=answer.seconds, warning=warning, notes=notes)

    async def _ask_as_clients_do(self, model: Model, limit: Limit, deadline: float) -> str:
        """Send a request like a coding tool's; return a warning if the model does not answer it, else "".

        The pool leaves out or renames the fields that a refusal names, and remembers that. If that does not help, each
        feature is tried alone, so that the warning can name the refused one.
        """
        features = list_features(model)
        failure = (await self._ask(model, build_request(features, limit), deadline)).failure
        if failure is None or diagnosis.is_cut_short(failure):
            return ""
        if failure.kind in _PASSING:
            return f"answered once, but not a second request ({diagnosis.quote(failure)})"
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(model, build_request([each], limit), deadline)) for each in features]
        refused = [feature for feature, task in zip(features, tasks, strict=True) if _is_refusal(task.result().failure)]
        return _warn_of_refused(refused or features, failure, is_one=bool(refused))

    def _describe_quirks(self, model: Model, others: Iterable[Quirk]) -> tuple[str, ...]:
        """Return a sentence for each refusal that the pool has learnt to avoid, and for `others`."""
        notes = []
        for quirk in dict.fromkeys([*self._pool.quirks()[model.name], *others]):
            advice = f"; to avoid the refusal, write {quirk.config()}" if quirk.config() else ""
            cause = f' ("{_shorten(quirk.cause)}")' if quirk.cause else ""
            notes.append(f"{quirk.describe()}{cause}{advice}")
        return tuple(notes)

    async def _fetch_ids(self, model: Model) -> frozenset[str] | None:
        if model.weights is not None:
            return None
        return await model_list.fetch_model_ids(
            _endpoint_of(model),
            dict(headers_of(model)),
            dialect=dialect_of(model),
            provider=model.provider,
            timeout_s=self._limit_s / 2,
            connect_s=model.connect_timeout_s,
        )

    async def _ask_for_token(self, model: Model, deadline: float) -> "_Answer":
        """Ask for one token, or for a few if the model refuses so low a limit."""
        name = next((name for name in reversed(TOKEN_LIMITS) if name in model.params), "max_tokens")
        first = await self._ask(model, ClientRequest(_QUESTION, {name: 1}, streams=False), deadline)
        few = {name: _FEW_TOKENS}
        if first.failure is None or not diagnosis.objects_to_limit(first.failure):
            return replace(first, limit=few)
        second = await self._ask(model, ClientRequest(_QUESTION, few, streams=False), deadline)
        if second.failure is not None and diagnosis.is_cut_short(second.failure):
            second = replace(second, failure=None)
        return replace(second, limit=few)

    async def _ask(self, model: Model, request: ClientRequest, deadline: float) -> "_Answer":
        params = {name: value for name, value in model.params.items() if name not in TOKEN_LIMITS}
        once = replace(model, params=params, retries=0, hedge_after_s=None)
        call = Call(once, "direct", request.messages, request.params, deadline)
        started = self._pool.clock()
        failure = None
        try:
            await (self._read_stream(call) if request.streams else self._pool.complete(call))
        except CallError as error:
            failure = error
        is_reached = any(attempt.first_byte is not None for attempt in call.attempts)
        return _Answer(self._pool.clock() - started, failure, is_reached, quirks=tuple(call.quirks))

    async def _read_stream(self, call: Call) -> None:
        async with aclosing(self._pool.stream(call)) as chunks:
            async for _ in chunks:
                pass

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
        question = ChatRequest(Conversation(_QUESTION), {"model": model.model, "max_tokens": 1}, headers_of(model))
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
    """The outcome of one request: its duration, the error if it failed, and the token limit for further requests.

    `quirks` are the adaptations of the request, also if it failed for another reason in the end.
    """

    seconds: float
    failure: CallError | None
    is_reached: bool
    limit: Limit = field(default_factory=dict)
    quirks: tuple[Quirk, ...] = ()


def _is_refusal(failure: CallError | None) -> bool:
    return failure is not None and failure.kind not in _PASSING and not diagnosis.is_cut_short(failure)


def _warn_of_refused(features: Sequence[Feature], failure: CallError, *, is_one: bool) -> str:
    """Return the warning that a model refuses each of these features, or (not `is_one`) only all of them together."""
    what = join_labels(features) if is_one else f"{join_labels(features)} in one request"
    remedies = "; ".join(feature.remedy for feature in features) if is_one else "requests of coding tools will fail"
    return f"refuses {what} ({_shorten(diagnosis.quote(failure))}): {remedies}"


def _shorten(text: str) -> str:
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= _MAX_CAUSE_CHARS else f"{line[:_MAX_CAUSE_CHARS]}…"


def _endpoint_of(model: Model) -> Endpoint:
    return Endpoint(model.base_url, model.api_key)
