"""config.yaml, read again while the gateway runs: a good file goes for new requests, a bad one changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import structlog
from aiohttp import web

from config import ConfigError
from config.addresses import is_loopback
from config.settings import Server, Settings

_log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
_FIXED = ("host", "port", "max_body_mb")  # they are the socket's and the application's, which stay

_Stamp = tuple[int, int, int]


class Reloader:
    """Reads the configuration again, when told or when its file changes.

    `read` does so, raising ConfigError; it is called in a thread. `apply` puts new settings in force. `is_current` is
    whether the file, as it was when it was last read, is in force.
    """

    def __init__(
        self, first: Settings, read: Callable[[], Settings], apply: Callable[[Settings], Awaitable[None]]
    ) -> None:
        self._settings = first
        self._read = read
        self._apply = apply
        self._one_at_a_time = asyncio.Lock()
        self.is_current = True

    async def reload(self) -> None:
        """Put the file's settings in force, or say in the log, line by line, why they are not."""
        async with self._one_at_a_time:
            try:
                settings = carried_over(self._settings, await asyncio.to_thread(self._read))
                await self._apply(settings)
            except ConfigError as error:
                self.is_current = False
                for problem in error.problems:
                    _log.error("configuration problem", problem=problem)
                _log.error("the configuration stays as it was", file=str(self._settings.path))
            except Exception:  # noqa: BLE001 -- the next try is worth having, and so is the gateway
                self.is_current = False
                _log.exception("the configuration could not be read again", file=str(self._settings.path))
            else:
                self._settings, self.is_current = settings, True
                _log.info("configuration reloaded", file=str(settings.path))

    async def on(self, told: asyncio.Event) -> None:
        """Reload each time that the event is set; runs until it is cancelled."""
        while True:
            await told.wait()
            told.clear()
            await self.reload()

    async def watch(self) -> None:
        """Reload each time that the file has changed, while `server.watch` is on; runs until it is cancelled."""
        path = self._settings.path
        seen = await asyncio.to_thread(_stamp, path)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._settings.server.watch:
                continue
            found = await asyncio.to_thread(_stamp, path)
            if found not in (None, seen):  # an editor may have taken it away for a moment
                seen = found
                await self.reload()


RELOADER = web.AppKey("reloader", Reloader)


def carried_over(old: Settings, new: Settings) -> Settings:
    """Return the new settings with what only a restart can change as it was, and say so in the log.

    ConfigError where they would ask nobody for a key while the socket is open to others.
    """
    if not is_loopback(old.server.host) and not new.server.api_keys:
        raise ConfigError(
            f"{new.path}: server.api_keys: must not be taken away while the gateway listens on {old.server.host}: "
            "restart it"
        )
    for key in _FIXED:
        before, after = getattr(old.server, key), getattr(new.server, key)
        if before != after:
            _log.warning("takes effect after a restart", key=f"server.{key}", is_now=before, file_says=after)
    return replace(new, server=_with_fixed(old.server, new.server))


def _with_fixed(old: Server, new: Server) -> Server:
    return replace(new, host=old.host, port=old.port, max_body_mb=old.max_body_mb)


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes when a file does; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
