"""Fences, and the lines between them."""

import pytest

from synth.edits.fences import FENCES, Fence, split_lines


def test_backticks_stand_in_for_any_fence() -> None:
    """Models fall back to them."""
    fence = Fence("<source>", "</source>")
    assert fence.starts("<source>\n")
    assert fence.starts("```python\n")
    assert fence.ends("```\n")
    assert not fence.ends("<source>\n")


def test_the_fences_are_tried_in_the_order_of_the_tool() -> None:
    """Backticks first, then tags."""
    assert [fence.opening for fence in FENCES[:3]] == ["```", "````", "<source>"]


@pytest.mark.parametrize(
    ("text", "lines"), [("", []), ("a", ["a\n"]), ("a\nb\n", ["a\n", "b\n"]), ("a\r\n", ["a\r\n"]), ("\n", ["\n"])]
)
def test_every_line_has_an_end(text: str, lines: list[str]) -> None:
    """Also the last one."""
    assert split_lines(text) == lines
