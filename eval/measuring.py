"""Putting every item to every arm, and grading the answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from config.settings import Checker, Mixture, Settings
from eval.arms import Arm, Examples, choose_examples
from eval.asking import Answer, Conditions, Setting, ask, ask_panel
from eval.items import Item
from eval.record import NotRecordedError, Record, Recorder, ReplayPool, digest
from eval.virtual_time import VirtualTimeLoop, run_in_virtual_time
from runtime.sandbox import programs
from runtime.sandbox.commands import Command, Finished, run_in_copy
from runtime.sandbox.forks import ForkSandbox
from runtime.sandbox.monty import MontySandbox
from runtime.sandbox.namespaces import Isolation, isolation
from runtime.sandbox.programs import Program, Verdict
from runtime.sandbox.trials import Limits, Report, Sandbox, Session, Trial
from synth.evidence.finder import Finder
from upstream.calls import Call
from upstream.errors import CallError

Grade = Callable[[Program], Verdict]

ANY_CANDIDATE = "any candidate"
"""The line of a report that counts the items which at least one candidate of the panel solves."""

_LIMITS = Limits(step_s=3.0, trial_s=60.0)  # a busy machine must not make a timeout of slow code
_WAIT_S = 60.0  # nor make an answer unknown whose worker starts or replies late
_REQUEST_S = 600.0
_CHECK_S = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """One arm's answer to one item, and whether it passed."""

    arm: str
    item: str
    passed: bool
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers of all arms to one item, in their order, and the texts of the panel's candidates."""

    of_arms: Sequence[Answer]
    candidates: Sequence[str]


class Measuring:
    """One measurement: a mixture's arms over items, replayed from a record in virtual time.

    Calls that are not in the record are asked by `recorder`, and the item is replayed again; without one, the item is
    left out. `grade` runs a program, and may block; equal programs are run once.
    """

    def __init__(
        self,
        record: Record,
        settings: Settings,
        mixture: Mixture,
        conditions: Conditions,
        *,
        recorder: Recorder | None = None,
        grade: Grade = programs.run,
    ) -> None:
        self._record = record
        self._settings = settings
        self._mixture = mixture
        self._conditions = conditions
        self._recorder = recorder
        self._grade = grade
        self._graded: dict[str, Verdict] = {}
        self._failed: dict[str, CallError] = {}

    async def results(
        self, arms: Sequence[Arm], items: Sequence[Item], *, goes_on: Callable[[], bool] = lambda: True
    ) -> AsyncGenerator[list[Result]]:
        """Yield each item's results of all arms; items with a call that is neither recorded nor allowed are left out.

        Ends after an item once `goes_on` is false.
        """
        for item in items:
            if not goes_on():
                return
            answers = await self._answer(arms, item)
            yield [] if answers is None else await asyncio.to_thread(self._grade_all, arms, item, answers)

    async def _answer(self, arms: Sequence[Arm], item: Item) -> _Answers | None:
        while True:
            replayed = await asyncio.to_thread(run_in_virtual_time, partial(self._replay, arms, item))
            if isinstance(replayed, _Answers):
                return replayed
            if self._recorder is None:
                return None
            self._failed |= await _ask_missing(self._recorder, replayed)

    async def _replay(self, arms: Sequence[Arm], item: Item, loop: VirtualTimeLoop) -> _Answers | Mapping[str, Call]:
        """Return the answers, or the calls that are missing for them."""
        pool = ReplayPool(self._settings.models, self._record, self._failed)
        async with _open_sandboxes(loop, arms) as sandboxes:
            candidates = await self._try_panel(pool, item)
            answers = [await self._try_arm(loop, pool, sandboxes, arm, item) for arm in arms]
        known = [answer for answer in answers if answer is not None]
        return pool.missing or _Answers(known, candidates)

    async def _try_panel(self, pool: ReplayPool, item: Item) -> list[str]:
        try:
            return await ask_panel(Setting(pool, self._settings, self._conditions), self._mixture, item)
        except NotRecordedError:
            return []

    async def _try_arm(
        self, loop: VirtualTimeLoop, pool: ReplayPool, sandboxes: Sequence[Sandbox], arm: Arm, item: Item
    ) -> Answer | None:
        finder = _make_finder(loop, sandboxes, arm.examples)
        try:
            with _with_checker(arm, item) as checked:
                return await ask(Setting(pool, self._settings, self._conditions, finder), checked, item)
        except NotRecordedError:
            return None

    def _grade_all(self, arms: Sequence[Arm], item: Item, answers: _Answers) -> list[Result]:
        results = [
            Result(arm.name, item.name, self._passes(item, answer.text), answer)
            for arm, answer in zip(arms, answers.of_arms, strict=True)
        ]
        is_solved = any(self._passes(item, text) for text in answers.candidates)
        return [*results, Result(ANY_CANDIDATE, item.name, is_solved, _NOBODY)]

    def _passes(self, item: Item, text: str | None) -> bool:
        program = None if text is None else item.program(text)
        if program is None:
            return False
        key = digest([dict(program.files), program.main])
        if key not in self._graded:
            self._graded[key] = self._grade(program)
        return self._graded[key] is Verdict.PASSED


