"""How log lines look: colours on a terminal, JSON lines elsewhere; the standard library's loggers go the same way."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from upstream import codec

_LEVELS = {"exception": "error", "warn": "warning"}

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered; each of its log lines carries it."""


def configure(*, debug: bool, quiet: bool = False, stream: TextIO = sys.stderr) -> None:
    """Send every log line of the process to `stream`; below `info` only with `debug`, else with `quiet` hardly any."""
    level = logging.DEBUG if debug else logging.CRITICAL if quiet else logging.INFO
    shared: list[Processor] = [
        _stamped,
    ]
    rendering = _rendering(stream)
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),  # a fifth of what a line costs by way of `logging`
        cache_logger_on_first_use=True,
    )
    tidy = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[tidy, *rendering]),
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _stamped(_logger: Any, level: str, event: EventDict) -> EventDict:
    """Say how grave a line is, when it was written, and about which request."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    event["level"] = _LEVELS.get(level, level)
    event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return event


def _with_traceback(logger: Any, level: str, event: EventDict) -> EventDict:
    return structlog.processors.format_exc_info(logger, level, event) if "exc_info" in event else event


def _rendering(stream: TextIO) -> list[Processor]:
    if stream.isatty():
        return [structlog.dev.ConsoleRenderer()]
    return [_with_traceback, structlog.processors.JSONRenderer(_as_json)]


def _as_json(event: EventDict, **_: Any) -> str:
    """Return a line's facts as JSON; what JSON has no word for, as Python shows it."""
    try:
        return codec.encode(event).decode()
    except TypeError:
        return json.dumps(event, default=repr)
