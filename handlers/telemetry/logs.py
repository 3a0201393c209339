"""Log format: short lines on a terminal, JSON elsewhere; also for the loggers of the standard library."""

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from time import time
from typing import Any, Literal, Self, TextIO

import structlog
from structlog.typing import EventDict, Processor

from handlers.telemetry.readable_lines import ReadableLines
from runtime import json_codec

_COMPACT = (",", ":")
_PLAIN = {str, int, float, bool, type(None)}
_NUMBERS = {"debug": logging.DEBUG, "info": logging.INFO, "error": logging.ERROR}
_LEVELS = {"exception": "error", "warn": "warning"}

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the current request; added to each of its log lines."""


class Lines:
    """A logger that writes lines to a stream and never raises: a full disk or a closed pipe must not cost an answer.

    Lines that could not be written are counted, and the count is logged when writing works again. Threads may share it.
    It does not buffer, so that no line is lost at exit. `least_level` is the lowest level to write, as in `logging`.
    """

    def __init__(self, stream: TextIO, least_level: int) -> None:
        self.least_level = least_level
        self._send = _open_writer(stream)
        self._lock = Lock()
        self._n_lost = 0

    def __call__(self, *_: Any) -> Self:
        """Return this same logger for every name."""
        return self

    def write(self, text: str) -> None:
        """Write whole lines."""
        with self._lock:
            try:
                self._send(f"{self._describe_loss()}{text}" if self._n_lost else text)
            except (OSError, ValueError):  # ValueError: it is closed
                self._n_lost += 1
            else:
                self._n_lost = 0

    def _describe_loss(self) -> str:
        return json_codec.encode_ascii({"event": "log lines were lost", "count": self._n_lost, "level": "error"}) + "\n"

    def flush(self) -> None:
        """Do nothing: lines are written unbuffered."""

    def msg(self, line: str) -> None:
        """Write one line."""
        self.write(f"{line}\n")

    debug = info = warning = warn = error = exception = critical = fatal = log = msg


def _open_writer(stream: TextIO) -> Callable[[str], None]:
    """Return a function that writes text unbuffered; it raises OSError, or ValueError if the stream is closed."""
    try:
        stream.flush()
        descriptor = stream.fileno()
    except (OSError, ValueError):  # a stream in memory

        def send(text: str) -> None:
            stream.write(text)
            stream.flush()

        return send

    def send_unbuffered(text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        n_written = os.write(descriptor, data)
        while n_written < len(data):
            n_written += os.write(descriptor, data[n_written:])

    return send_unbuffered


def log_fast(level: Literal["debug", "info", "error"], event: str, facts: dict[str, Any]) -> None:
    """Log an event as structlog's loggers do, but without their three copies of `facts`, which it modifies.

    For the line that every request has.
    """
    config = structlog.get_config()
    logger, processors = config["logger_factory"](), config["processors"]
    if isinstance(logger, Lines) and _NUMBERS[level] < logger.least_level:
        return
    facts["event"] = event
    if processors == _TO_JSON and _is_plain(facts):
        logger.msg(json_codec.encode_ascii(_add_context(logger, level, facts)))
        return
    line: Any = facts
    try:
        for processor in processors:
            line = processor(logger, level, line)
    except structlog.DropEvent:
        return
    getattr(logger, level)(line)


def configure(*, debug: bool, quiet: bool = False, plain: bool = False, stream: TextIO = sys.stderr) -> None:
    """Send all log lines of the process to `stream`: from level `info`; all if `debug`, critical ones if `quiet`.

    A terminal gets readable lines, in colours unless `plain`; everything else gets JSON.
    """
    level = logging.DEBUG if debug else logging.CRITICAL if quiet else logging.INFO
    shared: list[Processor] = [_add_context]
    rendering, lines = _choose_renderer(stream, plain=plain), Lines(stream, level)
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lines,  # a line by way of `logging` costs five times as much
        cache_logger_on_first_use=True,
    )
    tidy = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[tidy, *rendering]),
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _add_context(_logger: Any, level: str, event: EventDict) -> EventDict:
    """Add level, timestamp and request id to a line."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    event["level"] = _LEVELS.get(level, level)
    now = time()
    event["timestamp"] = f"{_format_second(int(now))}.{int(now % 1 * 1e6):06d}Z"
    return event


@lru_cache(maxsize=4)
def _format_second(unix_time: int) -> str:
    return datetime.fromtimestamp(unix_time, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _format_traceback(logger: Any, level: str, event: EventDict) -> EventDict:
    return structlog.processors.format_exc_info(logger, level, event) if "exc_info" in event else event


def _choose_renderer(stream: TextIO, *, plain: bool) -> list[Processor]:
    if stream.isatty():
        return [_format_traceback, ReadableLines(colours=not plain)]
    return _TO_JSON[1:]


def _serialize_line(event: EventDict, *, default: Callable[[Any], Any]) -> str:
    """Return a line as ASCII JSON; fast if it has plain values only, as the lines of requests do."""
    return (
        json_codec.encode_ascii(event) if _is_plain(event) else json.dumps(event, default=default, separators=_COMPACT)
    )


_TO_JSON: list[Processor] = [
    _add_context,
    _format_traceback,
    structlog.processors.JSONRenderer(serializer=_serialize_line, default=repr),
]


def _is_plain(event: Mapping[str, Any]) -> bool:
    """Whether all values are plain. The fast encoder would open other objects, and reveal the value of a Secret."""
    others = set(map(type, event.values())) - _PLAIN
    return not others or (others == {dict} and all(_is_plain(each) for each in event.values() if type(each) is dict))
