"""The list of models of an upstream; asking for it never fails."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.settings import Secret
from tests.fakes.aioresponses_compat import MendedResponses
from upstream.doctor.model_list import fetch_model_ids
from upstream.http.client import Endpoint

URL = "http://upstream.example/v1"


async def test_the_request_has_the_key_and_the_headers_of_the_model() -> None:
    """Some upstreams list only the models that a key may use."""
    with MendedResponses() as mocked:
        mocked.get(f"{URL}/models", payload={"data": [{"id": "a"}, {"id": "models/b"}]})
        found = await fetch_model_ids(Endpoint(URL, Secret("k-123", "KEY")), {"X-Title": "mom"}, timeout_s=5)
        ((sent,),) = mocked.requests.values()
    assert found == frozenset({"a", "b"})
    assert sent.kwargs["headers"] == {"Authorization": "Bearer k-123", "X-Title": "mom"}
    assert sent.kwargs["allow_redirects"] is False


async def test_anthropic_wants_its_own_headers() -> None:
    """Its list needs x-api-key and a version, and has pages."""
    seen: list[dict[str, str]] = []

    async def list_models(request: web.Request) -> web.Response:
        seen.append({**request.headers, **request.query})
        return web.json_response({"data": [{"type": "model", "id": "claude-sonnet-4-5"}], "has_more": False})

    app = web.Application()
    app.router.add_get("/v1/models", list_models)
    async with TestServer(app) as server:
        endpoint = Endpoint(str(server.make_url("/v1")), Secret("k-123", "KEY"))
        assert await fetch_model_ids(endpoint, {}, provider="anthropic", timeout_s=5) == frozenset(
            {"claude-sonnet-4-5"}
        )
    assert (seen[0]["x-api-key"], seen[0]["anthropic-version"], seen[0]["limit"]) == ("k-123", "2023-06-01", "1000")


@pytest.mark.parametrize(
    "reply",
    [
        {"status": 404},
        {"status": 307, "headers": {"Location": f"{URL}/elsewhere"}},
        {"body": "<html>"},
        {"payload": {"data": "none"}},
        {"payload": []},
        {"exception": aiohttp.ServerDisconnectedError()},
        {"exception": TimeoutError()},
    ],
)
async def test_every_failure_means_no_list(reply: dict[str, Any]) -> None:
    """Only a chat request shows whether the upstream works."""
    with MendedResponses() as mocked:
        mocked.get(f"{URL}/models", **reply)
        assert await fetch_model_ids(Endpoint(URL, None), {}, timeout_s=5) is None
