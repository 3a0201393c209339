"""A fake upstream and a plain aiohttp client that asks it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from tests.fakes import FakeUpstream

Ask = Callable[..., AbstractAsyncContextManager[ClientResponse]]


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


@pytest.fixture
async def ask(upstream: FakeUpstream) -> AsyncIterator[Ask]:
    """Yield a function that posts a question to the fake and returns the response's context manager."""
    async with ClientSession(auto_decompress=False) as session:

        def post(model: str = "m", **body: Any) -> AbstractAsyncContextManager[ClientResponse]:
            question = {"model": model, "messages": [{"role": "user", "content": "Why?"}], **body}
            return session.post(f"{upstream.base_url}/chat/completions", json=question, allow_redirects=False)

        yield post


def events(body: bytes) -> list[Any]:
    """Return the events of a well-formed stream; `[DONE]` as the string."""
    payloads = [line.removeprefix(b"data: ") for line in body.split(b"\n\n") if line]
    return ["[DONE]" if payload == b"[DONE]" else json.loads(payload) for payload in payloads]
