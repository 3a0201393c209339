"""The trace pages as a browser without scripts receives them, over real sockets."""

import asyncio
import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from config.settings import ApiKey, Critic, Secret, Server, Settings
from handlers.lifecycle.resources import apply_settings
from tests import test_evidence as evidence
from tests import test_verify as reviewed
from tests.fakes import FakeUpstream, after, answer, drip, hang, stall_mid_stream, status
from tests.fakes.completions import error_body
from tests.running import KEY, Gateway, Reply, ask, model, running, settings
from tests.ui.scene import HOSTILE, Scene, kept, scene

LAPTOP = "sk-laptop-0123456789"
PAGES = ("/ui", "/ui/ask", "/ui/models", "/ui/usage", "/ui?part=list", "/ui?part=running")


def config(upstream: FakeUpstream, **server: Any) -> Settings:
    return settings([model(name, upstream) for name in "ab"], server=Server(**{"port": 0, "ui": True, **server}))


def basic(key: str, user: str = "anyone") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{key}'.encode()).decode()}"}


class Tags(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add the next tag."""
        self.found.append((tag, dict(attrs)))


async def show(gateway: Gateway, path: str) -> Reply:
    reply = await gateway.request("GET", path)
    assert reply.status == 200
    return reply


async def one_page_each(used: Scene) -> dict[str, str]:
    """Return one page of every kind, of a gateway that was used."""
    paths = [*PAGES, *(f"/ui/requests/{name}{kind}" for name in (used.edit, used.fuse) for kind in ("", "/download"))]
    return {path: (await show(used.gateway, path)).raw.decode() for path in paths}


async def test_the_pages_are_off_by_default(upstream: FakeUpstream, tmp_path: Path) -> None:
    """`server.ui` turns them on, in a running gateway too, and so does --debug-requests."""
    plain = settings([model("a", upstream)])
    async with running(plain) as gateway:
        assert (await gateway.request("GET", "/ui")).status == 404
        assert gateway.app is not None
        await apply_settings(gateway.app, config(upstream))
        assert (await gateway.chat()).status == 200
        await kept(gateway, 1)
        await apply_settings(gateway.app, plain)
        assert (await gateway.request("GET", "/ui")).error["code"] == "not_found"
    async with running(plain, trace_dir=tmp_path) as gateway:
        assert (await gateway.request("GET", "/ui")).status == 200


async def test_a_browser_is_led_from_the_root_to_the_pages(upstream: FakeUpstream) -> None:
    """Programs get the 404 of any unknown path, and so does everybody while the pages are off."""
    browser = {"Accept": "text/html,application/xhtml+xml"}
    async with running(config(upstream)) as gateway:
        led = await gateway.request("GET", "/", headers=browser, allow_redirects=False)
        assert (led.status, led.headers["location"]) == (302, "/ui")
        assert (await gateway.request("GET", "/")).error["code"] == "not_found"
    async with running(config(upstream, ui=False)) as gateway:
        assert (await gateway.request("GET", "/", headers=browser)).status == 404


async def test_a_running_request_is_shown_with_the_state_of_its_members(upstream: FakeUpstream) -> None:
    """From its first call to its end; then it is in the list."""
    upstream.script("a", answer("done"))
    upstream.script("b", hang())
    async with running(config(upstream)) as gateway:
        asking = asyncio.create_task(gateway.chat(ask("Is it <b>running</b>?")))
        await upstream.wait_for(2)
        while "\N{CHECK MARK}" not in (page := (await show(gateway, "/ui?part=running")).raw.decode()):  # noqa: ASYNC110 -- as a browser does
            await asyncio.sleep(0.01)
        assert "Running now: 1" in page
        assert "Is it &lt;b&gt;running&lt;" in page
        assert re.search(r'name">b</span>.*waiting', page)
        asking.cancel()
        await upstream.wait_idle()
        await kept(gateway, 1)
        assert "Running now" not in (await show(gateway, "/ui?part=running")).raw.decode()


async def test_a_request_is_found_by_its_answer(upstream: FakeUpstream) -> None:
    """And by status and client, with the filter in the address."""
    upstream.default = answer("The lighthouse.")
    async with running(config(upstream)) as gateway:
        await gateway.chat(ask("Where?"))
        await gateway.chat({"messages": []})
        await kept(gateway, 2)
        for query, n_found in (("q=LIGHTHOUSE", 1), ("status=400", 1), ("status=200&q=where", 1), ("q=elsewhere", 0)):
            assert (await show(gateway, f"/ui?{query}")).raw.decode().count("data-id=") == n_found


def asked(data: bytes) -> list[tuple[str, Any]]:
    """Return the events of a question's stream."""
    blocks = [block.split("\n") for block in data.decode("ascii").split("\n\n") if block and not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(value.removeprefix("data: "))) for name, value in blocks]


