"""The ratios to the baseline as an SVG chart: for each a bar, its spread and its target. Pure."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.outcome import Figure, Outcome

_WIDTH, _ROW, _TOP, _LEFT, _RIGHT, _BOTTOM = 760, 22, 62, 300, 60, 30
_HIT, _MISSED = "#2a7", "#c43"


def draw_chart(title: str, outcomes: Sequence[Outcome]) -> str:
    """Return a chart of every figure that has a target for its ratio; lower bars are better."""
    rows = [
        (outcome, figure, figure.target.ratio)
        for outcome in outcomes
        for figure in outcome.figures
        if figure.target is not None and figure.target.ratio is not None
    ]
    most = max([1.0, *(max(figure.ratio.high, target) for _, figure, target in rows)])
    height = _TOP + _ROW * len(rows) + _BOTTOM
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
    parts = [
        f'{head} font-family="sans-serif" font-size="12"><title>{escape(title)}</title>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        _text(12, 22, title, "start", weight="bold"),
        _text(
            12,
            42,
            "Ratio, median of the rounds; thin line: all rounds; black mark: target (green: met, red: missed)",
            "start",
        ),
        *_scale(most, height),
    ]
    for number, (outcome, figure, target) in enumerate(rows):
        name = f"{outcome.name}: {figure.name.partition(',')[0]}"
        parts += _row(_TOP + _ROW * number, name, figure, _x(target, most), most)
    return "\n".join([*parts, "</svg>", ""])


def _row(y: float, name: str, figure: Figure, target_x: float, most: float) -> list[str]:
    ratio, middle = figure.ratio, y + _ROW / 2
    colour = _HIT if figure.excess <= 1 else _MISSED
    return [
        _text(_LEFT - 10, middle + 4, name, "end"),
        f'<path d="M{_LEFT} {middle:.1f}H{_x(ratio.median, most):.1f}" stroke="{colour}" stroke-width="{_ROW - 8}"/>',
        f'<path d="M{_x(ratio.low, most):.1f} {middle:.1f}H{_x(ratio.high, most):.1f}" stroke="#223"/>',
        f'<path d="M{target_x:.1f} {y + 2:.1f}v{_ROW - 4}" stroke="#000" stroke-width="3"/>',
        _text(_WIDTH - 10, middle + 4, f"{ratio.median:.2f}", "end"),
    ]


def _scale(most: float, height: float) -> list[str]:
    steps = [step / 2 for step in range(int(most * 2) + 1)]
    return [
        f'<path d="M{_x(step, most):.1f} {_TOP}V{height - _BOTTOM}" stroke="#ddd"/>'
        + _text(_x(step, most), height - 10, f"{step:g}", "middle")
        for step in steps
    ]


def _x(ratio: float, most: float) -> float:
    return _LEFT + ratio / most * (_WIDTH - _LEFT - _RIGHT)


def _text(x: float, y: float, text: str, anchor: str, *, weight: str = "normal") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {where} fill="#223">{escape(text)}</text>'
