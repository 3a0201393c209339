"""Access over real sockets: keys, pages, host names, headers."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.settings import ApiKey, Secret, Server
from tests.fakes import FakeUpstream, Step, answer
from tests.fakes.completions import Request
from tests.fakes.wire import Wire
from tests.running import KEY, Gateway, ask, model, running, settings

LAPTOP = "sk-laptop-0123456789"
CI = "sk-ci-0123456789"
KEYS = (ApiKey("laptop", Secret(LAPTOP, "MOM_KEY_LAPTOP")), ApiKey("ci", Secret(CI, "MOM_KEY_CI"), rate_per_minute=2))
PAGE = "https://chat.example.com"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_configured_keys_are_required(
    upstream: FakeUpstream,
) -> None:
    """401 in OpenAI's shape without one; the log has the key's name, and never the key."""
    config = settings([model("a", upstream)], server=Server(port=0, api_keys=KEYS))
    with capture_logs() as log:
        async with running(config) as gateway:
            for headers in ({}, bearer("sk-wrong"), bearer(LAPTOP[:-1]), bearer(f"{LAPTOP}x")):
                refused = await gateway.chat(headers=headers)
                assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
                assert set(refused.error) == {"message", "type", "param", "code"}
                assert refused.headers["www-authenticate"].startswith("Bearer")
                assert refused.headers["x-request-id"]
            assert upstream.requests == []
            assert (await gateway.request("GET", "/v1/models")).status == 401
            assert (await gateway.request("GET", "/nowhere")).status == 401
            assert (await gateway.chat(headers=bearer(LAPTOP))).status == 200
            assert (await gateway.request("GET", "/v1/models", headers=bearer(CI))).status == 200
            for probe in ("/healthz", "/readyz"):
                assert (await gateway.request("GET", probe)).status == 200
    clients = [line["client"] for line in log if line["event"] == "request" and "client" in line]
    assert clients == ["laptop", "ci"]
    assert LAPTOP not in str(log)
    assert CI not in str(log)


async def test_a_key_may_have_a_rate(upstream: FakeUpstream) -> None:
    """Two at once, then 429 with the time until the next; the other key is not limited."""
    async with running(settings([model("a", upstream)], server=Server(port=0, api_keys=KEYS))) as gateway:
        for _ in range(2):
            assert (await gateway.chat(headers=bearer(CI))).status == 200
        refused = await gateway.chat(headers=bearer(CI))
        assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
        assert refused.headers["retry-after"] == "30"
        for _ in range(3):
            assert (await gateway.chat(headers=bearer(LAPTOP))).status == 200
        assert (await gateway.request("GET", "/v1/models", headers=bearer(CI))).status == 200
    assert len(upstream.requests) == 5


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": f"{PAGE}:8443"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/readyz")]
)
async def test_web_pages_stay_out(upstream: FakeUpstream, headers: dict[str, str], method: str, path: str) -> None:
    """403, whatever they ask for, and nothing by which the page could read the reply."""
    config = settings([model("a", upstream)], server=Server(port=0, allowed_origins=(PAGE,)))
    async with running(config) as gateway:
        refused = await gateway.request(
            method, path, headers=headers, data=json.dumps(ask()) if method == "POST" else None
        )
    assert refused.status == 403
    assert refused.error["code"] in {"host_not_allowed", "origin_not_allowed"}
    assert "access-control-allow-origin" not in refused.headers
    assert upstream.requests == []


async def test_preflights_of_other_pages_are_refused(upstream: FakeUpstream) -> None:
    """So a browser does not even send the request."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    async with running(settings([model("a", upstream)])) as gateway:
        refused = await gateway.request("OPTIONS", "/v1/chat/completions", headers=asked)
    assert refused.status == 403
    assert not [name for name in refused.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", [PAGE, "HTTPS://chat.example.com"])
async def test_an_allowed_page_is_served(upstream: FakeUpstream, origin: str) -> None:
    """Its preflight permits the headers of its SDK, without a key; its replies, errors and streams it may read."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
        "Access-Control-Request-Private-Network": "true",
    }
    config = settings([model("a", upstream)], server=Server(port=0, api_keys=KEYS, allowed_origins=(PAGE,)))
    async with running(config) as gateway:
        permitted = await gateway.request("OPTIONS", "/v1/chat/completions", headers=asked)
        own = {"Origin": origin, "Sec-Fetch-Site": "cross-site", **bearer(LAPTOP)}
        replies = [
            await gateway.chat(headers=own),
            await gateway.chat(ask(stream=True), headers=own),
            await gateway.chat({}, headers=own),
            await gateway.chat(headers={"Origin": origin}),
        ]
    assert (permitted.status, permitted.raw) == (204, b"")
    assert permitted.headers["access-control-allow-methods"] == "GET, POST"
    assert permitted.headers["access-control-allow-headers"] == asked["Access-Control-Request-Headers"]
    assert permitted.headers["access-control-allow-private-network"] == "true"
    assert [each.status for each in replies] == [200, 200, 400, 401]
    for each in (permitted, *replies):
        assert each.headers["access-control-allow-origin"] == origin
        assert each.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in each.headers


async def test_programs_need_no_origin(upstream: FakeUpstream) -> None:
    """They need none of the browsers' headers either; the address bar counts as a program."""
    async with running(settings([model("a", upstream)])) as gateway:
        assert (await gateway.chat()).status == 200
        assert (await gateway.request("GET", "/readyz", headers={"Sec-Fetch-Site": "none"})).status == 200


async def test_a_refusal_does_not_wait_for_the_body(upstream: FakeUpstream) -> None:
    """The client has sent its headers, and nothing of the body that they promise."""
    async with running(settings([model("a", upstream)], server=Server(port=0, api_keys=KEYS))) as gateway:
        for extra in (
            "Host: evil.example\r\n",
            "Host: localhost\r\n",
            "Host: localhost\r\nOrigin: https://evil.example\r\n",
        ):
            status, _ = await headers_only(gateway, extra)
            assert status in {401, 403}


async def test_a_body_that_is_too_large_is_refused_unread(upstream: FakeUpstream) -> None:
    """By its Content-Length."""
    async with running(settings([model("a", upstream)], server=Server(port=0, max_body_mb=0.5))) as gateway:
        status, body = await headers_only(gateway, "Host: localhost\r\n")
    assert status == 413
    assert body["error"]["code"] == "request_too_large"


def with_headers(step: Step, headers: dict[str, str]) -> Step:
    """Take a step with more headers."""

    def changed(request: Request) -> Wire:
        wire = step(request)
        assert wire.head is not None
        return replace(wire, head=replace(wire.head, headers={**wire.head.headers, **headers}))

    return changed


async def headers_only(gateway: Gateway, extra: str) -> tuple[int, Any]:
    """Send a request's headers without the 1 MiB that they promise; return the reply's status and body."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\n{extra}Content-Length: 1048576\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(30):
        first = await reader.readline()
        headers = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in headers.splitlines() if line.lower().startswith(b"content-length:"))
        body = json.loads(await reader.readexactly(length))
    writer.close()
    await writer.wait_closed()
    return int(first.split()[1]), body


async def test_no_foreign_credentials_are_forwarded(upstream: FakeUpstream) -> None:
    """A client's stay with the gateway; what an upstream sets stays there as well."""
    theirs = {"Set-Cookie": "session=1", "WWW-Authenticate": "Basic", "X-Upstream": "1", "Keep-Alive": "timeout=7"}
    upstream.default = with_headers(answer(), theirs)
    mine = {**bearer(LAPTOP), "Cookie": "mine=1", "X-Api-Key": "mine", "Proxy-Authorization": "Basic mine"}
    config = settings([model("a", upstream)], server=Server(port=0, api_keys=KEYS))
    async with running(config) as gateway:
        replies = [await gateway.chat(headers=mine) for _ in range(2)]
        replies.append(await gateway.chat(ask(stream=True), headers=mine))
    for request in upstream.requests:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert not {"cookie", "x-api-key", "proxy-authorization"} & {name.lower() for name in request.headers}
        assert LAPTOP not in str(request.headers) + request.raw.decode()
    for each in replies:
        assert each.status == 200
        assert not {name.lower() for name in theirs} & set(each.headers)
        assert KEY not in str(each.headers) + each.raw.decode()
