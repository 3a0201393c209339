"""Costs and limits of requests, over real sockets."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.settings import ApiKey, Critic, Mixture, Model, Price, Secret, Server
from handlers.lifecycle.resources import apply_settings
from tests.fakes import FakeUpstream, after, answer, hang, status
from tests.fakes import reply as raw_reply
from tests.running import Reply, ask, model, panel_of, running, settings
from tests.upstream.clocks import Clock

DEAR, CHEAP = Price(Decimal(10), Decimal(100), Decimal(1)), Price(Decimal(1), Decimal(10))
SHORT = ask(max_tokens=10)
CI, LAPTOP = {"Authorization": "Bearer ci-key"}, {"Authorization": "Bearer laptop-key"}


def priced(upstream: FakeUpstream, **prices: Price | None) -> list[Model]:
    return [model(name, upstream, price=price) for name, price in prices.items()]


def refused(reply: Reply) -> str:
    """Return why a request was refused for want of money, by an error that clients understand and do not repeat."""
    assert reply.status == 429
    assert (reply.error["type"], reply.error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert reply.headers["x-should-retry"] == "false"
    assert "retry-after" not in reply.headers
    return str(reply.error["message"])


async def test_every_reader_tells_the_same_cost(upstream: FakeUpstream, tmp_path: Path) -> None:
    """The reply, the stream, the log line and the trace in both its forms; cached tokens at their own price."""
    details = {"cached_tokens": 800, "cache_write_tokens": 50}
    cached = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": details}
    upstream.script("a", *[answer("one", usage=cached), answer("both", usage=(2000, 20))] * 2)
    upstream.script("b", *[answer("two", usage=(1000, 10))] * 2)
    config = settings(priced(upstream, a=DEAR, b=CHEAP), server=Server(port=0, currency="EUR"))
    with capture_logs() as log:
        async with running(config, trace_dir=tmp_path) as gateway:
            reply = await gateway.chat()
            streamed = await gateway.chat(ask(stream=True, stream_options={"include_usage": True}))
    used = reply.json["usage"]["mom"]
    assert (used["cost"], used["currency"], used["estimated"]) == (0.0269, "EUR", False)
    assert {name: each["cost"] for name, each in used["models"].items()} == {"a": 0.0258, "b": 0.0011}
    assert streamed.events[-2]["usage"]["mom"] == used
    counts = ("cached_tokens", "cache_write_tokens", "cache_hit_rate")
    assert [used["models"]["a"][name] for name in counts] == [800, 50, 0.267]  # of 3,000, the critic's with them
    assert "cached_tokens" not in used["models"]["b"]
    (line, _) = [line for line in log if line["event"] == "request"]
    assert (line["cost"], line["currency"]) == (0.0269, "EUR")
    assert (line["cached_tokens"], line["cache_hits"]) == (800, {"a": 0.27})
    trace = json.loads((tmp_path / f"{reply.json['id']}.json").read_text())
    assert (trace["ledger"]["cost"], trace["ledger"]["currency"]) == (0.0269, "EUR")
    assert [call["cached_tokens"] for call in trace["calls"]] == [800, 0, 0]
    assert sorted(call["cost"] for call in trace["calls"]) == [0.0011, 0.0038, 0.022]
    page = (tmp_path / f"{reply.json['id']}.md").read_text()
    assert "- cost: 0.026900 EUR" in page
    assert "| 0.003800 |" in page


async def test_a_missing_price_hides_the_sum(upstream: FakeUpstream, tmp_path: Path) -> None:
    """What is known stands with its model."""
    upstream.default = answer("same", usage=(1000, 10))
    with capture_logs() as log:
        async with running(settings(priced(upstream, a=CHEAP, b=None)), trace_dir=tmp_path) as gateway:
            reply = await gateway.chat()
    used = reply.json["usage"]["mom"]
    assert not {"cost", "currency"} & set(used)
    assert used["models"]["a"]["cost"] == 0.0011
    assert "cost" not in used["models"]["b"]
    assert not any("cost" in line for line in log)
    trace = json.loads((tmp_path / f"{reply.json['id']}.json").read_text())
    assert trace["ledger"]["cost"] is None
    assert "- cost:" not in (tmp_path / f"{reply.json['id']}.md").read_text()


async def test_failures_and_cancelled_calls_are_charged(upstream: FakeUpstream) -> None:
    """A refused attempt nothing, a straggler its prompt and what it may have written, by estimate and marked so."""
    upstream.script("a", status(503), answer("same", usage=(1000, 10)))
    upstream.script("b", hang())
    config = settings(priced(upstream, a=CHEAP, b=CHEAP), quorum=1, grace_s=0.01)
    async with running(config) as gateway:
        used = (await gateway.chat(ask("x" * 4000))).json["usage"]["mom"]
    assert used["models"]["a"]["cost"] == 0.0011
    assert used["models"]["b"]["prompt_tokens"] in range(1000, 1020)
    assert used["models"]["b"]["completion_tokens"] <= 4096
    assert used["estimated"] is True


@pytest.mark.parametrize("stated", [{}, {"prompt_tokens": 5}, {"total_tokens": 50}, {"completion_tokens": 12.0}])
@pytest.mark.parametrize("stream", [False, True])
async def test_unreported_usage_is_estimated(upstream: FakeUpstream, stated: dict[str, Any], stream: bool) -> None:
    """Whole or streamed: an answer of 4000 characters has about a thousand tokens."""
    body: dict[str, Any] = {"id": "1", "object": "chat.completion", "created": 1, "model": "a", "usage": stated}
    message = {"role": "assistant", "content": "x" * 4000}
    body["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
    upstream.default = raw_reply(json.dumps(body).encode())
    async with running(settings(priced(upstream, a=CHEAP))) as gateway:
        said = await gateway.chat(ask(model="a", stream=stream, stream_options={"include_usage": True}))
    used = (said.events[-2] if stream else said.json)["usage"]["mom"]
    assert used["estimated"] is True
    assert used["completion_tokens"] in range(1000, 1010)


async def test_a_request_that_may_cost_too_much_is_not_begun(upstream: FakeUpstream) -> None:
    """The panel and the critic count, with what they may write; one model alone by its name costs less.

    The log has the reply's message, which holds nothing of the request.
    """
    config = settings(priced(upstream, a=CHEAP, b=CHEAP), max_cost=Decimal("0.01"))
    with capture_logs() as log:
        async with running(config) as gateway:
            message = refused(await gateway.chat(ask("x" * 4000, max_tokens=1000)))
    assert [line["cause"] for line in log if line["event"] == "request"] == [message]
    async with running(config) as gateway:
        for body in (ask("x" * 4000, max_tokens=1000), ask("x" * 4000, max_tokens=1000, stream=True)):
            message = refused(await gateway.chat(body))
            assert "may cost 0.036" in message
            assert "max_cost of mom is 0.01 USD" in message
        assert upstream.requests == []
        assert "max_cost of mom is 0.01 USD" in refused(await gateway.chat(ask("x" * 4000, max_tokens=1000, model="a")))
        assert upstream.requests == []
        assert (await gateway.chat(ask("x" * 4000, max_tokens=800, model="a"))).status == 200
        assert (await gateway.chat(ask("x" * 400, max_tokens=200))).status == 200


async def test_a_day_has_its_limit(upstream: FakeUpstream) -> None:
    """Once it is spent nothing begins, over a new configuration as well, until the next day begins."""
    upstream.default = answer("same", usage=(1000, 10))
    clock = Clock(20_000 * 86_400 - 1.0)

    def limited(cost: str) -> Any:
        return settings(priced(upstream, a=CHEAP), server=Server(port=0, max_cost_per_day=Decimal(cost)))

    async with running(limited("0.002"), unix_time=clock) as gateway:
        assert gateway.app is not None
        for _ in range(2):
            assert (await gateway.chat(SHORT)).status == 200
        assert "has spent 0.0022 USD today" in refused(await gateway.chat(SHORT))
        await apply_settings(gateway.app, limited("0.0021"))
        assert "server.max_cost_per_day is 0.0021 USD" in refused(await gateway.chat(ask(stream=True, max_tokens=10)))
        assert len(upstream.requests) == 2
        await apply_settings(gateway.app, limited("0.003"))
        assert (await gateway.chat(SHORT)).status == 200
        refused(await gateway.chat(SHORT))
        clock.now += 1
        assert (await gateway.chat(SHORT)).status == 200


async def test_a_key_has_its_own_budgets(upstream: FakeUpstream) -> None:
    """In tokens and in money; one client's use does not reduce the other's budget."""
    upstream.default = answer("same", usage=(1000, 10))
    keys = (
        ApiKey("ci", Secret("ci-key", "CI"), tokens_per_day=1000),
        ApiKey("laptop", Secret("laptop-key", "LAPTOP"), cost_per_day=Decimal("0.001")),
    )
    config = settings(priced(upstream, a=CHEAP), server=Server(port=0, api_keys=keys))
    async with running(config, unix_time=Clock()) as gateway:
        assert (await gateway.chat(SHORT, headers=CI)).status == 200
        told = refused(await gateway.chat(SHORT, headers=CI))
        assert "the key ci has used 1010 tokens today" in told
        assert "its tokens_per_day is 1000" in told
        assert (await gateway.chat(SHORT, headers=LAPTOP)).status == 200
        assert "its cost_per_day is 0.001 USD" in refused(await gateway.chat(SHORT, headers=LAPTOP))
        assert (await gateway.request("GET", "/v1/models", headers=CI)).status == 200


async def test_a_mixture_has_a_budget_of_its_own(upstream: FakeUpstream) -> None:
    """Its members, asked by their own names, use it up as well."""
    upstream.default = answer("same", usage=(1000, 10))
    limited = Mixture("mom", panel_of("a"), Critic("a"), max_cost_per_day=Decimal("0.002"))
    config = replace(settings(priced(upstream, a=CHEAP, b=CHEAP)), mixtures=(limited,))
    async with running(config, unix_time=Clock()) as gateway:
        assert (await gateway.chat(SHORT)).status == 200
        assert (await gateway.chat(ask(model="a", max_tokens=10))).status == 200
        for body in (SHORT, ask(model="a", max_tokens=10)):
            told = refused(await gateway.chat(body))
            assert "the mixture mom has spent 0.0022 USD today: its max_cost_per_day is 0.002 USD" in told
        assert (await gateway.chat(ask(model="b", max_tokens=10))).status == 200


async def test_the_cost_of_the_day_survives_a_restart(upstream: FakeUpstream, tmp_path: Path) -> None:
    """With a limit and without one."""
    upstream.default = answer("same", usage=(1000, 10))
    models = priced(upstream, a=CHEAP)
    for limit in (None, Decimal(1)):
        config = settings(models, server=Server(port=0, max_cost_per_day=limit))
        async with running(config, state_dir=tmp_path) as gateway:
            await gateway.chat(SHORT)
    async with running(settings(models), state_dir=tmp_path) as gateway:
        assert "mom_cost_today 0.0022" in (await gateway.request("GET", "/metrics")).raw.decode()


async def test_a_client_that_leaves_has_spent_all_the_same(upstream: FakeUpstream) -> None:
    """And while its request ran, it held what it was expected to cost."""
    gate = asyncio.Event()
    upstream.script("a", after(gate, answer("late")))
    server = Server(port=0, max_cost_per_day=Decimal("0.0012"))
    config = settings(priced(upstream, a=CHEAP), server=server, critic=Critic("a"))
    body, other = (ask(letter * 3900, max_tokens=10) for letter in "xy")
    async with running(config, unix_time=Clock()) as gateway:
        asking = asyncio.create_task(gateway.chat(body))
        (request,) = await upstream.wait_for(1)
        assert "running requests may cost 0.0011 USD" in refused(await gateway.chat(other))
        asking.cancel()
        await asyncio.wait_for(request.disconnected.wait(), 30)
        while "has spent 0.001" not in refused(await gateway.chat(other)):
            pass
        gate.set()
    assert len(upstream.requests) == 1
