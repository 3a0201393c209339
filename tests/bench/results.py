"""Sample outcomes for the tests of reports, charts and comparisons."""

from collections.abc import Sequence

from bench.measures import Figures
from bench.outcome import Outcome, summarize
from bench.scenarios import Scenario, Target
from bench.stand import FLOOR, GATEWAY, Stand

CPU, RATE = "CPU a request, ms", "requests/s"


async def nothing(stand: Stand, name: str, effort: float) -> Figures:
    """Measure nothing."""
    del stand, name, effort
    return {}


def scenario(name: str = "cpu", **targets: Target) -> Scenario:
    """Return a scenario that measures CPU and a rate; `cpu` and `rate` are their targets."""
    names = {"cpu": CPU, "rate": RATE}
    return Scenario(name, "some load", nothing, targets={names[each]: target for each, target in targets.items()})


def made(gateway: Sequence[float], floor: Sequence[float], target: Target | None = None, name: str = "cpu") -> Outcome:
    """Return the outcome of rounds with these CPU times; the rates are their inverse."""
    rounds = [
        {GATEWAY: {CPU: ours, RATE: 1000 / ours}, FLOOR: {CPU: theirs, RATE: 1000 / theirs}}
        for ours, theirs in zip(gateway, floor, strict=True)
    ]
    return summarize(scenario(name, cpu=target) if target else scenario(name), rounds)
