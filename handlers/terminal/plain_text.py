"""Makes foreign text safe for a terminal. Pure."""

_KEPT = "\n\t"
_CONTROLS = {code: None for code in (*range(32), 127, *range(128, 160)) if chr(code) not in _KEPT}


def strip_controls(text: str) -> str:
    """Return text without control characters, except line ends and tabs.

    A terminal obeys escape sequences: they move the cursor, set its title, and some terminals even answer them as if
    the user had typed (ECMA-48 begins them with ESC, or with one of the C1 codes U+0080 to U+009F).
    """
    return text.translate(_CONTROLS)


def join_lines(text: str) -> str:
    """Return text in one line, without control characters."""
    return " ".join(strip_controls(text).split())