async def test_a_question_from_the_page_is_an_ordinary_request(
    upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """Members' texts while they are written, the critic's answer, a log line and a trace like that of any client."""
    upstream.script("a", drip(answer("the words of one member"), n_bytes=40, pause_s=0.02), answer("both"))
    upstream.script("b", answer("another text"))
    async with running(config(upstream)) as gateway:
        origin = {"Origin": gateway.url, "Sec-Fetch-Site": "same-origin"}
        reply = await gateway.request("POST", "/ui/ask", json=ask("Why?"), headers=origin)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        events = asked(reply.raw)
        trace_id = events[0][1]["id"]
        await kept(gateway, 1)
        page = (await show(gateway, f"/ui/requests/{trace_id}")).raw.decode()
    names = [name for name, _ in events]
    assert (names[0], names[-1]) == ("begin", "end")
    assert {"candidate", "author", "text", "answer"} <= set(names)
    assert {data["model"]: data["text"] for name, data in events if name == "candidate"} == {
        "a": "the words of one member",
        "b": "another text",
    }
    written = "".join(data["text"] for name, data in events if name == "writing" and data["model"] == "a")
    assert written
    assert "the words of one member".startswith(written)
    assert next(data for name, data in events if name == "answer")["text"] == "both"
    (line,) = [line for line in capsys.readouterr().out.split("\n") if "path=/ui/ask" in line]
    assert "info" in line
    assert "api=ask" in line
    assert "the words of one member" in page


async def test_the_page_tells_an_attempt_from_its_hedge(upstream: FakeUpstream) -> None:
    """Both write at the same time, and neither text has a piece of the other."""
    gate = asyncio.Event()
    whole = {1: "the words of the first attempt", 2: "what its hedge would have said"}
    first = drip(answer(whole[1]), n_bytes=40, pause_s=0.02)
    upstream.script("a", after(gate, first), stall_mid_stream(3, step=answer(whole[2])))
    hedged = [model("a", upstream, hedge_after_s=0.01), model("b", upstream)]
    async with running(settings(hedged, server=Server(port=0, ui=True), critic=Critic("b"))) as gateway:
        asking = asyncio.create_task(gateway.request("POST", "/ui/ask", json=ask("Why?")))
        await upstream.wait_for(3)
        gate.set()
        events = asked((await asking).raw)
    written = {1: "", 2: ""}
    for name, data in events:
        if name == "writing":
            written[data["attempt"]] += data["text"]
    assert all(written.values())
    assert all(whole[attempt].startswith(text) for attempt, text in written.items())
    assert whole[1] in [data["text"] for name, data in events if name == "candidate"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example", "Host": "evil.example"},
    ],
)
async def test_other_sites_cannot_ask(upstream: FakeUpstream, headers: dict[str, str]) -> None:
    """Their forms and scripts are refused before anything is asked, and so is a rebound host name."""
    async with running(config(upstream)) as gateway:
        refused = await gateway.request("POST", "/ui/ask", json=ask("Why?"), headers=headers)
    assert refused.status == 403
    assert upstream.requests == []


async def test_a_form_of_the_browser_cannot_ask(upstream: FakeUpstream) -> None:
    """Only JSON, which no form of another site can send."""
    async with running(config(upstream)) as gateway:
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            refused = await gateway.request(
                "POST", "/ui/ask", data=json.dumps(ask("Why?")), headers={"Content-Type": kind}
            )
            assert refused.status == 415
    assert upstream.requests == []


