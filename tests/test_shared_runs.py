"""Identical requests over real sockets: paid once while one runs, and given again for as long as is configured."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from config.settings import ApiKey, Critic, Price, Secret, Server, Settings
from handlers.gate.admission import ADMISSION
from tests.fakes import FakeUpstream, after, answer, paced, status
from tests.running import Gateway, Reply, ask, model, running, settings

PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
APIS = list(PATHS)


def body(api: str, **fields: Any) -> dict[str, Any]:
    if api == "responses":
        return {"model": "mom", "input": "Why?", **fields}
    if api == "messages":
        return {"model": "mom", **ask(max_tokens=100, **fields)}
    return {"model": "mom", **ask(**fields)}


def config(upstream: FakeUpstream, gate: asyncio.Event | None = None, *, server: Server | None = None) -> Settings:
    """Return settings with the panel a and b and the critic c, who waits for the gate."""
    upstream.script("a", answer("one"))
    upstream.script("b", answer("two"))
    upstream.script("c", answer("one and two") if gate is None else after(gate, answer("one and two")))
    price = Price(Decimal(1), Decimal(1))
    models = [model(name, upstream, retries=0, price=price) for name in "abc"]
    return settings(models, server=server, panel=("a", "b"), critic=Critic("c"), mode="fuse")


@asynccontextmanager
async def asking(gateway: Gateway, api: str, content: Any, **options: Any) -> AsyncIterator["asyncio.Task[Reply]"]:
    """Ask on a connection of its own, and leave at the end."""
    async with ClientSession() as session:
        other = Gateway(gateway.url, session)
        task = asyncio.create_task(other.request("POST", PATHS[api], json=content, **options))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])


async def until(condition: Any, timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 -- a look inside the gateway
            await asyncio.sleep(0.01)


def running_requests(gateway: Gateway) -> int:
    """Return how many clients wait for an answer."""
    assert gateway.app is not None
    return gateway.app[ADMISSION].running


def stripped(reply: Reply) -> str:
    """Return a reply without what is each request's own: ids and times, and how it was shared."""
    text = re.sub(r"[0-9a-f]{24}(?=[0-9]{2}\"|\")", "ID", reply.raw.decode())
    text = re.sub(r"(\"created(?:_at)?\": ?)[0-9]+", r"\1 0", text)
    return re.sub(r", ?\"shared\": ?\"running\"", "", text)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_identical_requests_share_a_run(upstream: FakeUpstream, api: str, stream: bool) -> None:
    """Each has a whole reply of its own, the second is marked, and every model was asked once."""
    gate = asyncio.Event()
    content = body(api, stream=stream)
    async with running(config(upstream, gate)) as gateway, asking(gateway, api, content) as first:
        await upstream.wait_for(3)
        async with asking(gateway, api, content) as second:
            await until(lambda: running_requests(gateway) == 2)
            gate.set()
            replies = [await first, await second]
    assert [reply.status for reply in replies] == [200, 200]
    assert sorted(request.model for request in upstream.requests) == ["a", "b", "c"]
    assert "x-mom-shared" not in replies[0].headers
    assert replies[1].headers["x-mom-shared"] == "running"
    assert replies[1].headers["x-mom-mode"] == replies[0].headers["x-mom-mode"]
    assert stripped(replies[0]) == stripped(replies[1])
    assert "one and two" in replies[1].raw.decode() or stream


async def test_a_client_that_joins_a_stream_late_misses_nothing(upstream: FakeUpstream) -> None:
    """The words that were sent before it came are the beginning of its stream."""
    settings_ = config(upstream)
    upstream.script("c", paced(0.05, answer("word " * 20)))
    content = ask(stream=True)
    async with running(settings_) as gateway, gateway.open(content) as early:
        await early.content.readany()
        async with asking(gateway, "chat", content) as late:
            whole = await early.content.read()
            reply = await late
    assert whole.endswith(b"[DONE]\n\n")
    assert reply.streamed() == "word " * 20
    assert len(upstream.requests_for("c")) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_second_client_gets_the_answer_when_the_first_has_left(
    upstream: FakeUpstream, *, stream: bool
) -> None:
    """The usual course: a client gives up and asks again. Nothing is asked twice, and the second one pays."""
    gate = asyncio.Event()
    content = ask(stream=stream)
    with capture_logs() as log:
        async with running(config(upstream, gate)) as gateway, asking(gateway, "chat", content) as first:
            await upstream.wait_for(3)
            async with asking(gateway, "chat", content) as second:
                await until(lambda: running_requests(gateway) == 2)
                first.cancel()
                await until(lambda: running_requests(gateway) == 1)
                gate.set()
                reply = await second
    assert reply.status == 200
    assert (reply.streamed() if stream else reply.text) == "one and two"
    assert len(upstream.requests) == 3
    left, stayed = sorted((line for line in log if line["event"] == "request"), key=lambda line: line["calls"])
    assert (left["outcome"], left["shared"], left["calls"], left["shared_with"]) == (
        *("cancelled", "left", 0),
        stayed["reply"],
    )
    assert (stayed["shared"], stayed["calls"]) == ("running", 3)


