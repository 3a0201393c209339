"""The list of models of an upstream; asking for it never fails."""

from typing import Any

import aiohttp
import pytest

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