_NOBODY = Answer(
    None, well_formed=True, decided_by="model", n_calls=0, prompt_tokens=0, completion_tokens=0, seconds=0, cost=0
)


async def _ask_missing(recorder: Recorder, missing: Mapping[str, Call]) -> dict[str, CallError]:
    """Ask these calls side by side; return the errors of those that failed, by key."""
    errors = await asyncio.gather(*(recorder.ask(key, call) for key, call in missing.items()))
    return {key: error for key, error in zip(missing, errors, strict=True) if error is not None}


@contextmanager
def _with_checker(arm: Arm, item: Item) -> Generator[Arm]:
    """Yield the arm, with the item's work tree in a folder and a checker on it if it has one."""
    if not arm.checks or arm.mixture is None or not item.check:
        yield arm
        return
    with TemporaryDirectory() as folder:
        for path, text in item.files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        isolate = isolation() is Isolation.NAMESPACES
        checker = Checker(Path(folder), item.check, timeout_s=_CHECK_S, isolate=isolate)
        yield replace(arm, mixture=replace(arm.mixture, checker=checker))


def _make_finder(loop: VirtualTimeLoop, sandboxes: Sequence[Sandbox], which: Examples) -> Finder:
    async def run_command(command: Command, files: Mapping[str, str | None]) -> Finished:
        with loop.real_work():
            return await run_in_copy(command, files)

    return Finder(
        sandboxes,
        limits=_LIMITS,
        request_s=_REQUEST_S,
        clock=loop.time,
        choose_examples=lambda examples: choose_examples(examples, which),
        run_command=run_command,
    )


@asynccontextmanager
async def _open_sandboxes(loop: VirtualTimeLoop, arms: Sequence[Arm]) -> AsyncGenerator[list[Sandbox]]:
    """Open the sandboxes that any arm needs, so that running in them takes no virtual time; close them."""
    levels = {arm.mixture.evidence for arm in arms if arm.mixture}
    boxes: list[Sandbox] = [] if levels <= {"off"} else [MontySandbox(wait_s=_WAIT_S)]
    if "full" in levels and isolation() is Isolation.NAMESPACES:
        boxes.append(ForkSandbox())
    try:
        yield [_Timeless(box, loop) for box in boxes]
    finally:
        with loop.real_work():
            for box in boxes:
                await box.close()


class _Timeless:
    """A sandbox whose work takes no virtual time."""

    def __init__(self, sandbox: Sandbox, loop: VirtualTimeLoop) -> None:
        self.name = sandbox.name
        self._sandbox = sandbox
        self._loop = loop

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session]:
        with self._loop.real_work():
            context = self._sandbox.session()
            session = await context.__aenter__()
        try:
            yield _TimelessSession(session, self._loop)
        finally:
            with self._loop.real_work():
                await context.__aexit__(None, None, None)

    async def close(self) -> None:
        await self._sandbox.close()


@dataclass(frozen=True, slots=True)
class _TimelessSession:
    inner: Session
    loop: VirtualTimeLoop

    async def observe(self, trial: Trial, limits: Limits) -> Report:
        with self.loop.real_work():
            return await self.inner.observe(trial, limits)