async def test_a_run_without_clients_is_cancelled(upstream: FakeUpstream) -> None:
    """When both have left, the call that still runs is closed."""
    gate = asyncio.Event()
    async with running(config(upstream, gate)) as gateway:
        async with asking(gateway, "chat", ask()) as first:
            await upstream.wait_for(3)
            async with asking(gateway, "chat", ask()):
                await until(lambda: running_requests(gateway) == 2)
                first.cancel()
        await until(lambda: running_requests(gateway) == 0)
        await upstream.wait_idle()
        upstream.script("c", answer("new"))
        assert (await gateway.chat(ask())).text == "new"
    assert len(upstream.requests_for("a")) == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_a_failure_is_everybodys(upstream: FakeUpstream, api: str, stream: bool) -> None:
    """Each client gets the causes in its reply, and nothing is tried again for the second."""
    gate = asyncio.Event()
    settings_ = config(upstream)
    for name in "ab":
        upstream.script(name, status(500))
    upstream.script("c", after(gate, status(500)))
    content = body(api, stream=stream)
    async with running(settings_) as gateway, asking(gateway, api, content) as first:
        await upstream.wait_for(3)
        async with asking(gateway, api, content) as second:
            await until(lambda: running_requests(gateway) == 2)
            gate.set()
            replies = [await first, await second]
    assert len({reply.status for reply in replies}) == 1
    assert all(b"no model could answer" in reply.raw for reply in replies)
    assert len(upstream.requests) == 3


KEYS = (ApiKey("one", Secret("key-one", "K")), ApiKey("two", Secret("key-two", "K")))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"json": ask()}, {"json": ask(stream=True)}),
        ({"json": ask(stream=True)}, {"json": ask(stream=True, stream_options={"include_usage": True})}),
        ({"json": ask()}, {"json": ask(n=2)}),
        ({"json": ask()}, {"json": ask(seed=1)}),
        ({"json": ask()}, {"json": ask(mom={"mode": "fuse"})}),
        ({"json": ask()}, {"json": ask(), "headers": {"x-mom-mode": "fuse"}}),
        (
            {"json": ask(), "headers": {"Authorization": "Bearer key-one"}},
            {"json": ask(), "headers": {"Authorization": "Bearer key-two"}},
        ),
    ],
)
async def test_requests_that_differ_share_nothing(upstream: FakeUpstream, first: Any, second: Any) -> None:
    """Another body, another header that changes the answer, or another client's key: a run of its own."""
    keys = KEYS if "Authorization" in first.get("headers", {}) else ()
    gate = asyncio.Event()
    async with running(config(upstream, gate, server=Server(port=0, api_keys=keys))) as gateway:
        tasks = [asyncio.create_task(gateway.request("POST", PATHS["chat"], **options)) for options in (first, second)]
        await upstream.wait_for(6)
        gate.set()
        replies = await asyncio.gather(*tasks)
    assert [reply.status for reply in replies] == [200, 200]
    assert not any("x-mom-shared" in reply.headers for reply in replies)
    assert len(upstream.requests_for("a")) == 2


async def test_a_single_model_is_shared_as_well(upstream: FakeUpstream) -> None:
    """A model asked by its own name is paid once, too."""
    gate = asyncio.Event()
    async with running(config(upstream, gate)) as gateway, asking(gateway, "chat", ask(model="c")) as first:
        await upstream.wait_for(1)
        async with asking(gateway, "chat", ask(model="c")) as second:
            await until(lambda: running_requests(gateway) == 2)
            gate.set()
            assert [(await each).text for each in (first, second)] == ["one and two"] * 2
    assert len(upstream.requests) == 1


async def test_sharing_can_be_switched_off(upstream: FakeUpstream) -> None:
    """For clients that want several samples of one request."""
    gate = asyncio.Event()
    async with running(config(upstream, gate, server=Server(port=0, share_runs=False))) as gateway:
        tasks = [asyncio.create_task(gateway.chat(ask())) for _ in range(2)]
        await upstream.wait_for(6)
        gate.set()
        await asyncio.gather(*tasks)


