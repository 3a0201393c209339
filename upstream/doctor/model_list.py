"""Fetches the models that an upstream lists: `GET /models`, https://platform.openai.com/docs/api-reference/models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import aiohttp

from config.settings import Price
from upstream.dialects import CHAT, Dialect
from upstream.http.client import Endpoint

_MAX_LIST_BYTES = 16 * 2**20  # OpenRouter's is half a megabyte
_ANTHROPIC_VERSION = "2023-06-01"
_ANTHROPIC_PAGE = {"limit": "1000"}  # the default is 20; https://docs.anthropic.com/en/api/models-list
_PER_MILLION = 10**6


@dataclass(frozen=True, slots=True)
class ModelList:
    """The reply to `GET /models`: the ids in the upstream's order, and the prices that it states.

    `status` is the reply's, or None without a reply; then `reason` says why. No ids: the reply is not a list of models.
    """

    ids: tuple[str, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    status: int | None = None
    reason: str = ""


async def fetch_model_ids(
    endpoint: Endpoint,
    headers: dict[str, str],
    *,
    dialect: Dialect = CHAT,
    provider: str | None = None,
    timeout_s: float,
    connect_s: float | None = None,
) -> frozenset[str] | None:
    """Return the ids that an upstream lists, or None if it gives no list, for whatever reason.

    The list is optional: only a chat request shows whether the upstream works. Arguments as `fetch_model_list`.
    """
    found = await fetch_model_list(
        endpoint, headers, dialect=dialect, provider=provider, timeout_s=timeout_s, connect_s=connect_s
    )
    return frozenset(found.ids) or None


async def fetch_model_list(
    endpoint: Endpoint,
    headers: dict[str, str],
    *,
    dialect: Dialect = CHAT,
    provider: str | None = None,
    timeout_s: float,
    connect_s: float | None = None,
) -> ModelList:
    """Return the models that an upstream lists. Never raises. `headers` are those of the model.

    `timeout_s` bounds the whole request, `connect_s` connecting.

    Anthropic's chat endpoint takes a bearer token, but its list requires `x-api-key`.
    """
    query: dict[str, str] = {}
    key = None if endpoint.api_key is None else endpoint.api_key.value
    headers = {**dialect.auth_headers(key), **headers}
    if provider == "anthropic" and key is not None:
        headers = {"x-api-key": key, "anthropic-version": _ANTHROPIC_VERSION, **headers}
        query = _ANTHROPIC_PAGE
    timeout = aiohttp.ClientTimeout(total=timeout_s, connect=connect_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(f"{endpoint.base_url}/models", params=query, headers=headers, allow_redirects=False) as reply,
        ):
            if reply.status != 200:  # noqa: PLR2004
                return ModelList(status=reply.status)
            return parse_model_list(await _read_body(reply))
    except aiohttp.ConnectionTimeoutError:
        return ModelList(reason="no connection in time")
    except TimeoutError:
        return ModelList(reason=f"no reply within {timeout_s:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a key that no header can carry
        return ModelList(reason=str(error) or type(error).__name__)


async def _read_body(reply: aiohttp.ClientResponse) -> bytes:
    """Return the body, or b"" if it is too large to be a list of models."""
    body = bytearray()
    async for piece in reply.content.iter_any():
        body += piece
        if len(body) > _MAX_LIST_BYTES:
            return b""
    return bytes(body)


def parse_model_list(body: bytes) -> ModelList:
    """Return the list of models in the body of a reply with status 200.

    Some upstreams send the list without the object around it. Google lists `models/NAME` and accepts NAME. OpenRouter
    states prices in dollars per token: https://openrouter.ai/docs/api-reference/list-available-models.
    """
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    entries = value.get("data") if isinstance(value, dict) else value
    found: dict[str, Price | None] = {}
    for entry in entries if isinstance(entries, list) else ():
        name = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(name, str) and name.isprintable():
            found[name.removeprefix("models/")] = _parse_price(entry.get("pricing"))
    return ModelList(tuple(found), {name: price for name, price in found.items() if price}, 200)


def _parse_price(value: Any) -> Price | None:
    if not isinstance(value, dict) or not {"prompt", "completion"} <= value.keys():
        return None
    try:
        fields = {name: Decimal(str(value[name])) * _PER_MILLION for name in ("prompt", "completion")}
        cached = Decimal(str(value["input_cache_read"])) * _PER_MILLION if "input_cache_read" in value else None
    except InvalidOperation:
        return None
    if any(not price.is_finite() or price < 0 for price in fields.values()):  # -1: it depends on the model chosen
        return None
    is_usable = cached is not None and cached.is_finite() and 0 <= cached <= fields["prompt"]
    return Price(fields["prompt"], fields["completion"], cached if is_usable else None)
