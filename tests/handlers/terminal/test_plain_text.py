"""Untrusted text on a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.terminal.plain_text import join_lines, strip_controls


@given(st.text())
def test_nothing_commands_the_terminal(text: str) -> None:
    """ESC, other control characters and C1 codes are removed; line ends, tabs and all other text stay."""
    stripped = strip_controls(text)
    assert not {character for character in stripped if ord(character) < 32 or 127 <= ord(character) < 160} - {
        "\n",
        "\t",
    }
    assert [each for each in stripped if each.isprintable()] == [each for each in text if each.isprintable()]


def test_an_escape_sequence_is_harmless_letters() -> None:
    """Its letters stay, as a sign that there was one."""
    assert strip_controls("a\x1b[2J\x9b2Jb\r\n\tc") == "a[2J2Jb\n\tc"


def test_text_is_shown_in_its_own_order() -> None:
    """Bidirectional controls cannot disguise a cause; Hebrew is readable without them."""
    assert (
        strip_controls("\u202eton si ti\u202c \u2066\u05e9\u05dc\u05d5\u05dd\u2069")
        == "ton si ti \u05e9\u05dc\u05d5\u05dd"
    )


def test_a_text_of_several_lines_fits_into_one() -> None:
    """A cause of several lines fits into one."""
    assert join_lines(" one\n two\x1b\t three ") == "one two three"
