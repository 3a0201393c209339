"""Tables of text for the terminal."""

from handlers.terminal.tables import Cell, format_table, paint

ROWS = [[Cell("a", "green"), Cell("long cell")], [Cell("bcd"), Cell("")]]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Two blanks between them, none at the end of a line."""
    assert format_table(["X", "Y"], ROWS, colours=False) == ["X    Y", "a    long cell", "bcd"]


def test_colours_do_not_change_the_widths() -> None:
    """Escape codes have no width on the screen."""
    plain = format_table(["X", "Y"], ROWS, colours=False)
    coloured = format_table(["X", "Y"], ROWS, colours=True)
    assert coloured[1] == f"{paint('a', 'green', colours=True)}    long cell"
    assert coloured[2] == plain[2]


def test_a_text_without_a_colour_stays_plain() -> None:
    """Also if colours are on."""
    assert paint("x", "", colours=True) == "x"
    assert paint("x", "red", colours=True) == "\033[31mx\033[0m"
