"""Find evidence on a request's candidates: read the request, run the candidates as they arrive, rank them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Hashable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace

import structlog

from runtime.frozen import frozen
from runtime.sandbox.monty import NAME as MONTY
from runtime.sandbox.trials import Kind, Limits, Sandbox, SandboxError, Session, Trial
from synth.contract.contract import Contract, Form
from synth.evidence import ranking
from synth.evidence.behaviour import NOTHING, Behaviour, plan_trial, read_report
from synth.evidence.examples import Example, read_examples
from synth.evidence.finding import describe, describe_failure
from synth.evidence.inputs import vary_calls
from synth.evidence.inquiry import Ranking, Standing, Subject
from synth.evidence.target import (
    Stub,
    choose_function,
    find_code,
    find_common_function,
    find_hints,
    find_stubs,
    read_source,
)
from synth.request import ChatRequest, text_of

_log = structlog.get_logger(__name__)

_FULL = "full"
_MAX_CALLS_SHOWN_TO_INPUTS = 8
_REQUEST_S = 3.0
_SHORT_CHARS = 4000


@frozen
class Task:
    """What a request says about the code that it wants: the function, its stub if it gives one, examples, inputs.

    `is_for_code`: the request demands code, though it may not say which function.
    """

    function: str = ""
    stub: Stub | None = None
    examples: tuple[Example, ...] = ()
    inputs: tuple[str, ...] = ()
    is_for_code: bool = False


def read_task(text: str) -> Task:
    """Return what the text of a request says. Pure; linear in its length."""
    stubs = find_stubs(text)
    function = choose_function(stubs, read_examples(text))
    if not function:
        return Task()
    stub = next((each for each in stubs if each.name == function), None)
    parameters = stub.parameters if stub else ()
    examples = read_examples(text, function=function, parameters=parameters)
    calls = [example.call for example in examples[:_MAX_CALLS_SHOWN_TO_INPUTS]]
    return Task(function, stub, examples, vary_calls(function, calls, stub.hints if stub else ()))


class Finder:
    """Implements EvidenceFinder with these sandboxes, the one that isolates by construction first.

    `limits` bound one candidate in one sandbox, `request_s` the seconds that all candidates of a request run together.
    `choose_examples` may leave some of a request's examples out, for a measurement of what they are worth.
    """

    def __init__(
        self,
        sandboxes: Sequence[Sandbox],
        *,
        limits: Limits | None = None,
        request_s: float = _REQUEST_S,
        clock: Callable[[], float] = time.monotonic,
        choose_examples: Callable[[tuple[Example, ...]], tuple[Example, ...]] = lambda examples: examples,
    ) -> None:
        self._choose_examples = choose_examples
        self._sandboxes = sandboxes
        self._limits = limits or Limits()
        self._request_s = request_s
        self._clock = clock

    @asynccontextmanager
    async def inquire(
        self, request: ChatRequest, contract: Contract, level: str, deadline: float
    ) -> AsyncGenerator["CodeInquiry"]:
        """Return the inquiry into a request's candidates; leaving it ends everything that still runs."""
        task = await _read_request(request, contract)
        task = replace(task, examples=self._choose_examples(task.examples))
        usable = [box for box in self._sandboxes if level == _FULL or box.name == MONTY]
        async with AsyncExitStack() as stack:
            sessions = [await stack.enter_async_context(box.session()) for box in usable]
            budget = _Budget(self._limits, self._request_s, deadline, self._clock)
            inquiry = CodeInquiry(task, sessions, budget)
            stack.push_async_callback(inquiry.close)
            yield inquiry


