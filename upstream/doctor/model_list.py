"""Which models an upstream says it has: `GET /models`, https://platform.openai.com/docs/api-reference/models."""

import json
from typing import Any

import aiohttp

from upstream.http.client import Endpoint

_MAX_LIST_BYTES = 16 * 2**20  # OpenRouter's is half a megabyte


async def listed(endpoint: Endpoint, headers: dict[str, str], *, timeout_s: float) -> frozenset[str] | None:
    """Return the ids that an upstream lists; None where it gives no such list, for whatever reason.

    A list is a courtesy: whether the upstream works is for a chat request to find out. `headers` are the model's own.
    """
    if endpoint.api_key is not None:
        headers = {"Authorization": f"Bearer {endpoint.api_key.value}", **headers}
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(f"{endpoint.base_url}/models", headers=headers, allow_redirects=False) as reply,
        ):
            return ids(await _body(reply)) if reply.status == 200 else None  # noqa: PLR2004
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    """Return the body; nothing of one that is too large to be a list of models."""
    body = bytearray()
    async for piece in reply.content.iter_any():
        body += piece
        if len(body) > _MAX_LIST_BYTES:
            return b""
    return bytes(body)


def ids(body: bytes) -> frozenset[str] | None:
    """Return the ids in a list of models, which some upstreams send without the object around it; None if it is none.

    Google lists `models/NAME`, and takes NAME.
    """
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    entries = value.get("data") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        return None
    found = [entry.get("id") for entry in entries if isinstance(entry, dict)]
    return (
        frozenset(each.removeprefix("models/") for each in found if isinstance(each, str) and each.isprintable())
        or None
    )
