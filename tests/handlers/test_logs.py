"""How log lines look."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from handlers import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_lines_are_json_where_nobody_looks() -> None:
    """One object for each event, with level and time; the standard library's loggers go the same way."""
    stream = io.StringIO()
    logs.configure(debug=False, stream=stream)
    structlog.get_logger("a").info("hello", count=1)
    structlog.get_logger("a").debug("hidden")
    logging.getLogger("aiohttp.server").warning("from the library")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["count"], first["level"]) == ("hello", 1, "info")
    assert (second["event"], second["level"]) == ("from the library", "warning")


def test_a_traceback_is_kept() -> None:
    """An unexpected exception is logged whole."""
    stream = io.StringIO()
    logs.configure(debug=False, stream=stream)
    try:
        int("boom")
    except ValueError:
        structlog.get_logger("a").exception("failed")
    assert "ValueError: invalid literal" in json.loads(stream.getvalue())["exception"]


def test_a_terminal_gets_colours() -> None:
    """And with debug, everything."""
    stream = Terminal()
    logs.configure(debug=True, stream=stream)
    structlog.get_logger("a").debug("shown")
    assert "\x1b[" in stream.getvalue()
    assert "shown" in stream.getvalue()
