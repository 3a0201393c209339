"""A running application: its socket, the signals that it obeys, and an orderly end."""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiohttp import web

from config.settings import Server
from handlers.errors import StartError
from handlers.lifecycle.shutdown import LAST_WORDS_S, SHUTDOWN
from handlers.lifecycle.snapshots import SNAPSHOTS

_ENDING = (signal.SIGINT, signal.SIGTERM)
_REMEDIES = {
    errno.EADDRINUSE: "is another gateway running? Stop it, or choose another port: --port N (make run ARGS=--port=N)",
    errno.EACCES: "the system keeps ports below 1024 for itself; choose another: --port N",
}


class Signals:
    """What the process was told: `stop` by SIGINT or SIGTERM, `hangup` by SIGHUP.

    After the first word to stop the next one ends the process at once, as if nobody listened. A SIGHUP because the
    terminal was closed in which the gateway was started means to stop as well.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hangup = asyncio.Event()
        self._had_terminal = _has_terminal()

    @contextmanager
    def obeyed(self) -> Iterator[None]:
        """Listen for the block; afterwards signals do what they do by default."""
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            for number in (*_ENDING, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _on_stop(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        self.stop.set()

    def _on_hangup(self) -> None:
        if self._had_terminal and not _has_terminal():
            self._on_stop()
        else:
            self.hangup.set()


@asynccontextmanager
async def listening(app: web.Application, server: Server) -> AsyncGenerator[int]:
    """Serve for the block, and give the port; StartError where that cannot be.

    Its end refuses new requests, lets those that run finish within `shutdown_timeout_s`, and ends the rest with an
    error; the socket stays open for as long, and what the application holds is cleaned up after it.
    """
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=LAST_WORDS_S)
    try:
        await runner.setup()
        site = web.TCPSite(runner, server.host, server.port)
        try:
            await site.start()
        except OSError as error:
            raise StartError(_cannot_listen(server, error)) from error
        yield int(runner.addresses[0][1])
        await app[SHUTDOWN].stop(app[SNAPSHOTS].current.settings.server.shutdown_timeout_s)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def beside(*running: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run these beside the block, and cancel them at its end. What one raises is raised there."""
    tasks = [asyncio.create_task(each) for each in running]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome


def _cannot_listen(server: Server, error: OSError) -> str:
    number = error.errno or 0
    reason = os.strerror(number) if number > 0 else error.strerror  # a negative one is getaddrinfo's own
    remedy = _REMEDIES.get(number, "see server.host and --host")
    return f"cannot listen on {server.host}:{server.port}: {reason}; {remedy}"


def _has_terminal() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
