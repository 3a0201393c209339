"""What is printed of a run. Pure."""

from collections.abc import Sequence

from bench.figures import Spread
from bench.outcome import Figure, Outcome, worsened

_HIT, _MISSED = "ok", "MISSED"


def lines(outcome: Outcome, took_s: float) -> list[str]:
    """Return a scenario's heading, and a line for each of its figures: medians over the rounds, with their extremes."""
    return [
        f"{outcome.name}: {outcome.says} ({outcome.subject} against {outcome.baseline}; {took_s:.0f} s)",
        *(_line(figure) for figure in outcome.figures),
    ]


def _line(figure: Figure) -> str:
    medians = f"{number(figure.subject.median):>8} : {number(figure.baseline.median):<8}"
    ratio = f"{figure.ratio.median:5.2f}  ({figure.ratio.low:.2f} to {figure.ratio.high:.2f})"
    return f"  {figure.name:28} {medians} = {ratio:28}{_target(figure)}".rstrip()


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    target = figure.target
    limit = f"{target.value}" if target.over is None else f"+{target.over}"
    limit = f"{target.ratio} x" if target.ratio is not None else limit
    return f"  target {limit}: {_HIT if figure.excess <= 1 else _MISSED}"


def changes(new: Sequence[Outcome], old: Sequence[Outcome], name: str) -> list[str]:
    """Return what got worse since an earlier run of this name, a line for each, or that nothing did."""
    found = [
        f"  {scenario}, {figure.name}: {_told(earlier.ratio)} -> {_told(figure.ratio)}"
        for scenario, figure, earlier in worsened(new, old)
    ]
    return [f"Worse than {name}:", *found] if found else [f"Nothing is worse than in {name}."]


def absurd(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what misses its target by so much that it must be broken."""
    return [
        f"{outcome.name}, {figure.name}: {figure.excess:.1f} times its target"
        for outcome in outcomes
        for figure in outcome.figures
        if figure.absurd
    ]


def number(value: float) -> str:
    """Return a number with about three digits."""
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"  # noqa: PLR2004


def _told(spread: Spread) -> str:
    return f"{number(spread.median)} ({number(spread.low)} to {number(spread.high)})"
