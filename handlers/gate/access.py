"""Access control by request headers alone, before any of the body is read. Pure.

Three attacks are blocked. A web page can make the user's browser send requests to the gateway; `Origin` or
`Sec-Fetch-Site` reveals it. A page whose host name was rebound to 127.0.0.1 has the gateway's own origin in the eyes of
the browser; `Host` reveals it. And if keys are configured, a request without a valid one is refused.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from multidict import MultiMapping

from config.sections.addresses import is_loopback
from config.settings import ApiKey, Server
from handlers.errors import ApiError

PROBES = frozenset({"/healthz", "/readyz"})
"""Paths that need no key, because process monitors have none."""

PAGES = "/ui"
"""The prefix of the pages for browsers, which cannot send `Authorization: Bearer` but ask their user to log in."""

_EXPOSED_HEADERS = (
    "x-request-id, x-mom-mode, x-mom-candidates, x-mom-evidence, "
    "x-mom-decided-by, x-mom-author, x-mom-shared, server-timing, retry-after"
)
_PREFLIGHT_AGE_S = 600


def check_origin(headers: MultiMapping[str], server: Server, *, for_page: bool = False) -> None:
    """Accept programs and the pages of `allowed_origins`. Raises ApiError (403) for every other page.

    `for_page` accepts the gateway's own pages too: those whose origin has the host of this very request. `check_host`
    comes first, so a name that an attacker has bound to this machine is no such host.
    """
    origins, host = headers.getall("Origin", ()), headers.get("Host", "").lower()
    own = (f"http://{host}", f"https://{host}")  # https behind a proxy that ends TLS
    for origin in origins:
        is_own = for_page and origin.lower() in own
        if origin.lower() not in server.allowed_origins and not is_own:
            raise ApiError(
                403,
                "web pages of this origin may not use the gateway; add it to server.allowed_origins if it should",
                code="origin_not_allowed",
            )
    if not origins and headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
        raise ApiError(403, "web pages of other sites may not use the gateway", code="origin_not_allowed")


def check_host(headers: MultiMapping[str], server: Server) -> None:
    """Check `Host` against the names of the gateway. Raises ApiError (403) if it is none of them.

    On loopback they are the loopback names and `allowed_hosts`. On other addresses the gateway cannot know its names,
    so only `allowed_hosts` count, and every name is accepted if there are none.
    """
    if not is_loopback(server.host) and not server.allowed_hosts:
        return
    for stated in headers.getall("Host", ()):  # optional in HTTP/1.0; browsers always send it
        host = _strip_port(stated)
        if host is None or not (is_loopback(host) or host in server.allowed_hosts):
            raise ApiError(
                403,
                "this host name is not allowed; add it to server.allowed_hosts if the gateway is reached by it",
                code="host_not_allowed",
            )


def is_page(path: str) -> bool:
    """Whether a path is one of the pages for browsers, or `/`, which leads to them."""
    return path in ("/", PAGES) or path.startswith(f"{PAGES}/")


def authenticate(headers: MultiMapping[str], keys: Sequence[ApiKey], *, for_page: bool = False) -> ApiKey:
    """Return the key in `Authorization: Bearer` or `x-api-key`. Raises ApiError (401) if it is missing or unknown.

    For a page it may also be the password of `Basic` (RFC 7617); the user name is ignored. The comparison takes
    constant time: it reveals neither which key matches nor how much of one.
    """
    scheme, _, shown = headers.get("Authorization", "").partition(" ")
    credential = b""
    if scheme.lower() == "bearer":
        credential = shown.strip().encode("utf-8", "surrogateescape")
    elif for_page and scheme.lower() == "basic":
        credential = _password(shown)
    elif not scheme:
        credential = headers.get("x-api-key", "").strip().encode("utf-8", "surrogateescape")
    found: ApiKey | None = None
    for key in keys:
        if hmac.compare_digest(credential, key.key.value.encode()):
            found = key
    if found is None:
        problem = "unknown API key" if credential else "missing API key"
        raise ApiError(
            401,
            f"{problem}; send one of server.api_keys as Authorization: Bearer or x-api-key",
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
    """Whether this is a CORS preflight request (https://fetch.spec.whatwg.org/#cors-preflight-request)."""
    return method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers


def preflight_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that permit a page of an allowed origin to send its request, also to a private network."""
    permitted = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Max-Age": str(_PREFLIGHT_AGE_S),
    }
    asked = headers.get("Access-Control-Request-Headers")
    if asked:  # SDKs send headers of their own, and `*` would not cover Authorization
        permitted["Access-Control-Allow-Headers"] = asked
    if headers.get("Access-Control-Request-Private-Network") == "true":
        permitted["Access-Control-Allow-Private-Network"] = "true"
    return permitted


def cors_headers(headers: Mapping[str, str], server: Server) -> dict[str, str]:
    """Return the headers that let a page of an allowed origin read the reply; none for other origins."""
    if not server.allowed_origins:
        return {}
    origin = headers.get("Origin", "")
    if origin.lower() not in server.allowed_origins:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED_HEADERS,
    }


@lru_cache(maxsize=256)
def _strip_port(stated: str) -> str | None:
    """Return the host of a `Host` header in lower case without port and brackets, or None if it is malformed."""
    try:
        parts = urlsplit(f"//{stated}")
        _ = parts.port  # validated only on access
    except ValueError:
        return None
    return parts.hostname if parts.netloc == stated and "@" not in stated else None
