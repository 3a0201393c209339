"""Errors as pages for people, as JSON for programs."""

import asyncio
import json
from dataclasses import replace

import pytest

from config.settings import ApiKey, Secret, Server
from tests.fakes import FakeUpstream, hang
from tests.running import KEY, ask, model, running, settings

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "headers", "status", "text"),
    [
        ("/ui/nowhere", {}, 404, "There is no page at this address."),
        ("/ui", {"Host": "rebound.example"}, 403, "This host name is not allowed; add it to server.allowed_hosts"),
        ("/", {"Host": "rebound.example"}, 403, "This host name is not allowed"),
        ("/ui", {"Sec-Fetch-Site": "cross-site"}, 403, "Web pages of other sites may not use the gateway."),
        ("/ui/requests/req-1", {}, 404, "No trace of this request is kept"),
        ("/ui/requests/..%2F..%2Fetc", {}, 404, "No trace of this request is kept"),
        (f"/ui/requests/{'x' * 3000}", {}, 404, "No trace of this request is kept"),
        ("/ui/requests/%3Cscript%3E", {}, 404, "Search for &lt;script&gt;"),
    ],
)
async def test_a_browser_gets_an_error_as_a_page(path: str, headers: dict[str, str], status: int, text: str) -> None:
    """With the cause, the remedy and the id, under the policy of all pages; a program gets the same status."""
    async with running(settings([model("a", "http://127.0.0.1:9/v1")], server=Server(port=0, ui=True))) as gateway:
        shown = await gateway.request("GET", path, headers={**BROWSER, **headers})
        assert (shown.status, shown.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert text in shown.raw.decode()
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert (await gateway.request("GET", path, headers=headers)).status == status


async def test_a_program_gets_json() -> None:
    """From the same paths, and a browser from those of the API."""
    async with running(settings([model("a", "http://127.0.0.1:9/v1")], server=Server(port=0, ui=True))) as gateway:
        assert (await gateway.request("GET", "/ui/nowhere")).error["code"] == "not_found"
        assert (await gateway.request("GET", "/v1/nowhere", headers=BROWSER)).error["code"] == "not_found"
        assert (await gateway.request("POST", "/ui/nowhere", headers=BROWSER)).error["code"] == "not_found"


@pytest.mark.parametrize("path", ["/", "/ui", "/ui/ask"])
async def test_pages_that_are_off_say_how_to_turn_them_on(path: str) -> None:
    """Without a link to pages that do not exist."""
    async with running(settings([model("a", "http://127.0.0.1:9/v1")])) as gateway:
        shown = await gateway.request("GET", path, headers=BROWSER)
        assert shown.status == 404
        assert (
            "The trace pages are off: start the gateway with --debug-requests, or set server.ui." in shown.raw.decode()
        )
        assert "All requests" not in shown.raw.decode()


async def test_a_browser_without_a_key_is_asked_for_one() -> None:
    """The page behind the dialogue says what the password is."""
    server = Server(port=0, ui=True, api_keys=(ApiKey("laptop", Secret(KEY, "MOM_KEY")),))
    async with running(settings([model("a", "http://127.0.0.1:9/v1")], server=server)) as gateway:
        shown = await gateway.request("GET", "/ui", headers=BROWSER)
        assert shown.status == 401
        assert shown.headers["www-authenticate"].startswith("Basic")
        assert "give one of the keys of server.api_keys as the password" in shown.raw.decode()


async def test_the_page_of_a_running_request_says_so() -> None:
    """Its trace comes when it has ended."""
    async with FakeUpstream() as upstream:
        upstream.default = hang()
        config = settings([replace(model("a", upstream), retries=0)], server=Server(port=0, ui=True))
        async with (
            running(config) as gateway,
            gateway.session.post(
                f"{gateway.url}/ui/ask", json=ask("Why?"), headers={"Content-Type": "application/json"}
            ) as asking,
        ):
            await upstream.wait_for(1)
            _, data = await asking.content.readline(), await asking.content.readline()
            begin = json.loads(data.removeprefix(b"data: "))
            shown = await gateway.request("GET", f"/ui/requests/{begin['id']}", headers=BROWSER)
            assert shown.status == 404
            assert "This request is still running" in shown.raw.decode()
            asking.close()
            await asyncio.wait_for(upstream.wait_idle(), 10)