async def test_asking_is_off_while_the_pages_are(upstream: FakeUpstream) -> None:
    """Page and endpoint; and a key is required if the gateway has keys."""
    async with running(settings([model("a", upstream)])) as gateway:
        assert (await gateway.request("POST", "/ui/ask", json=ask("Why?"))).status == 404
        assert (await gateway.request("GET", "/ui/ask")).status == 404
    keys = (ApiKey("laptop", Secret(LAPTOP, "KEY")),)
    async with running(config(upstream, api_keys=keys)) as gateway:
        assert (await gateway.request("POST", "/ui/ask", json=ask("Why?"))).status == 401
        assert (await gateway.request("POST", "/ui/ask", json=ask("Why?"), headers=basic(LAPTOP))).status == 200


async def test_a_failed_question_names_the_cause(upstream: FakeUpstream) -> None:
    """As an error reply, or as the last event if the stream has begun."""
    upstream.default = status(400)
    async with running(config(upstream)) as gateway:
        reply = await gateway.request("POST", "/ui/ask", json=ask("Why?"))
        unknown = await gateway.request("POST", "/ui/ask", json=ask("Why?", model="nobody"))
    assert asked(reply.raw)[-1][0] == "error"
    assert unknown.error["code"] == "model_not_found"


async def test_refusals_are_on_the_page_of_models(upstream: FakeUpstream) -> None:
    """As soon as a refusal has taught it, with the line for config.yaml; the words of the upstream are text."""
    refusal = error_body("Unsupported parameter: 'top_k' is not supported with <b>this</b> model.", kind="x")
    upstream.script("a", status(400, body=refusal), answer("fine"))
    async with running(config(upstream)) as gateway:
        assert "Refusals of models" not in (await show(gateway, "/ui/models")).raw.decode()
        assert (await gateway.chat(ask(model="a", top_k=3))).status == 200
        page = (await show(gateway, "/ui/models")).raw.decode()
    assert "<code>drop: [top_k]</code>" in page
    assert "&lt;b&gt;this" in page


async def test_the_pages_show_the_whole_request(tmp_path: Path) -> None:
    """A request's attempts, candidates by name and letter, contract, critic, file diffs and ledger."""
    async with scene(tmp_path) as used:
        listed = (await show(used.gateway, "/ui")).raw.decode()
        edit = (await show(used.gateway, f"/ui/requests/{used.edit}")).raw.decode()
        fuse = (await show(used.gateway, f"/ui/requests/{used.fuse}")).raw.decode()
        failed = re.findall(r'href="(/ui/requests/[^"]+)">', listed)[-1]
        refused = (await show(used.gateway, failed)).raw.decode()
    for text in ("✓ ok", "✕ failed 400", "⊘ cancelled", "Why does a hash table slow down", "chosen"):
        assert text in listed
    for text in ("server error 500", "attempt 2, hedge", "rate limited 429", "⊘ cancelled", "shown as", "straggler"):
        assert text in edit
    assert "The critic picked edits of several candidates: swift, deep." in edit
    assert '<tr class="del"><td class="n">10</td><td class="n"></td><td class="sign">\N{MINUS SIGN}</td>' in edit
    assert "<ins>* line.quantity</ins>" in edit
    assert "Each mends one of the two" in edit
    assert "The critic wise wrote it from the candidates." in fuse
    assert "BEGIN A" in fuse
    assert "often 0.75," in fuse
    assert "no model could answer" in refused


async def test_a_revision_is_shown_beside_its_draft(upstream: FakeUpstream, tmp_path: Path) -> None:
    """With the defects that led to it, and the words that changed."""
    async with running(reviewed.config(upstream, reviewed.says(reviewed.FINDS)), trace_dir=tmp_path) as gateway:
        reply = await gateway.chat(ask("Two and two?"))
        page = (await show(gateway, f"/ui/requests/{reply.json['id']}")).raw.decode()
    assert "It is four." in page
    assert "From the draft to the revision" in page
    assert "<del>five</del>" in page
    assert "<ins>four</ins>" in page


