"""Having one arm answer one item, by the gateway's own pipeline, and what that took."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from config.settings import Mixture, Settings
from eval.arms import Arm
from eval.items import Item
from synth.contract.contract import derive_contract
from synth.events import Event, SynthesisError
from synth.ledger import Ledger
from synth.mixture import answer, find_bypass_rule, needs_no_panel
from synth.normalize import Completion
from synth.panel import layers
from synth.request import ChatRequest
from synth.run import Run
from upstream.calls import Call
from upstream.pool import Pool

_DIRECT_DEADLINE_S = 300.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is the same for all arms and items: the seed, and the limit of an answer's tokens."""

    seed: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What one arm said to one item, and what that took. `text` is None where there was no answer at all.

    `well_formed` is whether the answer keeps the form that was asked for. `seconds` is what the calls took, those that
    ran side by side counted once; `cost` is None where a model has no price.
    """

    text: str | None
    well_formed: bool
    decided_by: str
    n_calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cost: float | None


async def ask_panel(pool: Pool, settings: Settings, mixture: Mixture, item: Item, conditions: Conditions) -> None:
    """Ask the whole panel and wait for all of it, so that every arm finds its calls in the record."""
    run = _run(pool, settings, mixture.deadline_s, item, conditions)
    if find_bypass_rule(run.request, mixture) is None and not needs_no_panel(run.request, mixture):
        await layers.ask_panel(run, replace(mixture, quorum=None, layers=1))


async def ask(pool: Pool, settings: Settings, arm: Arm, item: Item, conditions: Conditions) -> Answer:
    """Return the arm's answer; the run draws what it draws at random from the seed and the item's name."""
    deadline_s = arm.mixture.deadline_s if arm.mixture else _DIRECT_DEADLINE_S
    run = _run(pool, settings, deadline_s, item, conditions)
    completion, decided_by = None, "nobody"
    try:
        target = arm.mixture or (arm.model and arm.model(item))
        assert target is not None  # noqa: S101 -- an arm is one or the other
        finished = await answer(run, target)
    except SynthesisError:
        pass  # no answer: it counts as a wrong one, and for what it cost
    else:
        completion, decided_by = finished.answers[0].completion, str(finished.answers[0].decided_by)
    used = run.ledger.used()
    return Answer(
        text=None if completion is None else completion.text,
        well_formed=completion is not None and _well_formed(run, completion),
        decided_by=decided_by,
        n_calls=len(run.ledger.calls),
        prompt_tokens=used.tokens.prompt,
        completion_tokens=used.tokens.completion,
        seconds=seconds_of(run.ledger.calls),
        cost=None if used.cost is None else float(used.cost),
    )


async def _to_nobody(_event: Event) -> None:
    """Leave what happens untold: a run returns its answer, and its ledger has the rest."""


def _run(pool: Pool, settings: Settings, deadline_s: float, item: Item, conditions: Conditions) -> Run:
    params = {"max_tokens": conditions.max_tokens, "seed": conditions.seed}
    request = ChatRequest(None, item.messages, params)
    nonces = random.Random(f"nonce {conditions.seed} {item.name}")  # noqa: S311 -- repeatable on purpose
    return Run(
        request=request,
        contract=derive_contract(request),
        models={model.name: model for model in settings.models},
        pool=pool,
        ledger=Ledger(),
        emit=_to_nobody,
        started=pool.clock(),
        deadline=pool.clock() + deadline_s,
        rng=random.Random(f"order {conditions.seed} {item.name}"),  # noqa: S311
        draw_nonce=lambda: f"{nonces.getrandbits(64):016x}",
    )


def _well_formed(run: Run, completion: Completion) -> bool:
    reading = run.contract.read(completion)
    return reading.finding is None and not reading.in_words


def seconds_of(calls: Sequence[Call]) -> float:
    """Return how long a run's calls took together.

    Calls make a round if they all began before the first of them ended; a round lasts as long as its longest call that
    somebody waited for, and the rounds follow each other.
    """
    total, longest, first_end = 0.0, 0.0, float("inf")
    for call in sorted(calls, key=lambda call: call.started or 0.0):
        if call.started is None or call.ended is None:
            continue
        if call.started >= first_end:
            total, longest, first_end = total + longest, 0.0, float("inf")
        first_end = min(first_end, call.ended)
        if call.outcome != "cancelled":
            longest = max(longest, _lasted(call))
    return total + longest


def _lasted(call: Call) -> float:
    """Return a call's seconds: as it was recorded, where it is a replay, which itself takes next to no time."""
    spans = [(call.started, call.ended), *((attempt.started, attempt.ended) for attempt in call.attempts)]
    return max(end - start for start, end in spans if start is not None and end is not None)
