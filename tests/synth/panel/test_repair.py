"""Repairing code that fails an example."""

from typing import Any

from synth.events import RepairStarted
from synth.panel.layers import ask_panel
from tests.synth.scripted_pool import Scene, Script, scene
from tests.synth.small_evidence import code
from upstream.errors import CallError, Kind

EXAMPLES = {1: 2, 2: 4}
RIGHT, WRONG, ALSO_WRONG, WORSE = code("2 * n"), code("n + 1"), code("1 + n"), code("0")


def repairs(script: Script, **options: Any) -> Scene:
    return scene(script, **{"examples": EXAMPLES, "critic": None, "repair": 1, **options})


async def test_code_that_fails_an_example_is_repaired_once() -> None:
    """The best-ranked author reads its answer and the finding; the repaired code wins by evidence."""
    stage = repairs({"a": [WRONG, RIGHT], "b": ALSO_WRONG})
    panel = await ask_panel(stage.run, stage.mixture)
    assert [(each.name, each.completion.text) for each in panel.leaders()] == [("a#repair", RIGHT)]
    answer, request = stage.pool.asked("a")[1].messages[-2:]
    assert answer == {"role": "assistant", "content": WRONG}
    assert "passes 1 of 2 examples" in request["content"]
    assert [event.candidate for event in stage.seen(RepairStarted)] == ["a"]


async def test_a_repair_that_is_no_better_changes_nothing() -> None:
    """The original is ranked before it."""
    for reply in (WRONG, WORSE, CallError(Kind.TIMEOUT, "too slow")):
        stage = repairs({"a": [WRONG, reply], "b": ALSO_WRONG})
        best = (await ask_panel(stage.run, stage.mixture)).best()
        assert best is not None
        assert best.name == "a"


async def test_a_candidate_that_passes_needs_no_repair() -> None:
    """Nor does a panel whose leaders fail different examples, or a mixture that wants none."""
    for script, options in (
        ({"a": RIGHT, "b": WRONG}, {}),
        ({"a": code("3 * n - 1"), "b": code("n + 2")}, {}),
        ({"a": WRONG, "b": ALSO_WRONG}, {"repair": 0}),
        ({"a": WRONG, "b": ALSO_WRONG}, {"evidence": "shadow"}),
        ({"a": "Prose.", "b": "Words."}, {"examples": {}}),
    ):
        stage = repairs(script, **options)
        await ask_panel(stage.run, stage.mixture)
        assert len(stage.pool.calls) == 2
