"""Host names and origins: which are loopback, and how config.yaml writes them."""

import ipaddress
import re
from functools import lru_cache

from config.reader import InvalidValue, Place, describe, text

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@\\*]+")


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port and brackets, reaches this machine only.

    `0.0.0.0` and `::` are not loopback: a server that listens there is reachable from other machines.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def host_name(place: Place) -> str:
    """Read the host of a `Host` header, without its port; returned in lower case."""
    host = text(place).lower().removeprefix("[").removesuffix("]")
    if not _HOST_NAME.fullmatch(host) and not _is_address(host):
        raise InvalidValue(f"must be a host name or an address without scheme, port or wildcard, {describe(place)}")
    return host


def origin(place: Place) -> str:
    """Read an origin as browsers send it: scheme, host, and the port unless it is the scheme's default."""
    given = text(place).lower()
    if not _ORIGIN.fullmatch(given):
        raise InvalidValue(
            f"must be an origin like https://chat.example.com, without path or wildcard, {describe(place)}"
        )
    return given


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
