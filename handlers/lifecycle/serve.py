"""Runs the application: opens its socket, handles signals, and shuts it down gracefully."""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from aiohttp import web

from config.settings import Server
from handlers.errors import StartError
from handlers.lifecycle.connections import accept_clients
from handlers.lifecycle.shutdown import LAST_WORDS_S, SHUTDOWN
from handlers.lifecycle.snapshots import SNAPSHOTS
from handlers.telemetry.loop_errors import LoopErrors

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_REMEDIES = {
    errno.EADDRINUSE: "is another gateway running? Stop it, or choose another port: --port N (make run ARGS=--port=N)",
    errno.EACCES: "ports below 1024 need privileges; choose another: --port N",
}


class Signals:
    """Signals as events: `stop` after SIGINT or SIGTERM, `hangup` after SIGHUP.

    A second SIGINT or SIGTERM has its default effect and ends the process at once. A SIGHUP because the terminal was
    closed in which the gateway was started also sets `stop`.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hangup = asyncio.Event()
        self._had_terminal = _has_terminal()

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle signals inside the block; afterwards they have their default effect."""
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            for number in (*_STOP_SIGNALS, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _on_stop(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
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
    """Serve inside the block, and give the port. Raises StartError if the socket cannot be opened.

    Leaving the block refuses new requests, lets running ones finish within `shutdown_timeout_s`, and ends the rest with
    an error. Then the socket is closed and the application cleaned up.
    """
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=LAST_WORDS_S)
    try:
        await runner.setup()
        async with AsyncExitStack() as stack:
            errors = _log_loop_errors(stack)
            limits = lambda: app[SNAPSHOTS].current.settings.server  # noqa: E731 -- a reload changes them
            accepting = accept_clients(runner, server.host, server.port, limits, errors)
            try:
                port = await stack.enter_async_context(accepting)
            except OSError as error:
                raise StartError(_describe_listen_error(server, error)) from error
            yield port
            await app[SHUTDOWN].stop(app[SNAPSHOTS].current.settings.server.shutdown_timeout_s)
    finally:
        await runner.cleanup()


def _log_loop_errors(stack: AsyncExitStack) -> LoopErrors:
    loop = asyncio.get_running_loop()
    errors = LoopErrors(loop)
    loop.set_exception_handler(errors)  # to the end of the process: asyncio may try to accept on a closed socket
    stack.callback(errors.close)
    return errors


@asynccontextmanager
async def run_beside(*coroutines: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run coroutines concurrently with the block, and cancel them at its end. The first exception is raised there."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome


def _describe_listen_error(server: Server, error: OSError) -> str:
    number = error.errno or 0
    reason = os.strerror(number) if number > 0 else error.strerror  # negative numbers are those of getaddrinfo
    remedy = _REMEDIES.get(number, "see server.host and --host")
    return f"cannot listen on {server.host}:{server.port}: {reason}; {remedy}"


def _has_terminal() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
