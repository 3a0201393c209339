"""Find evidence on a request's candidates: read the request, run the candidates as they arrive, rank them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Hashable, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol, Self

import structlog

from config.settings import Checker
from runtime.frozen import frozen
from runtime.sandbox.commands import run_in_copy
from runtime.sandbox.monty import NAME as MONTY
from runtime.sandbox.trials import Kind, Limits, Report, Sandbox, SandboxError, Session, unknown
from runtime.workers import WorkerPool
from synth.contract.contract import Contract, Form
from synth.evidence import ranking
from synth.evidence.behaviour import NOTHING, Behaviour
from synth.evidence.checker import Checks, EditCheck, RunCommand
from synth.evidence.code_task import CodeTask, read_code_task
from synth.evidence.computing import compute
from synth.evidence.edit_task import read_edit_task
from synth.evidence.examples import Example
from synth.evidence.finding import describe, describe_failure
from synth.evidence.inquiry import Ranking, Standing, Subject
from synth.evidence.plan import Plan, read_reports
from synth.request import ChatRequest, find_last_request

_log = structlog.get_logger(__name__)

_FULL = "full"
_REQUEST_S = 3.0
_SEARCHED_CHARS = 50_000  # at each end of a long text


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


class Finder:
    """Implements EvidenceFinder with these sandboxes, the one that isolates by construction first.

    `limits` bound one candidate in one sandbox, `request_s` the seconds that all candidates of a request run together.
    Long texts are read in `workers`, or without them in a thread. `choose_examples` may leave some of a request's
    examples out, for a measurement of what they are worth; `run_command` runs a checker's command.
    """

    def __init__(
        self,
        sandboxes: Sequence[Sandbox],
        *,
        limits: Limits | None = None,
        request_s: float = _REQUEST_S,
        clock: Callable[[], float] = time.monotonic,
        choose_examples: Callable[[tuple[Example, ...]], tuple[Example, ...]] = lambda examples: examples,
        run_command: RunCommand = run_in_copy,
        workers: WorkerPool | None = None,
    ) -> None:
        self._workers = workers
        self._choose_examples = choose_examples
        self._checks = Checks(clock, run_command, workers)
        self._sandboxes = sandboxes
        self._limits = limits or Limits()
        self._request_s = request_s
        self._clock = clock

    async def inquire(
        self, request: ChatRequest, contract: Contract, level: str, deadline: float, checker: Checker | None = None
    ) -> "CodeInquiry | None":
        """Return the inquiry into a request's candidates, which the caller closes, or None if nothing can be run."""
        text = find_last_request(request.messages)
        wants_code = _may_want_code(text, contract)
        if checker is None and not wants_code:
            return None

        async def prepare(resources: AsyncExitStack) -> _Prepared:
            # Let the panel's calls leave first: their tasks are ready by now, and reading a request takes longer than
            # sending it.
            await asyncio.sleep(0)
            task = await self._read_request(text, contract) if wants_code else CodeTask()
            check = None if checker is None else await self._checks.prepare(checker, contract, deadline)
            if task.examples:
                task = task.with_examples(self._choose_examples(task.examples))
            if not (task.is_open or task.learns_from_answers):
                return _Prepared(task, (), check)
            usable = [box for box in self._sandboxes if level == _FULL or box.name == MONTY]
            sessions = [await resources.enter_async_context(box.session()) for box in usable]
            return _Prepared(task, sessions, check)

        budget = _Budget(self._limits, self._request_s, deadline, self._clock)
        return CodeInquiry(prepare, budget, self._workers)

    async def _read_request(self, text: str, contract: Contract) -> Task:
        """Read the last message of the user; an empty task if it cannot be read."""
        if contract.form is Form.EDITS and contract.edits is not None:
            n_chars = len(text) + contract.workspace.n_chars
            read = partial(read_edit_task, contract.edits, contract.workspace)
            return await compute(self._workers, read, text, n_chars=n_chars) or CodeTask()
        if not _mentions_code(text) or "(" not in text:
            return CodeTask(is_for_code=True)
        task = await compute(self._workers, partial(read_code_task, is_for_code=True), text, n_chars=len(text))
        return task or CodeTask(is_for_code=True)


