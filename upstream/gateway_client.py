"""Client of a running gateway, for `mom-gateway ask` and `mom-gateway mcp`."""

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
from yarl import URL

from runtime import json_codec
from upstream.http.sse import EventReader, EventTooLargeError

DEFAULT_URL = "http://127.0.0.1:8000"
MAX_EVENT_BYTES = 64 * 2**20  # the largest answer that a gateway passes on, escaped

_CONNECT_S = 5.0
_SILENCE_S = 600.0  # a running request sends a sign of life far more often; a full queue may take minutes
_MAX_REFUSAL_BYTES = 256 * 2**10
_BY_GATEWAY = "mom-gateway"  # the value of the `Server` header
_OK = 200
_UNAUTHORIZED = 401

Message = Mapping[str, Any]


class GatewayError(Exception):
    """A gateway gave no answer. The message, for people, names the cause and the remedy."""


class GatewayClient:
    """A running gateway, asked over HTTP; an async context manager. Belongs to the running loop.

    `url` is the gateway's address, with or without `/v1`; `key` one of its `server.api_keys`, or None if it has none.
    Raises GatewayError if the address is unusable. Requests go straight to it: proxies of the environment are not used.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = normalize_url(url)
        headers = {"User-Agent": "mom-gateway"}
        if key:
            if not (key.isascii() and key.isprintable()):
                raise GatewayError("the key (MOM_API_KEY) must consist of printable ASCII characters")
            headers["Authorization"] = f"Bearer {key}"
        self._headers = headers

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_S, sock_read=_SILENCE_S)
        cookies = aiohttp.DummyCookieJar()
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers, cookie_jar=cookies)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def list_models(self) -> list[dict[str, Any]]:
        """Return the entries of `GET /v1/models`: mixtures, models, aliases. Raises GatewayError on any failure."""
        body = await self._fetch("GET", "/v1/models")
        entries = body.get("data") if isinstance(body, dict) else None
        if not isinstance(entries, list):
            raise GatewayError(f"{self.url}/v1/models returned no list of models: is this a gateway?")
        return [entry for entry in entries if isinstance(entry, dict)]

    async def fetch_readiness(self) -> Mapping[str, Any]:
        """Return the body of `GET /readyz`. Raises GatewayError on any failure, and for a gateway that is not ready."""
        body = await self._fetch("GET", "/readyz")
        return body if isinstance(body, dict) else {}

    async def complete(self, messages: Sequence[Message], *, model: str | None = None, mode: str | None = None) -> str:
        """Return the text of one answer, whole. Raises GatewayError on any failure."""
        body = await self._fetch(
            "POST", "/v1/chat/completions", json=_build_body(messages, model), headers=_mode_headers(mode)
        )
        try:
            return str(body["choices"][0]["message"]["content"] or "")
        except (TypeError, LookupError):
            raise GatewayError(f"{self.url} returned no completion: is this a gateway?") from None

    async def watch(
        self, messages: Sequence[Message], *, model: str | None = None, mode: str | None = None
    ) -> AsyncGenerator[dict[str, Any]]:
        """Ask, and yield the events of the run as they happen, up to `end`; see handlers/api/ask/stream.py.

        An event's name is its `type`. Raises GatewayError on any failure, also one that ends the run. Close the
        generator to give up: the gateway then cancels the run.
        """
        body, headers = _build_body(messages, model), _mode_headers(mode)
        async with self._open("POST", "/v1/ask", json=body, headers=headers) as reply:
            reader = EventReader(MAX_EVENT_BYTES)
            async for piece in reply.content.iter_any():
                for data in reader.feed(piece):
                    event = _read_event(data)
                    yield event
                    if event["type"] == "end":
                        return
        raise GatewayError("the gateway closed the connection before the answer was complete; its log may say why")

    async def _fetch(self, method: str, path: str, **options: Any) -> Any:
        async with self._open(method, path, **options) as reply:
            data = await reply.read()
        try:
            value = json_codec.decode(data)
        except (ValueError, RecursionError):
            raise GatewayError(f"{self.url}{path} did not reply with JSON: is this a gateway?") from None
        if isinstance(value, dict) and "error" in value:  # a failure after the first byte of a reply
            raise GatewayError(_find_message(value))
        return value

    @asynccontextmanager
    async def _open(self, method: str, path: str, **options: Any) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Send a request and give its reply, whose status is 200. Raises GatewayError on any failure, also inside."""
        is_open = False
        try:
            async with self._session.request(method, f"{self.url}{path}", allow_redirects=False, **options) as reply:
                is_open = True
                if reply.status != _OK:
                    raise GatewayError(await _explain_refusal(self.url, reply))
                yield reply
        except EventTooLargeError as error:
            raise GatewayError(f"the answer is larger than {MAX_EVENT_BYTES // 2**20} MB") from error
        except (aiohttp.ClientError, OSError) as error:
            if is_open:
                raise GatewayError(f"the connection to the gateway at {self.url} broke off") from error
            raise GatewayError(_explain_no_connection(self.url, error)) from error


def normalize_url(text: str) -> str:
    """Return the address of a gateway without `/v1` and trailing slashes. Raises GatewayError if it isn't HTTP."""
    stated = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        url = URL(stated)
        extras = (url.user, url.password, url.query_string, url.fragment)
        is_usable = url.scheme in ("http", "https") and bool(url.host) and not any(extras)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise GatewayError(f"{text!r} is not the address of a gateway; expected a URL such as {DEFAULT_URL}")
    return stated.rstrip("/").removesuffix("/v1").rstrip("/")


def _build_body(messages: Sequence[Message], model: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": list(messages)}
    return body if model is None else {"model": model, **body}


def _mode_headers(mode: str | None) -> dict[str, str]:
    return {} if mode is None else {"x-mom-mode": mode}


def _read_event(data: bytes) -> dict[str, Any]:
    try:
        event = json_codec.decode(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise GatewayError("the gateway sent an event that cannot be read: is it an older version?")
    if event["type"] == "error":
        raise GatewayError(str(event.get("message", "the request failed")))
    return event


def _explain_no_connection(url: str, error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    number = getattr(cause, "errno", None)
    reason = os.strerror(number) if number else type(cause).__name__
    return (
        f"no gateway answers at {url} ({reason}); start one with `mom-gateway serve`, "
        "or name another with --url or MOM_URL"
    )


async def _explain_refusal(url: str, reply: aiohttp.ClientResponse) -> str:
    """Return the gateway's own words, with a remedy if the user has one."""
    if reply.headers.get("Server") != _BY_GATEWAY:
        return f"{url} is not a gateway (HTTP {reply.status}); name one with --url or MOM_URL"
    try:
        message = _find_message(json_codec.decode(await reply.content.read(_MAX_REFUSAL_BYTES)))
    except (ValueError, RecursionError, aiohttp.ClientError, OSError):
        message = ""
    message = message or f"the gateway refused the request (HTTP {reply.status})"
    return f"{message}; here: set MOM_API_KEY" if reply.status == _UNAUTHORIZED else message


def _find_message(body: Any) -> str:
    """Return the message of an error reply, "" if it has none."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""
