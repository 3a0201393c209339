"""The case of a mode: a scripted panel that has settled."""

from synth.modes.outcomes import Case
from synth.panel.layers import ask_panel
from tests.synth.scripted_pool import Scene


async def case(stage: Scene) -> Case:
    """Ask the scene's panel, and return what its mode is given."""
    return Case(stage.run, stage.mixture, await ask_panel(stage.run, stage.mixture))
