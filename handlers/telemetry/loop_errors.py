"""Log the errors of the event loop itself: once in full, then summed up.

Some of them come in floods. Without free descriptors `accept` fails a hundred times a second, and asyncio would write a
traceback each time, until the disk is full as well. Others are caused by a client's bytes and would show them.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from handlers.telemetry.repeats import INTERVAL_S, Repeats

_log = structlog.get_logger("loop")

_WITHOUT_TRACEBACK = (OSError, HttpProcessingError, UnicodeError, asyncio.CancelledError)


class LoopErrors:
    """An exception handler for `loop.set_exception_handler`.

    `on_exhausted` is called when the process has no descriptors left.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.on_exhausted: Callable[[], None] = lambda: None
        self._loop = loop
        self._repeats = Repeats(self._write, loop.time)
        self._flush: asyncio.TimerHandle | None = None

    def __call__(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Write one error, or count it if one of its kind was written lately."""
        error = context.get("exception")
        name = type(error).__name__ if error is not None else "no exception"
        self._repeats.report(f"{context.get('message', '')} ({name})", error=error)
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            self.on_exhausted()
        if self._flush is None:
            self._flush = self._loop.call_later(INTERVAL_S, self._write_counts)

    def close(self) -> None:
        """Stop the timer that writes counts."""
        if self._flush is not None:
            self._flush.cancel()

    def _write_counts(self) -> None:
        self._flush = None
        self._repeats.flush()

    @staticmethod
    def _write(kind: str, count: int, facts: Mapping[str, Any]) -> None:
        error = facts["error"]
        reason = error.strerror if isinstance(error, OSError) else None
        if error is None or isinstance(error, _WITHOUT_TRACEBACK):
            _log.error("event loop error", kind=kind, count=count, reason=reason)
        else:
            _log.error("event loop error", kind=kind, count=count, exc_info=error)
