"""Quality over cost as an SVG. Pure."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from eval.report import Line

_WIDTH, _HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 150, 44, 52
_STEPS = (0, 0.25, 0.5, 0.75, 1)
_MIN_GAP = 14  # between two labels, so that they can be read


def svg(title: str, lines: Sequence[Line]) -> str:
    """Return a plot of each arm's pass rate, with its 95 % interval, over the tokens that it takes for an item."""
    most = max((line.tokens for line in lines), default=0) or 1
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    parts = [
        f'{head} font-family="sans-serif" font-size="12"><title>{escape(title)}</title>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 24, title, "start", weight="bold"),
        *(_across(share) for share in _STEPS),
        *(_text(_x(share), _HEIGHT - _BOTTOM + 20, f"{share * most:.0f}", "middle") for share in _STEPS),
        _text(_x(0.5), _HEIGHT - 10, "tokens for an item, read and written", "middle"),
    ]
    labels = _spread([_y(line.rate) for line in lines])
    parts += [_point(line, line.tokens / most, label) for line, label in zip(lines, labels, strict=True)]
    return "\n".join([*parts, "</svg>", ""])


def _point(line: Line, share: float, label: float) -> str:
    x, y = _x(share), _y(line.rate)
    return (
        f'<path d="M{x:.1f} {_y(line.low):.1f}V{_y(line.high):.1f}" stroke="#9ab"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#036"/>'
        f'<path d="M{x + 5:.1f} {y:.1f}L{_x(1) + 10:.1f} {label:.1f}" stroke="#ccd" stroke-dasharray="2 3"/>'
        + _text(_x(1) + 14, label + 4, line.arm, "start")
    )


def _across(share: float) -> str:
    y = _y(share)
    line = f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#eee"/>'
    return line + _text(_LEFT - 8, y + 4, f"{share:.0%}", "end")


def _spread(places: Sequence[float]) -> list[float]:
    """Move places apart, downwards, and keep their order."""
    moved = list(places)
    below = -float(_HEIGHT)
    for index in sorted(range(len(places)), key=lambda index: places[index]):
        below = moved[index] = max(places[index], below + _MIN_GAP)
    return moved


def _text(x: float, y: float, text: str, anchor: str, *, weight: str = "normal") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {where} fill="#223">{escape(text)}</text>'


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)
