"""Who may come in: decided on the request's headers alone, before any of its body is read. Pure.

Three ways in are closed. A web page that the user looks at may make the browser send requests to the gateway: its
`Origin` gives it away, or `Sec-Fetch-Site`. A page whose own name was rebound to 127.0.0.1 looks like the gateway's own
to the browser: its `Host` gives it away. And who shows no key gets nothing where keys are asked for.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from multidict import MultiMapping

from config.addresses import is_loopback
from config.settings import ApiKey, Server
from handlers.errors import ApiError

PROBES = frozenset({"/healthz", "/readyz"})
"""Paths that ask for no key: whoever watches the process has none."""

PAGES = "/ui"
"""Where what a browser shows begins; it can't send `Authorization: Bearer` of its own accord, but asks its user."""

_SHOWN_TO_PAGES = "x-request-id, x-mom-mode, x-mom-candidates, x-mom-decided-by, server-timing, retry-after"
_PREFLIGHT_AGE_S = 600


def check_origin(headers: MultiMapping[str], server: Server) -> None:
    """Let programs pass, and the pages of `allowed_origins`; ApiError (403) for every other page."""
    origins = headers.getall("Origin", ())
    for origin in origins:
        if origin.lower() not in server.allowed_origins:
            raise ApiError(
                403,
                "web pages of this origin may not use the gateway; server.allowed_origins names those that may",
                code="origin_not_allowed",
            )
    if not origins and headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
        raise ApiError(403, "other sites' web pages may not use the gateway", code="origin_not_allowed")


def check_host(headers: MultiMapping[str], server: Server) -> None:
    """Let those pass who call the gateway by a name that it has; ApiError (403) else.

    On loopback its names are those of loopback, and `allowed_hosts`. Elsewhere it cannot know how it is called, and
    `allowed_hosts`, where there are any, say it.
    """
    if not is_loopback(server.host) and not server.allowed_hosts:
        return
    for stated in headers.getall("Host", ()):  # HTTP/1.0 may do without; a browser never does
        host = _without_port(stated)
        if host is None or not (is_loopback(host) or host in server.allowed_hosts):
            raise ApiError(
                403,
                "the gateway is not called by this host name; server.allowed_hosts names those that it may have",
                code="host_not_allowed",
            )


def is_page(path: str) -> bool:
    """Tell whether a path is one of the pages for a browser."""
    return path == PAGES or path.startswith(f"{PAGES}/")


def key_of(headers: MultiMapping[str], keys: Sequence[ApiKey], *, for_page: bool = False) -> ApiKey:
    """Return the key that `Authorization: Bearer` shows; ApiError (401) for none, and for one that is not known.

    For a page it may be the password of `Basic` as well (RFC 7617), whatever the user is called.
    How long that takes does not depend on which key is right, nor on how much of one is.
    """
    scheme, _, shown = headers.get("Authorization", "").partition(" ")
    credential = b""
    if scheme.lower() == "bearer":
        credential = shown.strip().encode("utf-8", "surrogateescape")
    elif for_page and scheme.lower() == "basic":
        credential = _password(shown)
    found: ApiKey | None = None
    for key in keys:
        if hmac.compare_digest(credential, key.key.value.encode()):
            found = key
    if found is None:
        told = "this API key is not known here" if credential else "an API key is missing"
        raise ApiError(
            401,
            f"{told}; send one of server.api_keys as Authorization: Bearer",
            code="invalid_api_key",
            headers={"WWW-Authenticate": f'{"Basic" if for_page else "Bearer"} realm="mom-gateway"'},
        )
    return found


def _password(shown: str) -> bytes:
    try:
        return b64decode(shown.strip().encode("ascii", "replace"), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a browser asks what a page may send (the Fetch standard's CORS-preflight request)."""
    return method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers


def preflight(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that permit what a page of an allowed origin asks for, be it from a private network."""
    permitted = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Max-Age": str(_PREFLIGHT_AGE_S),
    }
    asked = headers.get("Access-Control-Request-Headers")
    if asked:  # every SDK has headers of its own, and `*` would leave Authorization out
        permitted["Access-Control-Allow-Headers"] = asked
    if headers.get("Access-Control-Request-Private-Network") == "true":
        permitted["Access-Control-Allow-Private-Network"] = "true"
    return permitted


def shared(headers: Mapping[str, str], server: Server) -> dict[str, str]:
    """Return the headers by which a browser lets a page of an allowed origin read the reply; none for others."""
    if not server.allowed_origins:
        return {}
    origin = headers.get("Origin", "")
    if origin.lower() not in server.allowed_origins:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _SHOWN_TO_PAGES,
    }


@lru_cache(maxsize=256)
def _without_port(stated: str) -> str | None:
    """Return the host of a `Host` header in lower case, without brackets; None where it is none."""
    try:
        parts = urlsplit(f"//{stated}")
        _ = parts.port  # is read, and refused, only when asked for
    except ValueError:
        return None
    return parts.hostname if parts.netloc == stated and "@" not in stated else None
