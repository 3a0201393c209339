"""Hosts and origins: who may be called loopback, and how config.yaml names the others."""

import ipaddress
import re
from functools import lru_cache

from config.reader import Place, Refused, shown, text

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@\\*]+")


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Tell whether a host name or address, without port and brackets, can only be this machine itself.

    `0.0.0.0` and `::` are not loopback: who listens there is reached from everywhere.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def host_name(place: Place) -> str:
    """Read the host of a `Host` header, without its port; in lower case."""
    host = text(place).lower().removeprefix("[").removesuffix("]")
    if not _HOST_NAME.fullmatch(host) and not _is_address(host):
        raise Refused(f"must be a host name or an address, without scheme, port and wildcards, {shown(place)}")
    return host


def origin(place: Place) -> str:
    """Read an origin as browsers send it: scheme, host, and the port where it is not the scheme's own."""
    given = text(place).lower()
    if not _ORIGIN.fullmatch(given):
        raise Refused(f"must be an origin like https://chat.example.com, without a path or wildcards, {shown(place)}")
    return given


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
