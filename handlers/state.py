"""What the handlers share: the running gateway under one configuration, which a request keeps to its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from config.settings import Settings
from handlers.trace_store import TraceStore
from upstream.pool import Pool


class Readiness(Protocol):
    """Tells what keeps the gateway from serving."""

    def __call__(self) -> Sequence[str]:
        """Return one sentence for each reason, none when ready."""
        ...


@dataclass(slots=True)
class State:
    """The running gateway. `unix_time` gives seconds since the epoch."""

    settings: Settings
    pool: Pool
    not_ready: Readiness
    unix_time: Callable[[], float]
    traces: TraceStore | None = None


STATE = web.RequestKey("state", State)
"""The state that a request began with: a configuration that is reloaded meanwhile is for later ones."""
