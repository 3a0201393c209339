"""The outcome of a run: figures with spread and targets, to and from JSON, compared with an earlier run. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Spread, compute_ratios, find_spread
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
        """The figure as a multiple of its target; 0 if it has no target."""
        if self.target is None:
            return 0.0
        if self.target.ratio is not None:
            return self.ratio.median / self.target.ratio
        if self.target.over is not None:
            return (self.subject.median - self.baseline.median) / self.target.over
        return self.subject.median / self.target.value if self.target.value else 0.0

    @property
    def absurd(self) -> bool:
        """Whether it is a ratio too far above its target to be noise."""
        steady = self.target is not None and self.target.ratio is not None and not self.target.unsteady
        return steady and self.excess > _ABSURD


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of one scenario."""

    name: str
    says: str
    subject: str
    baseline: str
    figures: tuple[Figure, ...]


Round = Mapping[str, Mapping[str, float]]
"""The figures of one round, by subject."""


def summarize(scenario: Scenario, rounds: Sequence[Round]) -> Outcome:
    """Return the outcome of a scenario's rounds. Raises ValueError if a target names a figure that was not measured."""
    figures = [_figure(name, scenario, rounds) for name in rounds[0][scenario.subject]]
    unknown = set(scenario.targets) - {figure.name for figure in figures}
    if unknown:
        raise ValueError(f"{scenario.name} has targets for figures that it does not measure: {sorted(unknown)}")
    return Outcome(scenario.name, scenario.says, scenario.subject, scenario.baseline, tuple(figures))


def _figure(name: str, scenario: Scenario, rounds: Sequence[Round]) -> Figure:
    over = [each[scenario.subject][name] for each in rounds]
    under = [each[scenario.baseline][name] for each in rounds]
    return Figure(
        name,
        find_spread(over),
        find_spread(under),
        find_spread(compute_ratios(over, under)),
        scenario.targets.get(name),
    )


def to_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return outcomes as JSON values."""
    return [asdict(each) for each in outcomes]


def from_json(stored: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Return the outcomes that `to_json` stored. Raises KeyError or TypeError for anything else."""
    return [
        Outcome(each["name"], each["says"], each["subject"], each["baseline"], tuple(map(_from_json, each["figures"])))
        for each in stored
    ]


def _from_json(stored: Mapping[str, Any]) -> Figure:
    subject, baseline, ratio = (Spread(**stored[name]) for name in ("subject", "baseline", "ratio"))
    return Figure(stored["name"], subject, baseline, ratio, Target(**stored["target"]) if stored["target"] else None)


def find_worse(new: Sequence[Outcome], old: Sequence[Outcome]) -> Iterator[tuple[str, Figure, Figure]]:
    """Yield the regressions since an earlier run, beyond noise: scenario, new figure, old figure.

    Worse means by more than 10 %, and with spreads that do not overlap.
    """
    before = {(each.name, figure.name): figure for each in old for figure in each.figures}
    for each in new:
        for figure in each.figures:
            earlier = before.get((each.name, figure.name))
            if earlier is not None and _is_worse(figure, earlier):
                yield each.name, figure, earlier


def _is_worse(figure: Figure, earlier: Figure) -> bool:
    now, then = figure.ratio, earlier.ratio  # speeds of machines differ, ratios hardly do
    if figure.more_is_better:
        return now.median * _NOTEWORTHY < then.median and now.high < then.low
    return now.median > then.median * _NOTEWORTHY and now.low > then.high
