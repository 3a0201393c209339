"""The list of models of an upstream; asking for it never fails."""

import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.settings import Price, Secret
from tests.fakes.aioresponses_compat import MendedResponses
from tests.fakes.sockets import unanswering
from upstream.doctor.model_list import fetch_model_ids, fetch_model_list, parse_model_list
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


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        ({"status": 401}, 401, ""),
        ({"status": 200, "body": "<html>"}, 200, ""),
        ({"exception": TimeoutError()}, None, "no reply within 5 s"),
        ({"exception": aiohttp.ServerDisconnectedError("gone")}, None, "gone"),
    ],
)
async def test_a_list_that_fails_says_why(reply: dict[str, Any], status: int | None, reason: str) -> None:
    """The status of the reply, or the reason why there was none."""
    with MendedResponses() as mocked:
        mocked.get(f"{URL}/models", **reply)
        found = await fetch_model_list(Endpoint(URL, None), {}, timeout_s=5)
    assert (found.ids, found.status, found.reason) == ((), status, reason)


async def test_connecting_has_a_timeout_of_its_own() -> None:
    """An upstream that cannot be reached is not waited for as long as one that answers slowly."""
    with unanswering() as url:
        found = await fetch_model_list(Endpoint(url, None), {}, timeout_s=60, connect_s=0.05)
    assert found.reason == "no connection in time"


def test_the_order_and_the_prices_of_the_upstream_are_kept() -> None:
    """Prices per token become prices per million; a router without a price of its own has none."""
    entries = [
        {"id": "b/two", "pricing": {"prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003"}},
        {"id": "a/one", "pricing": {"prompt": "0", "completion": "0", "input_cache_read": "1"}},
        {"id": "auto", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "odd", "pricing": {"prompt": "free", "completion": None}},
        {"id": "bare"},
    ]
    found = parse_model_list(json.dumps({"data": entries}).encode())
    assert found.ids == ("b/two", "a/one", "auto", "odd", "bare")
    assert found.prices == {
        "b/two": Price(Decimal(3), Decimal(15), Decimal("0.3")),
        "a/one": Price(Decimal(0), Decimal(0)),
    }
