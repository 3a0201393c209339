"""Run the candidates of one request as they arrive, and rank them by what they did."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Hashable, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Protocol, Self

import structlog

from runtime.frozen import frozen
from runtime.sandbox.trials import Kind, Limits, Report, SandboxError, Session, unknown
from runtime.workers import WorkerPool
from synth.evidence import ranking
from synth.evidence.behaviour import NOTHING, Behaviour
from synth.evidence.checker import EditCheck
from synth.evidence.code_task import CodeTask
from synth.evidence.computing import compute
from synth.evidence.examples import Example
from synth.evidence.finding import describe, describe_failure
from synth.evidence.inquiry import Ranking, Standing, Subject
from synth.evidence.plan import Plan, read_reports

_log = structlog.get_logger(__name__)


class Task(Protocol):
    """The task of a request: the code that it asks for, and the examples that it gives."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """The examples that every candidate is tested with."""
        ...

    @property
    def can_rank(self) -> bool:
        """Whether the request itself gives examples or tests that can rank candidates."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether an answer could be run at all."""
        ...

    @property
    def learns_from_answers(self) -> bool:
        """Whether `with_answers` may add to the task."""
        ...

    def count_chars(self, text: str) -> int:
        """Return the number of characters to read for the plan of an answer."""
        ...

    def plan(self, text: str) -> Plan | None:
        """Return the plan for an answer, or None if it cannot be run."""
        ...

    def with_examples(self, examples: Sequence[Example]) -> Self:
        """Return the task with these examples of the request's instead."""
        ...

    def with_answers(self, texts: Sequence[str]) -> Self:
        """Return the task completed by all answers together."""
        ...


@frozen
class Preparation:
    """The task of a request, with the sandboxes and the check to run its candidates in."""

    task: Task
    sessions: Sequence[Session]
    check: EditCheck | None

    @property
    def can_rank(self) -> bool:
        """Whether the request shows examples or tests, or there is a checker for it."""
        return self.task.can_rank or self.check is not None

    @property
    def can_run(self) -> bool:
        """Whether there is anything to run, and something to run it in."""
        return bool(self.task.is_open and self.sessions) or self.check is not None


