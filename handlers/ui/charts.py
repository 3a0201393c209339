"""Small charts as inline SVG: coloured by classes of charts.css, so dark mode works and no style attribute is needed.

To a screen reader each is an image with `label` as its text; the page shows the same numbers as text beside it.
Pointing at a part shows its text. Every text is escaped. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

Tone = Literal["good", "bad", "bad-2", "idle", "one", "two", "rest"]

_WIDTH, _HEIGHT = 160.0, 14.0
_COLUMNS_HEIGHT = 32.0
_GAP = 1.0
_SMALLEST = 2.0  # so that small parts are visible


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar, or a column: its amount, in any unit and not below 0, and the text shown when pointed at."""

    text: str
    amount: float
    tone: Tone = "one"


def draw_stacked_bar(parts: Sequence[Part], *, label: str) -> Markup:
    """Return one bar whose parts are as wide as their shares of the sum; empty if that is 0."""
    shown = [part for part in parts if part.amount > 0]
    total = math.fsum(part.amount for part in shown)
    room = _WIDTH - _GAP * (len(shown) - 1) - _SMALLEST * len(shown)
    pieces: list[Markup] = []
    x = 0.0
    for part in shown:
        width = _SMALLEST + max(0.0, room) * (part.amount / total)
        pieces.append(_rect(part, x, 0.0, width, _HEIGHT))
        x += width + _GAP
    return _image(pieces, label, max(_WIDTH, x - _GAP), _HEIGHT)


def draw_columns(parts: Sequence[Part], *, label: str) -> Markup:
    """Return columns side by side, the highest as high as the chart, over a base line."""
    highest = max((part.amount for part in parts), default=0.0)
    width = (_WIDTH - _GAP * max(0, len(parts) - 1)) / max(1, len(parts))
    pieces = [
        Markup('<rect class="chart-base" x="0" y="{}" width="{}" height="1"/>').format(_COLUMNS_HEIGHT - 1, _WIDTH)
    ]
    for position, part in enumerate(parts):
        if part.amount > 0:
            height = _SMALLEST + (_COLUMNS_HEIGHT - _SMALLEST) * (part.amount / highest)
            pieces.append(_rect(part, position * (width + _GAP), _COLUMNS_HEIGHT - height, width, height))
    return _image(pieces, label, _WIDTH, _COLUMNS_HEIGHT)


def _rect(part: Part, x: float, y: float, width: float, height: float) -> Markup:
    template = '<rect class="chart-{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"><title>{}</title></rect>'
    return Markup(template).format(part.tone, x, y, width, height, part.text)  # noqa: S704 -- format escapes


def _image(pieces: Sequence[Markup], label: str, width: float, height: float) -> Markup:
    template = (
        '<svg class="chart" role="img" aria-label="{}" width="{:g}" height="{:g}" viewBox="0 0 {:g} {:g}"'
        ' preserveAspectRatio="none">{}</svg>'
    )
    inside = Markup().join(pieces)
    return Markup(template).format(label, width, height, width, height, inside)  # noqa: S704 -- format escapes
