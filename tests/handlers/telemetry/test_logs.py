"""The form of log lines."""

import errno
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from config.settings import Secret
from handlers.telemetry import logs


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


def test_lines_are_json_unless_on_a_terminal() -> None:
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


def test_lines_are_ascii_and_values_without_a_json_form_are_reprs() -> None:
    """So that no Unicode separator splits a line, and a secret stays hidden."""
    stream = io.StringIO()
    logs.configure(debug=False, stream=stream)
    structlog.get_logger("a").info("a\u2028b\x9b2J", key=Secret("sk-123456789", "ENV"))
    line = stream.getvalue()
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["event"] == "a\u2028b\x9b2J"
    assert "sk-123456789" not in line


def test_an_added_processor_receives_the_line_of_a_request() -> None:
    """The short way to JSON is for our own processors alone."""
    stream = io.StringIO()
    logs.configure(debug=False, stream=stream)
    ours = structlog.get_config()["processors"]
    structlog.configure(processors=[lambda _logger, _level, event: {**event, "path": "hidden"}, *ours])
    logs.log_fast("info", "request", {"path": "/secret"})
    assert json.loads(stream.getvalue())["path"] == "hidden"


class FullDisk(io.StringIO):
    is_full = True

    def flush(self) -> None:
        if self.is_full:
            self.seek(0)
            self.truncate()
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_costs_nothing_but_its_lines() -> None:
    """Their number is logged as soon as it can be."""
    stream = FullDisk()
    logs.configure(debug=False, stream=stream)
    structlog.get_logger("a").info("lost")
    structlog.get_logger("b").warning("lost, too")
    stream.is_full = False
    structlog.get_logger("a").info("kept")
    lost, kept = map(json.loads, stream.getvalue().splitlines())
    assert (lost["event"], lost["count"]) == ("log lines were lost", 2)
    assert kept["event"] == "kept"
    stream.close()
    structlog.get_logger("a").info("nobody hears it")


def test_a_terminal_gets_readable_lines() -> None:
    """With debug, everything; in colours unless they are unwanted; tracebacks and other loggers as well."""
    for plain in (False, True):
        stream = Terminal()
        logs.configure(debug=True, plain=plain, stream=stream)
        structlog.get_logger("a").debug("shown", key="value")
        logs.log_fast("info", "request", {"method": "GET", "path": "/healthz", "status": 200, "seconds": 0.01})
        logging.getLogger("aiohttp.server").warning("from the library")
        try:
            int("boom")
        except ValueError:
            structlog.get_logger("a").exception("failed")
        written = stream.getvalue()
        assert ("\x1b[" in written) is not plain
        assert not written.startswith("{")
        if plain:
            lines = [line.partition("  ")[2] for line in written.split("\n")]
            assert lines[:4] == [
                "debug: shown  key=value",
                "200  GET /healthz  0.0 s",
                "warning: from the library",
                "error: failed",
            ]
            assert "ValueError: invalid literal" in written
