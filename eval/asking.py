"""Asking one arm one item, by the gateway's own pipeline, with the cost of the answer."""

import json
import random
from dataclasses import dataclass, replace
from typing import Any

from config.settings import Mixture, Settings
from eval.arms import Arm
from eval.items import Item
from synth.contract.contract import derive_contract
from synth.contract.tool_calls import list_calls
from synth.events import Emit, Event, EvidenceFound, SynthesisError
from synth.evidence.inquiry import EvidenceFinder
from synth.ledger import Ledger
from synth.mixture import answer, find_bypass_rule, find_panel_reason
from synth.model_pool import ModelPool
from synth.normalize import Completion
from synth.panel import layers
from synth.request import ChatRequest
from synth.run import Run

_DIRECT_DEADLINE_S = 300.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions shared by all arms and items: the seed, and the limit of an answer's tokens."""

    seed: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One arm's answer to one item, and its cost. `text` is None if there was no answer.

    `well_formed` is whether the answer keeps the form that was asked for. `seconds` is how long it took by the record,
    in which running code takes no time; `cost` is None if a model has no price. `signal` is the evidence that separated
    the candidates, "" if none did.
    """

    text: str | None
    well_formed: bool
    decided_by: str
    n_calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cost: float | None
    signal: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting in which an item is asked: the replaying pool, the configuration, the evidence finder."""

    pool: ModelPool
    settings: Settings
    conditions: Conditions
    finder: EvidenceFinder | None = None


async def ask_panel(setting: Setting, mixture: Mixture, item: Item) -> list[str]:
    """Ask the whole panel and wait for all of it; return the texts of its candidates that keep the form."""
    run = make_run(setting, mixture.deadline_s, item.name, _write_request(setting, item), ignore)
    if find_bypass_rule(run.request, mixture) is None and find_panel_reason(run.request, mixture)[0]:
        whole = replace(mixture, quorum=None, layers=1, stages=(), evidence="off", repair=0)
        panel = await layers.ask_panel(run, whole)
        return [candidate.completion.text for candidate in panel.candidates if candidate.finding is None]
    return []


async def ask(setting: Setting, arm: Arm, item: Item) -> Answer:
    """Return the arm's answer; the run's random draws follow from the seed and the item's name."""
    signals = [""]

    async def emit(event: Event) -> None:
        if isinstance(event, EvidenceFound) and event.decides:
            signals.append(event.ranking.by)

    deadline_s = arm.mixture.deadline_s if arm.mixture else _DIRECT_DEADLINE_S
    run = make_run(setting, deadline_s, item.name, _write_request(setting, item), emit)
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
        text=None if completion is None else "\n".join([completion.text, *map(json.dumps, list_calls(completion))]),
        well_formed=completion is not None and _well_formed(run, completion),
        decided_by=decided_by,
        n_calls=len(run.ledger.calls),
        prompt_tokens=used.tokens.prompt,
        completion_tokens=used.tokens.completion,
        seconds=run.elapsed_s(),
        cost=None if used.cost is None else float(used.cost),
        signal=signals[-1],
    )


async def ignore(_event: Event) -> None:
    """Ignore events: a run returns its answer, and its ledger has the rest."""


def _write_request(setting: Setting, item: Item) -> ChatRequest:
    params: dict[str, Any] = {"max_tokens": setting.conditions.max_tokens, "seed": setting.conditions.seed}
    if item.tools:
        params["tools"] = item.tools
    return ChatRequest(None, item.messages, params)


def make_run(setting: Setting, deadline_s: float, name: str, request: ChatRequest, emit: Emit) -> Run:
    """Return a run of one request, whose random draws follow from the seed and this name."""
    conditions = setting.conditions
    nonces = random.Random(f"nonce {conditions.seed} {name}")  # noqa: S311 -- repeatable on purpose
    return Run(
        request=request,
        contract=derive_contract(request),
        models={model.name: model for model in setting.settings.models},
        pool=setting.pool,
        ledger=Ledger(),
        emit=emit,
        started=setting.pool.clock(),
        deadline=setting.pool.clock() + deadline_s,
        evidence=setting.finder,
        rng=random.Random(f"order {conditions.seed} {name}"),  # noqa: S311
        draw_nonce=lambda: f"{nonces.getrandbits(64):016x}",
    )


def _well_formed(run: Run, completion: Completion) -> bool:
    reading = run.contract.read(completion)
    return reading.finding is None and not reading.is_without_edits
