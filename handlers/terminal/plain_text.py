"""Makes foreign text safe for a terminal. Pure."""

_KEPT = "\n\t"
_COMMANDS = (*range(0x20), *range(0x7F, 0xA0))
_ORDER = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = {code: None for code in (*_COMMANDS, *_ORDER) if chr(code) not in _KEPT}


def strip_controls(text: str) -> str:
    """Return text without control characters, except line ends and tabs.

    A terminal obeys escape sequences: they move the cursor, set its title, and some terminals even answer them as if
    the user had typed (ECMA-48 begins them with ESC, or with one of the C1 codes U+0080 to U+009F). Unicode's
    bidirectional controls reorder text on the screen (CVE-2021-42574); right-to-left text works without them.
    """
    return text.translate(_CONTROLS)


def join_lines(text: str) -> str:
    """Return text in one line, without control characters."""
    return " ".join(strip_controls(text).split())
