"""Regret over requests as an SVG. Pure."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from eval.statistics import percentile
from eval.trust.simulation import Course

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 170, 44, 48
_COLOURS = ("#a33", "#a80", "#036", "#383")
_N_POINTS = 100
_LABEL = 14  # the height of a line
_STEPS = (0, 0.25, 0.5, 0.75, 1)


def draw_regret(title: str, courses: Mapping[str, Sequence[Course]]) -> str:
    """Return a plot of each policy's mean regret over the requests, with a band of the middle 80 % of the runs."""
    n = min(len(run.regret) for runs in courses.values() for run in runs)
    places = [round(index * (n - 1) / _N_POINTS) for index in range(_N_POINTS + 1)]
    series = {policy: [[run.regret[place] for run in runs] for place in places] for policy, runs in courses.items()}
    most = max((percentile(each, 0.9) for values in series.values() for each in values), default=1.0) or 1.0
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    parts = [
        f'{head} font-family="sans-serif" font-size="12"><title>{escape(title)}</title>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 24, title, "start"),
    ]
    for step in _STEPS:
        y = _y(step)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#eee"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{step * most:.0f}", "end"))
        parts.append(_text(_x(step), _HEIGHT - _BOTTOM + 20, f"{step * n:.0f}", "middle"))
    parts.append(_text(_x(0.5), _HEIGHT - 8, "requests", "middle"))
    ends = {policy: _y(sum(values[-1]) / len(values[-1]) / most) for policy, values in series.items()}
    labels = _spread(ends)
    for (policy, values), colour in zip(series.items(), _COLOURS, strict=False):
        upper = [(_x(i / _N_POINTS), _y(percentile(each, 0.9) / most)) for i, each in enumerate(values)]
        lower = [(_x(i / _N_POINTS), _y(percentile(each, 0.1) / most)) for i, each in enumerate(values)]
        middle = [(_x(i / _N_POINTS), _y(sum(each) / len(each) / most)) for i, each in enumerate(values)]
        parts.append(f'<path d="{_path([*upper, *lower[::-1]])}Z" fill="{colour}" opacity="0.12"/>')
        parts.append(f'<path d="{_path(middle)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_x(1) + 8, labels[policy] + 4, policy, "start", colour))
    return "\n".join([*parts, "</svg>", ""])


def _spread(places: Mapping[str, float]) -> dict[str, float]:
    """Move labels apart, upwards, in their order."""
    moved: dict[str, float] = {}
    above = float(_HEIGHT + _LABEL)
    for name in sorted(places, key=places.__getitem__, reverse=True):
        above = moved[name] = min(places[name], above - _LABEL)
    return moved


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#223") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - max(0.0, share) * (_HEIGHT - _TOP - _BOTTOM)
