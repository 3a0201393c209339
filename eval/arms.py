"""The arms of a measurement: the mixture as it is, its members, and the ways of making an answer one by one."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from config.settings import Mixture, Proposer
from eval.items import Item

SAMPLES = "samples"
_SAMPLING_TEMPERATURE = 0.8


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of getting an answer: of a mixture, or of the one model that `model` names for an item."""

    name: str
    mixture: Mixture | None = None
    model: Callable[[Item], str] | None = None


def arms_of(mixture: Mixture, seed: int) -> dict[str, Arm]:
    """Return every arm that a mixture can be measured by, by name; the members first, the best-ranked foremost.

    `random` is a member drawn for each item. `fuse+verify` needs a mixture that has a `verify`. `samples` asks the
    best-ranked member alone, as often as the panel has members and once more, which is about what the mixture costs,
    and lets the critic choose.
    """
    panel = mixture.panel_models
    best = tuple(
        Proposer(panel[0], {"temperature": _SAMPLING_TEMPERATURE, "seed": seed + number}, number)
        for number in range(1, len(mixture.panel) + 2)
    )
    arms = [
        *(_member(name) for name in panel),
        Arm("critic-alone", replace(mixture, mode="direct", verify=None)),
        Arm("random", model=lambda item: random.Random(f"{seed} {item.name}").choice(panel)),  # noqa: S311
        Arm("first", replace(mixture, mode="first", verify=None)),
        Arm("select", replace(mixture, mode="select", verify=None)),
        Arm("fuse", replace(mixture, mode="fuse", verify=None)),
        *([Arm("fuse+verify", replace(mixture, mode="fuse"))] if mixture.verify else []),
        Arm("as-configured", mixture),
        Arm(SAMPLES, replace(mixture, panel=best, mode="select", verify=None)),
    ]
    return {arm.name: arm for arm in arms}


def _member(name: str) -> Arm:
    return Arm(name, model=lambda _: name)
