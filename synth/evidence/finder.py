"""Find evidence on a request's candidates: read the request, run the candidates as they arrive, rank them."""

import asyncio
import time
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol, Self

import structlog

from config.settings import Checker
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
    """What a request says about the code that it wants."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """The examples that every candidate is tested with."""
        ...

    @property
    def can_rank(self) -> bool:
        """Whether the request itself shows anything by which candidates can be told apart."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether an answer could be run at all."""
        ...

    @property
    def learns_from_answers(self) -> bool:
        """Whether `with_answers` may say more than the request."""
        ...

    def count_chars(self, text: str) -> int:
        """Return how much there is to read for the plan of an answer."""
        ...

    def plan(self, text: str) -> Plan | None:
        """Return the plan for an answer, or None if there is nothing to run."""
        ...

    def with_examples(self, examples: Sequence[Example]) -> Self:
        """Return the task with these examples of the request's instead."""
        ...

    def with_answers(self, texts: Sequence[str]) -> Self:
        """Return the task with what all answers together say about it."""
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
        task = await self._read_request(request, contract)
        check = None if checker is None else await self._checks.prepare(checker, contract, deadline)
        if not (task.is_open or task.learns_from_answers or check):
            return None
        if task.examples:
            task = task.with_examples(self._choose_examples(task.examples))
        usable = [box for box in self._sandboxes if level == _FULL or box.name == MONTY]
        async with AsyncExitStack() as stack:
            sessions = [await stack.enter_async_context(box.session()) for box in usable]
            budget = _Budget(self._limits, self._request_s, deadline, self._clock)
            return CodeInquiry(task, sessions, budget, resources=stack.pop_all(), workers=self._workers, check=check)

    async def _read_request(self, request: ChatRequest, contract: Contract) -> Task:
        """Read the last message of the user; an empty task if it does not ask for code, or cannot be read."""
        text = find_last_request(request.messages)
        if contract.form is Form.EDITS and contract.edits is not None:
            n_chars = len(text) + contract.workspace.n_chars
            read = partial(read_edit_task, contract.edits, contract.workspace)
            return await compute(self._workers, read, text, n_chars=n_chars) or CodeTask()
        if contract.form not in (Form.CODE, Form.PLAIN):
            return CodeTask()
        mentions_code = _mentions_code(text)
        is_for_code = mentions_code or contract.form is Form.CODE
        if not mentions_code or "(" not in text:
            return CodeTask(is_for_code=is_for_code)
        task = await compute(self._workers, partial(read_code_task, is_for_code=is_for_code), text, n_chars=len(text))
        return task or CodeTask(is_for_code=is_for_code)


class _Budget:
    """The time that the candidates of one request may still run; it is counted while they run."""

    def __init__(self, limits: Limits, request_s: float, deadline: float, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._request_s = request_s
        self._deadline = deadline
        self._clock = clock
        self.used_s = 0.0

    def limits(self) -> Limits | None:
        """Return what the next candidate may use, or None if there is no time left."""
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

    def __init__(
        self,
        task: Task,
        sessions: Sequence[Session],
        budget: _Budget,
        *,
        resources: AsyncExitStack,
        workers: WorkerPool | None = None,
        check: EditCheck | None = None,
    ) -> None:
        self._resources = resources
        self._check = check
        self._task = task
        self._sessions = sessions
        self._budget = budget
        self._workers = workers
        self._subjects: dict[str, Subject] = {}
        self._running: dict[Hashable, asyncio.Task[Behaviour]] = {}

    @property
    def can_rank(self) -> bool:
        """Whether the request shows examples or tests, or there is a checker for it."""
        return self._task.can_rank or self._check is not None

    def add(self, subject: Subject) -> None:
        """Begin to run a candidate, unless one with the same code runs already."""
        self._subjects[subject.name] = subject
        is_open = (self._task.is_open and self._sessions) or self._check is not None
        if is_open and subject.outcome not in self._running:
            self._running[subject.outcome] = asyncio.create_task(self._observe(subject.text), name="evidence")

    async def rank(self, order: Sequence[str]) -> Ranking:
        """Wait for all candidates added so far, and rank them."""
        await self._learn_from_answers()
        if not self._running:
            return Ranking(tuple(map(Standing, self._subjects)))
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
            is_tested=self.can_rank,
        )

    async def aclose(self) -> None:
        """Cancel all running trials, and end the sessions of the sandboxes."""
        try:
            await self._cancel_all()
        finally:
            await self._resources.aclose()

    async def _cancel_all(self) -> None:
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _learn_from_answers(self) -> None:
        """If the answers together say more than the request, run them by that."""
        if not self._task.learns_from_answers:
            return
        texts = [subject.text for subject in self._subjects.values()]
        if len(texts) < 2 or not all("def " in text for text in texts):  # noqa: PLR2004 -- to compare
            return
        task = await compute(self._workers, self._task.with_answers, texts, n_chars=sum(map(len, texts)))
        if task is not None and task != self._task:
            await self._cancel_all()
            self._task = task
            self._running.clear()
            for subject in tuple(self._subjects.values()):
                self.add(subject)

    def _standing(self, name: str, tier: int, behaviour: Behaviour) -> Standing:
        examples = self._task.examples
        finding = describe(behaviour, examples)
        passed_all = self.can_rank and behaviour.passed_all
        output = "" if behaviour.checked is None else behaviour.checked.output
        return Standing(name, tier, finding, describe_failure(behaviour, examples), passed_all, output)

    async def _observe(self, text: str) -> Behaviour:
        if self._check is None:
            return await self._run_code(text)
        behaviour, checked = await asyncio.gather(self._run_code(text), self._check.check(text))
        return behaviour if checked is None else replace(behaviour, checked=checked)

    async def _run_code(self, text: str) -> Behaviour:
        plan = await self._plan(text) if self._sessions else None
        if plan is None:
            return NOTHING
        best = NOTHING
        for session in self._sessions:
            behaviour = await self._run(session, plan)
            if best is NOTHING or _n_unknown(behaviour) < _n_unknown(best):
                best = behaviour
            if not _n_unknown(best):
                break
        return best

    async def _plan(self, text: str) -> Plan | None:
        return await compute(self._workers, self._task.plan, text, n_chars=self._task.count_chars(text))

    async def _run(self, session: Session, plan: Plan) -> Behaviour:
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
        return read_reports(plan, reports, len(self._task.examples))


def _n_unknown(behaviour: Behaviour) -> int:
    """Return how much is not known; what does not load at all in this sandbox most of all."""
    return 10**6 if behaviour.loaded.kind is Kind.UNKNOWN else behaviour.n_unknown


def _mentions_code(text: str) -> bool:
    ends = text if len(text) <= 2 * _SEARCHED_CHARS else text[:_SEARCHED_CHARS] + text[-_SEARCHED_CHARS:]
    lowered = ends.lower()
    return any(mark in lowered for mark in ("def ", "`", "python", "function"))
