"""How log lines look: colours on a terminal, JSON lines elsewhere; the standard library's loggers go the same way."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor


def configure(*, debug: bool, stream: TextIO = sys.stderr) -> None:
    """Send every log line of the process to `stream`; below `info` only with `debug`."""
    level = logging.DEBUG if debug else logging.INFO
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(stream)),
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _rendering(stream: TextIO) -> list[Processor]:
    tidy = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if stream.isatty():
        return [tidy, structlog.dev.ConsoleRenderer()]
    return [tidy, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
