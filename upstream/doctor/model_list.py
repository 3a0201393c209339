"""Fetches the models that an upstream lists: `GET /models`, https://platform.openai.com/docs/api-reference/models."""

import json
from typing import Any

import aiohttp

from upstream.dialects import CHAT, Dialect
from upstream.http.client import Endpoint

_MAX_LIST_BYTES = 16 * 2**20  # OpenRouter's is half a megabyte
_ANTHROPIC_VERSION = "2023-06-01"
_ANTHROPIC_PAGE = {"limit": "1000"}  # the default is 20; https://docs.anthropic.com/en/api/models-list


async def fetch_model_ids(
    endpoint: Endpoint,
    headers: dict[str, str],
    *,
    dialect: Dialect = CHAT,
    provider: str | None = None,
    timeout_s: float,
) -> frozenset[str] | None:
    """Return the ids that an upstream lists; None if it gives no list, for whatever reason.

    The list is optional: only a chat request shows whether the upstream works. `headers` are those of the model.
    Anthropic, whose chat endpoint takes a bearer token, wants its own header for the list.
    """
    query: dict[str, str] = {}
    key = None if endpoint.api_key is None else endpoint.api_key.value
    headers = {**dialect.auth_headers(key), **headers}
    if provider == "anthropic" and key is not None:
        headers = {"x-api-key": key, "anthropic-version": _ANTHROPIC_VERSION, **headers}
        query = _ANTHROPIC_PAGE
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(f"{endpoint.base_url}/models", params=query, headers=headers, allow_redirects=False) as reply,
        ):
            return parse_model_ids(await _read_body(reply)) if reply.status == 200 else None  # noqa: PLR2004
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


async def _read_body(reply: aiohttp.ClientResponse) -> bytes:
    """Return the body, or b"" if it is too large to be a list of models."""
    body = bytearray()
    async for piece in reply.content.iter_any():
        body += piece
        if len(body) > _MAX_LIST_BYTES:
            return b""
    return bytes(body)


def parse_model_ids(body: bytes) -> frozenset[str] | None:
    """Return the ids in a list of models, or None if the body is no such list.

    Some upstreams send the list without the object around it. Google lists `models/NAME` and accepts NAME.
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