class _Budget:
    """The time that the candidates of one request may still run; it is counted while they run."""

    def __init__(self, limits: Limits, request_s: float, deadline: float, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._request_s = request_s
        self._deadline = deadline
        self._clock = clock
        self.used_s = 0.0

    def limits(self) -> Limits | None:
        """Return what the next candidate may use; None if there is no time left."""
        left = min(self._limits.trial_s, self._request_s - self.used_s, self._deadline - self._clock())
        return replace(self._limits, trial_s=left) if left > 0 else None

    @contextmanager
    def counting(self) -> Generator[None]:
        """Count the time of the block."""
        started = self._clock()
        try:
            yield
        finally:
            self.used_s += self._clock() - started


class CodeInquiry:
    """The evidence on candidates that answer with Python code. Implements Inquiry."""

    def __init__(self, task: Task, sessions: Sequence[Session], budget: _Budget) -> None:
        self._task = task
        self._sessions = sessions
        self._budget = budget
        self._subjects: dict[str, Subject] = {}
        self._running: dict[Hashable, asyncio.Task[Behaviour]] = {}

    @property
    def can_rank(self) -> bool:
        """Whether the request shows examples."""
        return bool(self._task.examples)

    def add(self, subject: Subject) -> None:
        """Begin to run a candidate, unless one with the same code runs already."""
        self._subjects[subject.name] = subject
        if self._task.function and subject.outcome not in self._running:
            self._running[subject.outcome] = asyncio.create_task(self._behaviour(subject.text), name="evidence")

    async def rank(self, order: Sequence[str]) -> Ranking:
        """Wait for all candidates added so far, and rank them."""
        if not self._task.function and self._task.is_for_code:
            self._take_function_of_candidates()
        behaviours = {
            name: await self._running[subject.outcome] if subject.outcome in self._running else NOTHING
            for name, subject in self._subjects.items()
        }
        places = {name: place for place, name in enumerate(order)}
        ranked = sorted(behaviours, key=lambda name: places.get(name, len(places)))
        found = ranking.rank([behaviours[name] for name in ranked], [self._subjects[name].voter for name in ranked])
        tiers = dict(zip(ranked, found.tiers, strict=True))
        return Ranking(
            standings=tuple(self._standing(name, tiers[name], each) for name, each in behaviours.items()),
            by=found.by,
            n_ran=sum(each is not NOTHING for each in behaviours.values()),
            n_unknown=sum(each is not NOTHING and not each.is_known for each in behaviours.values()),
            run_s=self._budget.used_s,
        )

    async def close(self) -> None:
        """End what still runs."""
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _take_function_of_candidates(self) -> None:
        """If the request names no function, take the one that all candidates define, and run them now."""
        sources = [read_source(subject.text) for subject in self._subjects.values()]
        function = find_common_function(sources)
        if function:
            inputs = vary_calls(function, (), find_hints(sources[0], function))
            self._task = replace(self._task, function=function, inputs=inputs)
            for subject in tuple(self._subjects.values()):
                self.add(subject)

    def _standing(self, name: str, tier: int, behaviour: Behaviour) -> Standing:
        examples = self._task.examples
        finding = describe(behaviour, examples)
        return Standing(name, tier, finding, describe_failure(behaviour, examples), behaviour.passed_all)

    async def _behaviour(self, text: str) -> Behaviour:
        task = self._task
        source = await asyncio.to_thread(find_code, text, task.function, task.stub)
        if source is None:
            return NOTHING
        trial, best = plan_trial(source, task.examples, task.inputs), NOTHING
        for session in self._sessions:
            behaviour = await self._run(session, trial)
            if best is NOTHING or _n_unknown(behaviour) < _n_unknown(best):
                best = behaviour
            if not _n_unknown(best):
                break
        return best

    async def _run(self, session: Session, trial: Trial) -> Behaviour:
        limits = self._budget.limits()
        if limits is None:
            return NOTHING
        try:
            with self._budget.counting():
                report = await session.observe(trial, limits)
        except SandboxError as error:
            _log.warning("a sandbox does not work; its candidates count as unknown", reason=str(error))
            return NOTHING
        return read_report(report, self._task.examples)


def _n_unknown(behaviour: Behaviour) -> int:
    """Return how much is not known; what does not load at all in this sandbox most of all."""
    return 10**6 if behaviour.loaded.kind is Kind.UNKNOWN else behaviour.n_unknown


async def _read_request(request: ChatRequest, contract: Contract) -> Task:
    """Read the last message of the user, in a thread if it is long; an empty task if it does not ask for code."""
    if contract.form not in (Form.CODE, Form.PLAIN):
        return Task()
    asked = next((each for each in reversed(request.messages) if each.get("role") == "user"), None)
    text = "" if asked is None else text_of(asked.get("content"))
    if not _may_ask_for_code(text):
        return Task(is_for_code=contract.form is Form.CODE)
    task = read_task(text) if len(text) < _SHORT_CHARS else await asyncio.to_thread(read_task, text)
    return replace(task, is_for_code=contract.form is Form.CODE)


def _may_ask_for_code(text: str) -> bool:
    return "(" in text and ("def " in text or "`" in text or "python" in text.lower() or "function" in text.lower())
