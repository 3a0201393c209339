"""Putting every item to every arm, and grading what comes back."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from config.settings import Mixture, Settings
from eval.arms import Arm
from eval.asking import Answer, Conditions, ask, ask_panel
from eval.items import Item
from eval.record import NotRecordedError, RecordedPool, digest
from runtime.sandbox import programs
from runtime.sandbox.programs import Program, Verdict

Grade = Callable[[Program], Verdict]


@dataclass(frozen=True, slots=True)
class Result:
    """What one arm's answer to one item came to."""

    arm: str
    item: str
    passed: bool
    answer: Answer


class Measuring:
    """One measurement: a mixture's arms over items, their calls recorded or replayed by `pool`.

    `grade` runs a program, and may block; equal programs are run once.
    """

    def __init__(
        self,
        pool: RecordedPool,
        settings: Settings,
        mixture: Mixture,
        conditions: Conditions,
        *,
        grade: Grade = programs.run,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._mixture = mixture
        self._conditions = conditions
        self._grade = grade
        self._graded: dict[str, Verdict] = {}

    async def results(
        self, arms: Sequence[Arm], items: Sequence[Item], *, goes_on: Callable[[], bool] = lambda: True
    ) -> AsyncGenerator[list[Result]]:
        """Yield each item's results of all arms; none for an item with a call that is neither recorded nor allowed.

        Ends after an item once `goes_on` is false. The panel is asked once for an item, before its arms.
        """
        for item in items:
            if not goes_on():
                return
            try:
                await ask_panel(self._pool, self._settings, self._mixture, item, self._conditions)
                yield [await self._result(arm, item) for arm in arms]
            except NotRecordedError:
                yield []

    async def _result(self, arm: Arm, item: Item) -> Result:
        answer = await ask(self._pool, self._settings, arm, item, self._conditions)
        program = None if answer.text is None else item.program(answer.text)
        passed = program is not None and await asyncio.to_thread(self._verdict, program) is Verdict.PASSED
        return Result(arm.name, item.name, passed, answer)

    def _verdict(self, program: Program) -> Verdict:
        key = digest([dict(program.files), program.main])
        if key not in self._graded:
            self._graded[key] = self._grade(program)
        return self._graded[key]
