"""What an upstream says it has, and that asking for it can do no harm."""

from typing import Any

import aiohttp
import pytest

from config.settings import Secret
from tests.fakes.aioresponses_compat import MendedResponses
from upstream.doctor.model_list import fetch_model_ids
from upstream.http.client import Endpoint

URL = "http://upstream.example/v1"


async def test_it_is_asked_for_with_the_key_and_the_model_s_own_headers() -> None:
    """Some upstreams list only what a key may use."""
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
async def test_whatever_goes_wrong_there_is_just_no_list(reply: dict[str, Any]) -> None:
    """A chat request finds out whether the upstream works."""
    with MendedResponses() as mocked:
        mocked.get(f"{URL}/models", **reply)
        assert await fetch_model_ids(Endpoint(URL, None), {}, timeout_s=5) is None