class Budget:
    """The time that the candidates of one request may still run; it is counted while they run."""

    def __init__(self, limits: Limits, request_s: float, deadline: float, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._request_s = request_s
        self._deadline = deadline
        self._clock = clock
        self.used_s = 0.0

    def limits(self) -> Limits | None:
        """Return the limits of the next candidate, or None if no time is left."""
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
    """The evidence on candidates that answer with Python code, or with edits of it. Implements Inquiry."""

    # The request is read while the panel answers it. Candidates that arrive before that has ended are kept, and begin
    # to run when it has. Only `rank` and `can_rank` wait for it.
    def __init__(
        self,
        prepare: Callable[[AsyncExitStack], Awaitable[Preparation]],
        budget: Budget,
        workers: WorkerPool | None = None,
    ) -> None:
        self._resources = AsyncExitStack()
        self._budget = budget
        self._workers = workers
        self._subjects: dict[str, Subject] = {}
        self._running: dict[Hashable, asyncio.Task[Behaviour]] = {}
        self._prepared: Preparation | None = None
        self._preparing = asyncio.create_task(self._prepare(prepare), name="evidence")

    async def can_rank(self) -> bool:
        """Return whether the request shows examples or tests, or there is a checker for it."""
        return (await self._wait_for_preparation()).can_rank

    def add(self, subject: Subject) -> None:
        """Begin to run a candidate, unless one with the same code runs already."""
        self._subjects[subject.name] = subject
        if self._prepared is not None:
            self._start(subject, self._prepared)

    async def rank(self, order: Sequence[str]) -> Ranking:
        """Wait for all candidates added so far, and rank them."""
        prepared = await self._learn_from_answers(await self._wait_for_preparation())
        if not self._running:
            return Ranking(tuple(map(Standing, self._subjects)))
        behaviours = {name: await self._running[subject.outcome] for name, subject in self._subjects.items()}
        places = {name: place for place, name in enumerate(order)}
        ranked = sorted(behaviours, key=lambda name: places.get(name, len(places)))
        found = ranking.rank([behaviours[name] for name in ranked], [self._subjects[name].voter for name in ranked])
        tiers = dict(zip(ranked, found.tiers, strict=True))
        return Ranking(
            standings=tuple(_stand(name, tiers[name], each, prepared) for name, each in behaviours.items()),
            by=found.by,
            n_ran=sum(each is not NOTHING for each in behaviours.values()),
            n_unknown=sum(each is not NOTHING and not each.is_known for each in behaviours.values()),
            run_s=self._budget.used_s,
            is_tested=prepared.can_rank,
        )

    async def aclose(self) -> None:
        """Cancel all that runs, and end the sessions of the sandboxes."""
        try:
            self._preparing.cancel()
            await self._cancel_all()
            await asyncio.wait([self._preparing])
        finally:
            await self._resources.aclose()

    async def _prepare(self, prepare: Callable[[AsyncExitStack], Awaitable[Preparation]]) -> Preparation:
        try:
            prepared = await prepare(self._resources)
        except Exception:  # noqa: BLE001 -- evidence is extra: the request is answered without it
            _log.exception("a request cannot be read; its candidates are not run")
            prepared = Preparation(CodeTask(), (), None)
        self._prepared = prepared
        self._start_all(prepared)
        return prepared

    def _start_all(self, prepared: Preparation) -> None:
        for subject in self._subjects.values():
            self._start(subject, prepared)

    def _start(self, subject: Subject, prepared: Preparation) -> None:
        if prepared.can_run and subject.outcome not in self._running:
            self._running[subject.outcome] = asyncio.create_task(self._observe(subject.text, prepared), name="evidence")

    async def _cancel_all(self) -> None:
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _wait_for_preparation(self) -> Preparation:
        """Return how candidates are run: as the request says, or as earlier answers have completed that."""
        first = await self._preparing
        return self._prepared or first

    async def _learn_from_answers(self, prepared: Preparation) -> Preparation:
        """Return the preparation to rank by; if all answers complete the task, run them again by it."""
        if not prepared.task.learns_from_answers:
            return prepared
        texts = [subject.text for subject in self._subjects.values()]
        if not texts or not all("def " in text for text in texts):
            return prepared
        task = await compute(self._workers, prepared.task.with_answers, texts, n_chars=sum(map(len, texts)))
        if task is None or task == prepared.task:
            return prepared
        await self._cancel_all()
        self._running.clear()
        self._prepared = learnt = replace(prepared, task=task)
        self._start_all(learnt)
        return learnt

    async def _observe(self, text: str, prepared: Preparation) -> Behaviour:
        if prepared.check is None:
            return await self._run_code(text, prepared)
        behaviour, checked = await asyncio.gather(self._run_code(text, prepared), prepared.check.check(text))
        return behaviour if checked is None else replace(behaviour, checked=checked)

    async def _run_code(self, text: str, prepared: Preparation) -> Behaviour:
        plan = await self._plan(text, prepared.task) if prepared.sessions else None
        if plan is None:
            return NOTHING
        best = NOTHING
        for session in prepared.sessions:
            behaviour = await self._run(session, plan, len(prepared.task.examples))
            if best is NOTHING or _n_unknown(behaviour) < _n_unknown(best):
                best = behaviour
            if not _n_unknown(best):
                break
        return best

    async def _plan(self, text: str, task: Task) -> Plan | None:
        return await compute(self._workers, task.plan, text, n_chars=task.count_chars(text))

    async def _run(self, session: Session, plan: Plan, n_examples: int) -> Behaviour:
        reports: list[Report] = []
        for part in plan.parts:
            limits = self._budget.limits()
            if limits is None:
                reports.append(Report(unknown("no time left")))
                continue
            try:
                with self._budget.counting():
                    reports.append(await session.observe(part.trial, limits))
            except SandboxError as error:
                _log.warning("a sandbox does not work; its candidates count as unknown", reason=str(error))
                return NOTHING
        return read_reports(plan, reports, n_examples)


def _stand(name: str, tier: int, behaviour: Behaviour, prepared: Preparation) -> Standing:
    examples = prepared.task.examples
    finding = describe(behaviour, examples)
    passed_all = prepared.can_rank and behaviour.passed_all
    output = "" if behaviour.checked is None else behaviour.checked.output
    return Standing(name, tier, finding, describe_failure(behaviour, examples), passed_all, output)


def _n_unknown(behaviour: Behaviour) -> int:
    """Return how much is not known; what does not load at all in this sandbox most of all."""
    return 10**6 if behaviour.loaded.kind is Kind.UNKNOWN else behaviour.n_unknown
