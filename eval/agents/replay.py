"""Replays the scripted session against ways of asking a panel, in virtual time, and counts the cost of each."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from config import load
from config.settings import Critic, Mixture, Settings
from eval.agents.provider import ScriptedProviders
from eval.agents.session import Turn, list_tools, read_turns
from eval.asking import Conditions, Setting, ignore, make_run
from eval.statistics import percentile
from eval.virtual_time import VirtualTimeLoop, run_in_virtual_time
from synth.mixture import answer
from synth.request import ChatRequest
from upstream.calls import Tokens
from upstream.pool import Pool

_CONFIG = Path(__file__).with_name("config.yaml")
_DEADLINE_S = 600.0
_MAX_TOKENS = 8192
ACTOR = "sonnet"


@dataclass(frozen=True, slots=True)
class Way:
    """A way of answering the session: by a mixture, or by one model of the configuration."""

    name: str
    target: Mixture | str
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The cost of one turn."""

    has_panel: bool
    n_calls: int
    tokens: Tokens
    cost: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """The cost of a whole session in one way, relative to the first way of the same table."""

    name: str
    n_turns: int
    n_panel: int
    n_calls: int
    tokens: Tokens
    cost: float
    cost_ratio: float
    p50_s: float
    added_s: float


def list_ways(mixture: Mixture) -> list[Way]:
    """Return the ways of the session with tools; the first is the baseline of the others."""
    prose = replace(mixture, tools_advice="prose")
    transcript = replace(mixture, tools_advice="transcript")
    every: dict[str, Any] = {"tools_fan_out": "every_turn"}
    return [
        Way("solo", ACTOR),
        Way("solo, no breakpoints", f"{ACTOR}-uncached"),
        Way("transcript, every turn", replace(transcript, **every)),
        Way("transcript, new turns", transcript),
        Way("prose, every turn", replace(prose, **every)),
        Way("prose, every 4th", replace(prose, tools_fan_out="every_n", tools_every_n=4)),
        Way("prose, new turns", prose),
        Way("stuck", replace(prose, tools_fan_out="stuck")),
        Way("staged", replace(prose, stages=(1, len(mixture.panel) - 1))),
    ]


def list_ways_as_text(mixture: Mixture) -> list[Way]:
    """Return the ways of the session without tools, in which every turn is the user's."""
    staged = replace(mixture, stages=(2, len(mixture.panel) - 2))
    one_by_one = replace(mixture, stages=(1, len(mixture.panel) - 1))
    ways: dict[str, Mixture | str] = {
        "solo": ACTOR,
        "whole panel": mixture,
        "staged": staged,
        "staged, one order": replace(staged, orders=1),
        "staged, small critic": replace(staged, critic=Critic(mixture.panel[1].model)),
        "staged, no critic": replace(one_by_one, mode="first", critic=None),
    }
    return [Way(name, target, as_text=True) for name, target in ways.items()]


def measure(ways: Sequence[Way], settings: Settings) -> list[Line]:
    """Replay the session in each way; return a line for each."""
    taken = [run_in_virtual_time(partial(_replay, way, settings)) for way in ways]
    return [_sum_up(way.name, each, taken[0]) for way, each in zip(ways, taken, strict=True)]


def read_settings() -> Settings:
    """Return the configuration of the replayed session."""
    return load(_CONFIG, {})


async def _replay(way: Way, settings: Settings, loop: VirtualTimeLoop) -> list[Taken]:
    turns = read_turns(as_text=way.as_text)
    providers = ScriptedProviders(turns[0], settings.model(ACTOR).model)
    pool = Pool(settings.models, exchange=lambda: providers, clock=loop.time, random=random.Random(1).random)  # noqa: S311
    try:
        return [await _answer(way, settings, pool, providers, turn) for turn in turns]
    finally:
        await pool.close()


async def _answer(way: Way, settings: Settings, pool: Pool, providers: ScriptedProviders, turn: Turn) -> Taken:
    providers.turn = turn
    params: dict[str, Any] = {"max_tokens": _MAX_TOKENS} | ({} if way.as_text else {"tools": list_tools()})
    setting = Setting(pool, settings, Conditions(seed=1, max_tokens=_MAX_TOKENS))
    run = make_run(setting, _DEADLINE_S, str(len(turn.messages)), ChatRequest(None, turn.messages, params), ignore)
    await answer(run, way.target)
    used = run.ledger.used()
    assert used.cost is not None  # noqa: S101 -- every model of the configuration has a price
    has_panel = any(call.role == "proposer" for call in run.ledger.calls)
    return Taken(has_panel, used.n_calls, used.tokens, float(used.cost), run.elapsed_s())


def _sum_up(name: str, taken: Sequence[Taken], alone: Sequence[Taken]) -> Line:
    cost, seconds = sum(each.cost for each in taken), sum(each.seconds for each in taken)
    return Line(
        name=name,
        n_turns=len(taken),
        n_panel=sum(each.has_panel for each in taken),
        n_calls=sum(each.n_calls for each in taken),
        tokens=sum((each.tokens for each in taken), Tokens()),
        cost=cost,
        cost_ratio=cost / sum(each.cost for each in alone),
        p50_s=percentile([each.seconds for each in taken], 0.5),
        added_s=(seconds - sum(each.seconds for each in alone)) / len(taken),
    )
