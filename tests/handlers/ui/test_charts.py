"""Charts are well-formed, escaped, and in proportion."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from handlers.ui.charts import Part, draw_columns, draw_stacked_bar

PRINTABLE = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12)
AMOUNTS = st.floats(0, 1e9) | st.integers(0, 10**6)
PARTS = st.lists(st.builds(Part, PRINTABLE, AMOUNTS, st.sampled_from(["good", "bad-2", "rest"])), max_size=30)


def drawn(svg: str) -> tuple[ET.Element, list[ET.Element]]:
    """Return the image, and its parts without the base line."""
    root = ET.fromstring(svg)
    return root, [each for each in root.findall("rect") if each.find("title") is not None]


def number(element: ET.Element, name: str) -> float:
    return float(element.attrib[name])


@given(PARTS, PRINTABLE)
def test_a_bar_shows_every_part_by_its_share(parts: list[Part], label: str) -> None:
    """In order, side by side, within the image, wider for larger amounts; parts of 0 are not drawn."""
    root, rects = drawn(draw_stacked_bar(parts, label=label))
    shown = [part for part in parts if part.amount > 0]
    assert root.attrib["aria-label"] == label
    assert [rect.findtext("title") for rect in rects] == [part.text for part in shown]
    assert [rect.attrib["class"] for rect in rects] == [f"chart-{part.tone}" for part in shown]
    right = 0.0
    for rect in rects:
        assert number(rect, "x") >= right - 0.01
        right = number(rect, "x") + number(rect, "width")
    assert right <= number(root, "width") + 0.1
    widths = [number(rect, "width") for rect in rects]
    for wide, part in zip(widths, shown, strict=True):
        for other, beside in zip(widths, shown, strict=True):
            assert wide >= other or part.amount <= beside.amount


@given(PARTS, PRINTABLE)
def test_columns_are_as_high_as_their_amounts(parts: list[Part], label: str) -> None:
    """The highest fills the chart, each stands on its base, and none overlap."""
    root, rects = drawn(draw_columns(parts, label=label))
    height = number(root, "height")
    assert root.attrib["role"] == "img"
    assert len(rects) == sum(part.amount > 0 for part in parts)
    for rect in rects:
        assert abs(number(rect, "y") + number(rect, "height") - height) < 0.02
        assert number(rect, "x") + number(rect, "width") <= number(root, "width") + 0.1
    if rects:
        assert max(number(rect, "height") for rect in rects) == height


def test_texts_are_escaped() -> None:
    """A model may have any name; no style attribute is needed."""
    evil = '"><script>alert(1)</script>'
    for svg in (draw_stacked_bar([Part(evil, 1)], label=evil), draw_columns([Part(evil, 1)], label=evil)):
        assert "<script" not in svg
        assert "style=" not in svg
        assert drawn(svg)[0].attrib["aria-label"] == evil


def test_small_parts_can_be_seen() -> None:
    """One failure in a million is visible."""
    _, rects = drawn(draw_stacked_bar([Part("ok", 10**6), Part("timeout", 1, "bad")], label="Outcomes"))
    assert number(rects[1], "width") >= 2