def metric(text: str, line: str) -> float:
    return sum(float(each.rpartition(" ")[2]) for each in text.splitlines() if each.startswith(line))


async def test_the_second_request_is_charged_nothing(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Metrics, log and trace count each call once; both requests are counted, and one of them as shared."""
    gate = asyncio.Event()
    with capture_logs() as log:
        async with running(config(upstream, gate), trace_dir=tmp_path) as gateway:
            async with asking(gateway, "chat", ask()) as first:
                await upstream.wait_for(3)
                async with asking(gateway, "chat", ask()) as second:
                    await until(lambda: running_requests(gateway) == 2)
                    gate.set()
                    replies = [(await first).json, (await second).json]
            page = (await gateway.request("GET", f"/ui/requests/{replies[1]['id']}")).raw.decode()
            metrics = (await gateway.request("GET", "/metrics")).raw.decode()
    assert f'href="/ui/requests/{replies[0]["id"]}"' in page
    assert metric(metrics, "mom_requests_total") == 2
    assert metric(metrics, 'mom_shared_requests_total{api="chat",kind="running"}') == 1
    assert metric(metrics, "mom_calls_total") == 3
    assert metric(metrics, "mom_panel_seconds_count") == 1
    assert metric(metrics, "mom_cost_today") == pytest.approx(3 * 18e-6)
    assert sorted(line["calls"] for line in log if line["event"] == "request" and "calls" in line) == [0, 3]
    assert [reply["usage"]["mom"]["calls"] for reply in replies] == [3, 3]
    assert [reply["usage"]["mom"].get("shared") for reply in replies] == [None, "running"]
    assert f"- shared: running, with {replies[0]['id']}" in (tmp_path / f"{replies[1]['id']}.md").read_text()
    payer, sharer = sorted(traces(tmp_path), key=lambda trace: -len(trace["calls"]))
    assert (sharer["shared"], sharer["shared_with"], sharer["calls"]) == ("running", payer["id"], [])
    assert [answer["text"] for answer in sharer["answers"]] == ["one and two"]


def traces(folder: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in folder.glob("*.json")]


async def test_both_count_in_the_rate_of_their_key(upstream: FakeUpstream) -> None:
    """A shared request is still a request."""
    keys = (ApiKey("ci", Secret("key-one", "K"), rate_per_minute=1),)
    gate = asyncio.Event()
    headers = {"Authorization": "Bearer key-one"}
    settings_ = config(upstream, gate, server=Server(port=0, api_keys=keys))
    async with running(settings_) as gateway, asking(gateway, "chat", ask(), headers=headers) as first:
        await upstream.wait_for(3)
        assert (await gateway.chat(ask(), headers=headers)).status == 429
        gate.set()
        assert (await first).status == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_a_finished_answer_is_given_again(upstream: FakeUpstream, api: str, stream: bool) -> None:
    """With `replay_s`, byte for byte, marked, without a call, and with the headers of the run."""
    server = Server(port=0, replay_s=60.0)
    content = body(api, stream=stream)
    with capture_logs() as log:
        async with running(config(upstream, server=server)) as gateway:
            replies = [await gateway.request("POST", PATHS[api], json=content) for _ in range(3)]
    assert len({reply.raw for reply in replies}) == 1
    assert [reply.headers.get("x-mom-shared") for reply in replies] == [None, "replay", "replay"]
    assert replies[1].headers["content-type"] == replies[0].headers["content-type"]
    assert len(upstream.requests) == 3
    first, *again = [line for line in log if line["event"] == "request"]
    assert {line["shared_with"] for line in again} == {first["reply"]}
    assert [line["calls"] for line in again] == [0, 0]
    assert {line["decided_by"] for line in again} == {"critic"}


async def test_without_replay_s_nothing_is_given_again(upstream: FakeUpstream) -> None:
    """The default: every request after the end of another one is a new one."""
    async with running(config(upstream)) as gateway:
        for _ in range(2):
            assert "x-mom-shared" not in (await gateway.chat(ask())).headers
    assert len(upstream.requests) == 6


async def test_a_failure_is_not_given_again(upstream: FakeUpstream) -> None:
    """The next try may succeed."""
    settings_ = config(upstream, server=Server(port=0, replay_s=60.0))
    upstream.script("c", status(500), answer("well"))
    async with running(settings_) as gateway:
        assert (await gateway.chat(ask(model="c"))).status == 502
        assert (await gateway.chat(ask(model="c"))).text == "well"
