"""What goes with one request from its arrival to its log line."""

from dataclasses import dataclass

from aiohttp import web

from config.settings import ApiKey
from handlers.record import RequestRecord
from handlers.state import State
from handlers.trace import Trace


@dataclass(slots=True)
class RequestContext:
    """One request's.

    `state` is the one that it began with: a configuration that is reloaded meanwhile is for later ones. `key` is what
    the client showed, None where none is asked for; `trace` is None where none is kept.
    """

    state: State
    request_id: str
    record: RequestRecord
    key: ApiKey | None = None
    trace: Trace | None = None


CONTEXT = web.RequestKey("context", RequestContext)
