"""The arms of a measurement: the mixture as it is, its members, and the ways of making an answer one by one."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from config.settings import Mixture, Proposer
from eval.items import Item
from synth.evidence.examples import Example

SAMPLES = "samples"
_PACKINGS: tuple[Literal["prose", "transcript"], ...] = ("prose", "transcript")
ON_REQUEST = frozenset([SAMPLES, *(f"advice-{packing}" for packing in _PACKINGS)])
"""The arms that a measurement leaves out unless they are named: the dearest one, and those for requests with tools."""

_SAMPLING_TEMPERATURE = 0.8

Examples = Literal["all", "half", "none"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of getting an answer: of a mixture, or of the one model that `model` names for an item.

    Evidence may use all `examples` that a request shows, every other one, or none. With `checks` the mixture has a
    checker that runs the item's own command on its work tree.
    """

    name: str
    mixture: Mixture | None = None
    model: Callable[[Item], str] | None = None
    examples: Examples = "all"
    checks: bool = False


def make_arms(mixture: Mixture, seed: int) -> dict[str, Arm]:
    """Return every arm of a mixture by name: its members in the order of the panel, then the others.

    `random` is a member drawn for each item. The `evidence` arms choose by evidence and then by the panel's order, and
    ask no critic; `first`, `select`, `fuse` run no code. Arms that need a critic, a `verify` or stages are there if the
    mixture has them. `staged` is the mixture as configured, with its critic, asked in stages. `samples` asks the
    best-ranked member alone, as often as the panel has members and once more, at about the cost of the mixture, and
    lets the critic choose. The `advice` arms ask the panel on every turn of an agent's work with tools; it reads a
    summary, or the whole transcript.
    """
    panel = mixture.panel_models
    plain = replace(mixture, evidence="off", stages=(), repair=0, verify=None)
    arms = [
        *(Arm(name, model=lambda _, name=name: name) for name in panel),  # type: ignore[misc]
        Arm("random", model=lambda item: random.Random(f"{seed} {item.name}").choice(panel)),  # noqa: S311
        Arm("first", replace(plain, mode="first")),
        *(_arms_with_critic(mixture, plain, seed) if mixture.critic else []),
        *_evidence_arms(mixture),
        *(
            [Arm("staged", replace(mixture, layers=1, stages=_choose_stages(mixture)))]
            if len(mixture.panel) > 1
            else []
        ),
        Arm("as-configured", mixture),
    ]
    return {arm.name: arm for arm in arms}


def choose_arms(arms: Mapping[str, Arm], names: str | None, members: Sequence[str]) -> list[Arm]:
    """Return the arms of these names, separated by commas; None: all that are not on request.

    Everything is compared with a member, so the best-ranked one is added if `names` has no member. Raises ValueError
    for a name that no arm has.
    """
    wanted = names.split(",") if names else [name for name in arms if name not in ON_REQUEST]
    unknown = [name for name in wanted if name not in arms]
    if unknown:
        raise ValueError(f"no arm {', '.join(unknown)}; there are: {', '.join(arms)}")
    if not set(wanted) & set(members):
        wanted.insert(0, members[0])
    return [arms[name] for name in wanted]


def choose_examples(examples: Sequence[Example], which: Examples) -> tuple[Example, ...]:
    """Return the examples that an arm may use."""
    return {"all": tuple(examples), "half": tuple(examples[::2]), "none": ()}[which]


def _arms_with_critic(mixture: Mixture, plain: Mixture, seed: int) -> list[Arm]:
    best = tuple(
        Proposer(mixture.panel_models[0], {"temperature": _SAMPLING_TEMPERATURE, "seed": seed + number}, number)
        for number in range(1, len(mixture.panel) + 2)
    )
    return [
        Arm("critic-alone", replace(plain, mode="direct")),
        Arm("select", replace(plain, mode="select")),
        Arm("fuse", replace(plain, mode="fuse")),
        *([Arm("fuse+verify", replace(plain, mode="fuse", verify=mixture.verify))] if mixture.verify else []),
        Arm(SAMPLES, replace(plain, panel=best, mode="select")),
        *(
            Arm(f"advice-{packing}", replace(plain, tools_fan_out="every_turn", tools_advice=packing))
            for packing in _PACKINGS
        ),
    ]


def _choose_stages(mixture: Mixture) -> tuple[int, ...]:
    """Return the mixture's stages; if it has none, the first proposer and then all others."""
    n_panel = len(mixture.panel)
    return mixture.stages or ((1, n_panel - 1) if n_panel > 1 else ())


def _evidence_arms(mixture: Mixture) -> list[Arm]:
    level = mixture.evidence if mixture.evidence == "full" else "auto"
    whole = replace(mixture, mode="auto", critic=None, verify=None, evidence=level, stages=(), repair=0)
    stages = _choose_stages(mixture)
    return [
        Arm("evidence", whole),
        Arm("evidence-half", whole, examples="half"),
        Arm("evidence-none", whole, examples="none"),
        *([Arm("evidence+stages", replace(whole, stages=stages))] if stages else []),
        Arm("checker", whole, examples="none", checks=True),
        Arm("evidence+repair", replace(whole, stages=stages, repair=1)),
    ]
