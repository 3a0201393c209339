"""A run with a learner, over a scripted panel."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from synth.events import Event, Finished
from synth.feedback.answer_record import identify_member
from synth.feedback.learner import Learner
from synth.feedback.trust import Count, Trust, name_scope
from synth.mixture import answer
from tests.synth.scripted_pool import Scene, Script, scene

SCOPE = name_scope("mom", "plain - chat")


def member(name: str) -> str:
    """Return the name under which the scripted model of this name is counted."""
    return identify_member(name, name)


def trust(*counted: tuple[str, int, int]) -> Trust:
    """Return the trust in members that were first: name, how often right, how often wrong."""
    return Trust(
        Count(SCOPE, member(name), f"front_{end}", amount)
        for name, *amounts in counted
        for end, amount in zip(("right", "wrong"), amounts, strict=True)
    )


def learning(script: Script, *, knows: Trust | None = None, seed: int = 1, **options: Any) -> tuple[Scene, Learner]:
    """Return a scene with a learner, and the learner."""
    stage = scene(script, **options)
    learner = Learner(
        knows or Trust(),
        stage.mixture,
        stage.run.request,
        stage.run.contract,
        models=stage.run.models,
        api="chat",
        client="dev",
        rng=random.Random(seed),
    )
    emit = stage.run.emit

    async def read(event: Event) -> None:
        learner.read(event)
        await emit(event)

    return replace(stage, run=replace(stage.run, emit=read, arrange=learner.arrange)), learner


async def run(stage: Scene) -> Finished:
    """Answer the request of a scene."""
    return await answer(stage.run, stage.mixture)


def names(members: Sequence[str]) -> list[str]:
    """Return the configured names of members."""
    return [each.partition("=")[0] for each in members]