async def test_evidence_is_on_the_cards_of_the_candidates(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Which of them passes every example, which fails one and how; and that this decided."""
    right, wrong = evidence.RIGHT, evidence.WRONG
    async with running(evidence.config(upstream, wrong, right), trace_dir=tmp_path) as gateway:
        reply = await gateway.chat(ask(evidence.QUESTION))
        page = (await show(gateway, f"/ui/requests/{reply.json['id']}")).raw.decode()
        row = (await show(gateway, "/ui")).raw.decode()
    assert page.count("passes every example") == 1
    assert page.count("fails an example") == 1
    assert "When run: " in page
    assert "Running the candidates decided, so no critic was asked: b." in page
    assert ">evidence</td>" in row


async def test_no_text_of_a_model_is_markup(tmp_path: Path) -> None:
    """Every text is escaped, on every page; no page has style attributes, event handlers or foreign links."""
    async with scene(tmp_path) as used:
        pages = await one_page_each(used)
    assert "&lt;script&gt;document.title" in pages[f"/ui/requests/{used.fuse}"]
    for page in pages.values():
        assert HOSTILE not in page
        for tag, attributes in Tags(page).found:
            assert tag not in {"img", "iframe", "object", "base"}
            assert not any(name.startswith("on") or name == "style" for name in attributes)
            assert (attributes.get("href") or "/").startswith(("/", "#", "?", "data:image/svg+xml"))
            assert "src" not in attributes


async def test_the_policy_allows_only_the_page_itself(upstream: FakeUpstream) -> None:
    """Style and script by their hash, nothing from elsewhere, and no frame around it."""
    async with running(config(upstream)) as gateway:
        replies = [await show(gateway, path) for path in PAGES] + [await gateway.request("GET", "/ui/requests/x")]
    for reply in replies:
        policy = reply.headers["content-security-policy"]
        assert "unsafe" not in policy
        for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            assert rule in policy
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"


async def test_a_file_needs_nothing_else(tmp_path: Path) -> None:
    """It has no link and no script, and states its policy itself."""
    async with scene(tmp_path) as used:
        reply = await show(used.gateway, f"/ui/requests/{used.edit}/download")
    assert reply.headers["content-disposition"] == f'attachment; filename="{used.edit}.html"'
    tags = Tags(reply.raw.decode()).found
    assert not [tag for tag, _ in tags if tag in ("script", "form")]
    assert {attributes["href"] for tag, attributes in tags if tag == "a"} == {"#main", "#asked"}
    (policy,) = [attributes["content"] for tag, attributes in tags if attributes.get("http-equiv")]
    assert (policy or "").startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("name", ["chatcmpl-0", "..%2F..%2Fconfig.yaml", "%00", "a" * 3000, "chatcmpl-%22%0d%0a"])
async def test_an_unknown_request_is_a_404_with_a_link_back(upstream: FakeUpstream, tmp_path: Path, name: str) -> None:
    """For every id: no path leads out of the folder."""
    async with running(config(upstream), trace_dir=tmp_path) as gateway:
        for path in (f"/ui/requests/{name}", f"/ui/requests/{name}/download"):
            reply = await gateway.request("GET", path)
            assert reply.status in (400, 404)
            if reply.status == 404:
                assert 'href="/ui"' in reply.raw.decode()


async def test_a_browser_is_asked_for_a_key(upstream: FakeUpstream) -> None:
    """As the password of any user; for the pages alone, and only a known one."""
    keys = (ApiKey("laptop", Secret(LAPTOP, "KEY")),)
    async with running(config(upstream, api_keys=keys)) as gateway:
        for headers in ({}, basic("sk-wrong"), basic(LAPTOP, "a:b"), {"Authorization": "Basic ~"}, basic(LAPTOP[:-1])):
            for path in (*PAGES, "/ui/requests/x"):
                refused = await gateway.request("GET", path, headers=headers)
                assert refused.status == 401
                assert refused.headers["www-authenticate"].startswith("Basic")
        for good in (basic(LAPTOP), basic(LAPTOP, ""), {"Authorization": f"Bearer {LAPTOP}"}):
            assert (await gateway.request("GET", "/ui", headers=good)).status == 200
        for path in ("/v1/models", "/metrics", "/uix"):
            refused = await gateway.request("GET", path, headers=basic(LAPTOP))
            assert refused.status == 401
            assert refused.headers["www-authenticate"].startswith("Bearer")
        assert (await gateway.chat(headers=basic(LAPTOP))).status == 401


async def test_other_sites_cannot_read_the_pages(upstream: FakeUpstream) -> None:
    """Nor can a host name that was rebound to this machine."""
    async with running(config(upstream)) as gateway:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
            assert (await gateway.request("GET", "/ui", headers=headers)).status == 403


async def test_the_list_is_sent_again_only_if_it_changed(upstream: FakeUpstream) -> None:
    """An open page asks with the tag of its list."""
    async with running(config(upstream)) as gateway:
        first = await show(gateway, "/ui?part=list")
        tag = {"If-None-Match": first.headers["etag"]}
        assert (await gateway.request("GET", "/ui?part=list", headers=tag)).status == 304
        reply = await gateway.chat()
        await kept(gateway, 1)
        again = await gateway.request("GET", "/ui?part=list", headers=tag)
    assert again.status == 200
    assert reply.json["id"] in again.raw.decode()
    assert "<html" not in again.raw.decode()


async def test_traces_in_memory_hold_no_key_and_leave_no_file(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the pages are on without --debug-requests."""
    monkeypatch.chdir(tmp_path)
    upstream.default = status(400, body={"error": {"message": f"wrong key {KEY}"}})
    async with running(config(upstream)) as gateway:
        await gateway.chat(ask(f"My key is {KEY}"), headers={"x-api-key": "client-secret-0123"})
        await kept(gateway, 1)
        listed = (await show(gateway, "/ui")).raw.decode()
        (name,) = re.findall(r'data-id="([^"]+)"', listed)
        shown = (await show(gateway, f"/ui/requests/{name}")).raw.decode()
    assert "[redacted]" in shown
    for page in (listed, shown):
        assert KEY not in page
        assert "client-secret" not in page
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_traces_of_older_versions_are_shown(upstream: FakeUpstream, tmp_path: Path) -> None:
    """With the facts that they have."""
    old = {"id": "chatcmpl-1", "mixture": "mom", "outcome": "ok", "candidates": [{"model": "a", "text": "one"}]}
    await asyncio.to_thread((tmp_path / "chatcmpl-1.json").write_text, json.dumps(old))
    async with running(config(upstream), trace_dir=tmp_path) as gateway:
        assert "chatcmpl-1" in (await show(gateway, "/ui")).raw.decode()
        page = (await show(gateway, "/ui/requests/chatcmpl-1")).raw.decode()
        await show(gateway, "/ui/models")
    assert ">one</pre>" in page
    assert "the contract" not in page


async def test_a_huge_trace_is_shown(upstream: FakeUpstream) -> None:
    """A long conversation, candidates that have no line in common, a lone surrogate."""
    long = "\n".join(f"line {number} of many" for number in range(8000))
    upstream.script("a", answer(long.replace("line", "row")), answer("short"))
    upstream.script("b", answer(long))
    async with running(config(upstream)) as gateway:
        reply = await gateway.chat(ask(f"{long}\ud83d"))
        await kept(gateway, 1)
        page = (await show(gateway, f"/ui/requests/{reply.json['id']}")).raw.decode()
    assert "are compared" in page
    assert "more characters" in page


def test_a_gateway_starts_without_the_pages() -> None:
    """They and their template engine are imported with the first page."""
    program = "import gateway, sys; print([name for name in sys.modules if name in sys.argv[1:]])"
    wanted = ("minijinja", "markupsafe", "handlers.ui.pages", "handlers.ui.request.request_view")
    done = subprocess.run([sys.executable, "-c", program, *wanted], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
