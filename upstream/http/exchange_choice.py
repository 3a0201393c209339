"""Chooses the HTTP exchange: the direct one with tested versions of aiohttp, else the one on its public API."""

import aiohttp
import structlog

from upstream.http.direct_exchange import DirectExchange
from upstream.http.exchange import Exchange
from upstream.http.session_exchange import SessionExchange

_log = structlog.get_logger(__name__)

TESTED_AIOHTTP = frozenset({"3.14.5"})
"""Versions whose internals are as direct_exchange.py expects. Add one after `make test` has passed with it."""

EXCHANGES: dict[str, type[Exchange]] = {each.name: each for each in (DirectExchange, SessionExchange)}


def choose_exchange(wanted: str | None = None, *, version: str = aiohttp.__version__) -> type[Exchange]:
    """Return the exchange with the wanted name; without one, the fastest that was tested with this aiohttp.

    Raises ValueError for an unknown name. Falling back is logged.
    """
    if wanted:
        if wanted not in EXCHANGES:
            raise ValueError(f"{wanted!r} is not an HTTP client; choose one of {', '.join(sorted(EXCHANGES))}")
        return EXCHANGES[wanted]
    if version in TESTED_AIOHTTP:
        return DirectExchange
    _log.info("aiohttp has an untested version: using its public API, which takes more CPU", version=version)
    return SessionExchange
