"""Tasks from recorded answers: which of a mixture's models solve an item, and whether their answers are the same."""

from collections.abc import Hashable, Sequence

from eval.arms import Arm
from eval.items import Item
from eval.measuring import Measuring, Result
from eval.trust.world import Attempt, Task
from synth.edits import find_code_block


async def read_tasks(measuring: Measuring, models: Sequence[str], items: Sequence[Item], kind: str) -> list[Task]:
    """Return a task for each item that every model has answered in the record; the answers are run to grade them."""
    arms = [Arm(name, model=lambda _, name=name: name) for name in models]  # type: ignore[misc]
    return [make_task(results, kind) async for results in measuring.results(arms, items) if results]


def make_task(results: Sequence[Result], kind: str) -> Task:
    """Return the task of one item, from each model's result; other lines of a report are left out."""
    outcomes: dict[Hashable, int] = {}
    attempts: dict[str, Attempt] = {}
    for result in results:
        if result.answer.text is not None:
            number = outcomes.setdefault(_find_outcome(result.answer.text), len(outcomes))
            attempts[result.arm] = (result.passed, number)
    return Task(kind, attempts)


def _find_outcome(text: str) -> Hashable:
    block = find_code_block(text)
    return text.strip() if block is None else block.outcome
