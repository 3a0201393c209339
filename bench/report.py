"""The printed report of a run. Pure."""

from collections.abc import Sequence

from bench.figures import Spread
from bench.outcome import Figure, Outcome, find_worse

_HIT, _MISSED = "ok", "MISSED"


def format_outcome(outcome: Outcome, took_s: float) -> list[str]:
    """Return a scenario's heading, and a line for each of its figures: medians over the rounds, with their extremes."""
    return [
        f"{outcome.name}: {outcome.says} ({outcome.subject} against {outcome.baseline}; {took_s:.0f} s)",
        *(_line(figure) for figure in outcome.figures),
    ]


def _line(figure: Figure) -> str:
    medians = f"{format_number(figure.subject.median):>8} : {format_number(figure.baseline.median):<8}"
    ratio = f"{figure.ratio.median:5.2f}  ({figure.ratio.low:.2f} to {figure.ratio.high:.2f})"
    return f"  {figure.name:28} {medians} = {ratio:28}{_target(figure)}".rstrip()


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    target = figure.target
    limit = f"{target.value}" if target.over is None else f"+{target.over}"
    limit = f"{target.ratio} x" if target.ratio is not None else limit
    return f"  target {limit}: {_HIT if figure.excess <= 1 else _MISSED}"


def list_worse(new: Sequence[Outcome], old: Sequence[Outcome], name: str) -> list[str]:
    """Return the regressions since an earlier run, a line each, or one line if there are none."""
    found = [
        f"  {scenario}, {figure.name}: {_format_spread(earlier.ratio)} -> {_format_spread(figure.ratio)}"
        for scenario, figure, earlier in find_worse(new, old)
    ]
    return [f"Worse than {name}:", *found] if found else [f"Nothing is worse than in {name}."]


def list_absurd(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the figures that miss their targets by so much that something must be broken."""
    return [
        f"{outcome.name}, {figure.name}: {figure.excess:.1f} times its target"
        for outcome in outcomes
        for figure in outcome.figures
        if figure.absurd
    ]


def format_number(value: float) -> str:
    """Return a number with about three digits."""
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"  # noqa: PLR2004


def _format_spread(spread: Spread) -> str:
    return f"{format_number(spread.median)} ({format_number(spread.low)} to {format_number(spread.high)})"
