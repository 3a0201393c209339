"""What a run came to: figures with spread and targets, as JSON and back, compared with an earlier run. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Spread, ratios, spread
from bench.scenarios import Scenario, Target

_NOTEWORTHY = 1.1
_ABSURD = 3.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a scenario: the subject's, the baseline's, and the ratios of the rounds."""

    name: str
    subject: Spread
    baseline: Spread
    ratio: Spread
    target: Target | None

    @property
    def more_is_better(self) -> bool:
        """Whether it is a rate."""
        return self.name.endswith("/s")

    @property
    def excess(self) -> float:
        """How many times its target the figure is; 0 where it has none."""
        if self.target is None:
            return 0.0
        if self.target.ratio is not None:
            return self.ratio.median / self.target.ratio
        if self.target.over is not None:
            return (self.subject.median - self.baseline.median) / self.target.over
        return self.subject.median / self.target.value if self.target.value else 0.0

    @property
    def absurd(self) -> bool:
        """Whether it is a ratio so far above its target that noise cannot be why."""
        steady = self.target is not None and self.target.ratio is not None and not self.target.unsteady
        return steady and self.excess > _ABSURD


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario came to."""

    name: str
    says: str
    subject: str
    baseline: str
    figures: tuple[Figure, ...]


Round = Mapping[str, Mapping[str, float]]
"""What one round has measured: figures by subject."""


def outcome(scenario: Scenario, rounds: Sequence[Round]) -> Outcome:
    """Return what a scenario's rounds come to; ValueError where a target is for something that was not measured."""
    figures = [_figure(name, scenario, rounds) for name in rounds[0][scenario.subject]]
    unknown = set(scenario.targets) - {figure.name for figure in figures}
    if unknown:
        raise ValueError(f"{scenario.name} has targets for what it does not measure: {sorted(unknown)}")
    return Outcome(scenario.name, scenario.says, scenario.subject, scenario.baseline, tuple(figures))


def _figure(name: str, scenario: Scenario, rounds: Sequence[Round]) -> Figure:
    over = [each[scenario.subject][name] for each in rounds]
    under = [each[scenario.baseline][name] for each in rounds]
    return Figure(name, spread(over), spread(under), spread(ratios(over, under)), scenario.targets.get(name))


def as_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return outcomes as JSON values."""
    return [asdict(each) for each in outcomes]


def from_json(stored: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Return the outcomes that `as_json` stored; KeyError or TypeError for anything else."""
    return [
        Outcome(each["name"], each["says"], each["subject"], each["baseline"], tuple(map(_from_json, each["figures"])))
        for each in stored
    ]


def _from_json(stored: Mapping[str, Any]) -> Figure:
    subject, baseline, ratio = (Spread(**stored[name]) for name in ("subject", "baseline", "ratio"))
    return Figure(stored["name"], subject, baseline, ratio, Target(**stored["target"]) if stored["target"] else None)


def worsened(new: Sequence[Outcome], old: Sequence[Outcome]) -> Iterator[tuple[str, Figure, Figure]]:
    """Yield what got worse since an earlier run, beyond noise: scenario, new figure, old figure.

    That is more than 10 %, and further than the spreads of both runs reach.
    """
    before = {(each.name, figure.name): figure for each in old for figure in each.figures}
    for each in new:
        for figure in each.figures:
            earlier = before.get((each.name, figure.name))
            if earlier is not None and _is_worse(figure, earlier):
                yield each.name, figure, earlier


def _is_worse(figure: Figure, earlier: Figure) -> bool:
    now, then = figure.ratio, earlier.ratio  # machines differ in speed, and share ratios by and large
    if figure.more_is_better:
        return now.median * _NOTEWORTHY < then.median and now.high < then.low
    return now.median > then.median * _NOTEWORTHY and now.low > then.high