@frozen
class _Prepared:
    """All that a request's candidates are run by."""

    task: Task
    sessions: Sequence[Session]
    check: EditCheck | None

    @property
    def can_rank(self) -> bool:
        return self.task.can_rank or self.check is not None

    @property
    def can_run(self) -> bool:
        return bool(self.task.is_open and self.sessions) or self.check is not None


class _Budget:
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
        prepare: Callable[[AsyncExitStack], Awaitable[_Prepared]],
        budget: _Budget,
        workers: WorkerPool | None = None,
    ) -> None:
        self._resources = AsyncExitStack()
        self._budget = budget
        self._workers = workers
        self._subjects: dict[str, Subject] = {}
        self._running: dict[Hashable, asyncio.Task[Behaviour]] = {}
        self._prepared: _Prepared | None = None
        self._preparing = asyncio.create_task(self._prepare(prepare), name="evidence")

    async def can_rank(self) -> bool:
        """Return whether the request shows examples or tests, or there is a checker for it."""
        return (await self._preparing).can_rank

    def add(self, subject: Subject) -> None:
        """Begin to run a candidate, unless one with the same code runs already."""
        self._subjects[subject.name] = subject
        if self._prepared is not None:
            self._start(subject, self._prepared)

    async def rank(self, order: Sequence[str]) -> Ranking:
        """Wait for all candidates added so far, and rank them."""
        await self._preparing
        prepared = await self._learn_from_answers()
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

    async def _prepare(self, prepare: Callable[[AsyncExitStack], Awaitable[_Prepared]]) -> _Prepared:
        self._prepared = prepared = await prepare(self._resources)
        self._start_all(prepared)
        return prepared

    def _start_all(self, prepared: _Prepared) -> None:
        for subject in self._subjects.values():
            self._start(subject, prepared)

    def _start(self, subject: Subject, prepared: _Prepared) -> None:
        if prepared.can_run and subject.outcome not in self._running:
            self._running[subject.outcome] = asyncio.create_task(self._observe(subject.text, prepared), name="evidence")

    async def _cancel_all(self) -> None:
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _learn_from_answers(self) -> _Prepared:
        """Return the preparation to rank by; if all answers complete the task, run them again by it."""
        assert self._prepared is not None  # noqa: S101 -- the caller has waited for it
        prepared = self._prepared
        if not prepared.task.learns_from_answers:
            return prepared
        texts = [subject.text for subject in self._subjects.values()]
        if len(texts) < 2 or not all("def " in text for text in texts):  # noqa: PLR2004 -- to compare
            return prepared
        task = await compute(self._workers, prepared.task.with_answers, texts, n_chars=sum(map(len, texts)))
        if task is None or task == prepared.task:
            return prepared
        await self._cancel_all()
        self._running.clear()
        self._prepared = learnt = replace(prepared, task=task)
        self._start_all(learnt)
        return learnt

    async def _observe(self, text: str, prepared: _Prepared) -> Behaviour:
        if prepared.check is None:
            return await self._run_code(text, prepared)
        behaviour, checked = await asyncio.gather(self._run_code(text, prepared), prepared.check.check(text))
        return behaviour if checked is None else replace(behaviour, checked=checked)

    async def _run_code(self, text: str, prepared: _Prepared) -> Behaviour:
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


def _stand(name: str, tier: int, behaviour: Behaviour, prepared: _Prepared) -> Standing:
    examples = prepared.task.examples
    finding = describe(behaviour, examples)
    passed_all = prepared.can_rank and behaviour.passed_all
    output = "" if behaviour.checked is None else behaviour.checked.output
    return Standing(name, tier, finding, describe_failure(behaviour, examples), passed_all, output)


def _n_unknown(behaviour: Behaviour) -> int:
    """Return how much is not known; what does not load at all in this sandbox most of all."""
    return 10**6 if behaviour.loaded.kind is Kind.UNKNOWN else behaviour.n_unknown


def _may_want_code(text: str, contract: Contract) -> bool:
    """Whether candidates for a request may hold Python, as far as a look at it shows."""
    if contract.form is Form.PLAIN:
        return _mentions_code(text)
    return contract.form is Form.CODE or (contract.form is Form.EDITS and contract.edits is not None)


def _mentions_code(text: str) -> bool:
    ends = text if len(text) <= 2 * _SEARCHED_CHARS else text[:_SEARCHED_CHARS] + text[-_SEARCHED_CHARS:]
    lowered = ends.lower()
    return any(mark in lowered for mark in ("def ", "`", "python", "function"))
