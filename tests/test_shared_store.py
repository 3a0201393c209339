"""Budgets and rates of several gateway processes over one store, through crashes of the gateways and of the store."""

import asyncio
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientError
from redis.asyncio import Redis

from store.redis_store import RedisStore
from store.rules import DAY_S
from store.sqlite_store import SqliteStore
from store.store import Amount, Store, to_money
from tests.fakes import FakeUpstream, after, answer
from tests.processes import logged, served
from tests.redis_server import RedisServer
from tests.running import Gateway, Reply, ask

CI = {"Authorization": "Bearer ci-key"}
TEN = ask(max_tokens=10, model="a")  # costs 10, as estimated
CANARY = "canary-5e1f7a"


@dataclass
class Site:
    """Several gateways, as processes, on one store."""

    folder: Path
    upstream: FakeUpstream
    server: RedisServer | None
    limits: str = "cost_per_day: 500"
    on_failure: str = "allow"

    @asynccontextmanager
    async def gateway(self) -> AsyncGenerator[tuple[Process, Gateway]]:
        """Run one more gateway."""
        store = f"url: '{self.server.url}', on_failure: {self.on_failure}" if self.server else "on_failure: allow"
        price = "{input: 0, output: 1000000}"
        path = self.folder / "config.yaml"
        path.write_text(f"""
server:
  max_concurrent_requests: 1000
  max_upstream_concurrency: 1000
  api_keys: [{{name: ci, key: ci-key, {self.limits}}}]
models: [{{name: a, base_url: "{self.upstream.base_url}", price: {price}, max_concurrency: 1000}}]
store: {{{store}}}
""")
        async with served(path, env={"MOM_STATE_DIR": str(self.folder / "state")}) as both:
            yield both

    @asynccontextmanager
    async def pair(self) -> AsyncGenerator[list[tuple[Process, Gateway]]]:
        """Run two gateways."""
        async with AsyncExitStack() as stack:
            yield list(await asyncio.gather(*(stack.enter_async_context(self.gateway()) for _ in range(2))))

    async def wait_spent(self, cost: int) -> None:
        """Wait until so much is recorded as spent by the key."""
        store: Store = RedisStore(self.server.url) if self.server else SqliteStore(self.folder / "state" / "state.db")
        await store.open()
        try:
            async with asyncio.timeout(30):
                while await self._read_spent(store) != cost:  # noqa: ASYNC110 -- asked
                    await asyncio.sleep(0.05)
        finally:
            await store.close()

    async def _read_spent(self, store: Store) -> Decimal:
        now = time.time()
        return to_money((await store.read_spent(int(now // DAY_S), now)).get("key:ci", Amount()).cost)


@pytest.fixture(params=["sqlite", "redis"])
async def site(request: pytest.FixtureRequest, tmp_path: Path, upstream: FakeUpstream) -> AsyncGenerator[Site]:
    upstream.default = answer("served", usage=(5, 10))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(RedisServer(tmp_path)) if request.param == "redis" else None
        yield Site(tmp_path, upstream, server)


async def ask_many(gateways: list[Gateway], n: int) -> list[asyncio.Task[Reply]]:
    """Send so many requests at once, spread over the gateways; no two are the same, or they would share a run."""
    bodies = [{**TEN, "user": uuid4().hex} for _ in range(n)]
    return [asyncio.create_task(gateways[i % len(gateways)].chat(body, headers=CI)) for i, body in enumerate(bodies)]


def count(replies: list[Any]) -> Counter[Any]:
    """Return how often each status came, and how often the connection broke."""
    return Counter(reply.status if isinstance(reply, Reply) else "broken" for reply in replies)


async def test_two_gateways_share_a_budget_exactly(site: Site) -> None:
    """Two hundred requests at once over both: as many are answered as the budget pays for, today and for both."""
    async with site.pair() as both:
        gateways = [gateway for _, gateway in both]
        replies = await asyncio.gather(*await ask_many(gateways, 200))
        assert count(replies) == {200: 50, 429: 150}
        assert len(site.upstream.requests) == 50
        assert {reply.error["code"] for reply in replies if reply.status == 429} == {"insufficient_quota"}
        await site.wait_spent(500)
        refused = await gateways[1].chat(TEN, headers=CI)
        assert "the key ci has spent 500 USD today: its cost_per_day is 500 USD" in refused.error["message"]


async def test_two_gateways_share_a_rate_exactly(site: Site) -> None:
    """A burst of forty in all, however it is spread."""
    site.limits = "rate_per_minute: 40"
    async with site.pair() as both:
        gateways = [gateway for _, gateway in both]
        began = time.monotonic()
        tasks = await ask_many(gateways[:1], 30)
        tasks += await ask_many(gateways, 170)
        replies = await asyncio.gather(*tasks)
        leaked = int((time.monotonic() - began) / 1.5)
    assert 40 <= count(replies)[200] <= 40 + leaked
    refused = [reply for reply in replies if reply.status == 429]
    assert {reply.error["code"] for reply in refused} == {"rate_limit_exceeded"}
    assert all(1 <= int(reply.headers["retry-after"]) <= 2 for reply in refused)


async def test_a_killed_gateway_gives_no_part_of_the_rate_back(site: Site) -> None:
    """Kill -9 midway: what the dead process has let in still counts, so the other one lets no more in."""
    gate = asyncio.Event()
    site.upstream.default = after(gate, answer("served", usage=(5, 10)))
    site.limits = "rate_per_minute: 40"
    async with site.pair() as [(victim, first), (_, second)]:
        began = time.monotonic()
        tasks = await ask_many([first, second], 200)
        await site.upstream.wait_for(40)
        victim.kill()
        await victim.wait()
        tasks += await ask_many([second], 100)
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        leaked = int((time.monotonic() - began) / 1.5)
    assert 40 <= len(site.upstream.requests) <= 40 + leaked


async def test_a_killed_gateway_holds_its_reservations_until_they_expire(site: Site) -> None:
    """Kill -9 midway: no request is paid beyond the budget, and what the dead process reserved comes back."""
    gate = asyncio.Event()
    site.upstream.default = after(gate, answer("served", usage=(5, 10)))
    async with site.pair() as [(victim, first), (_, second)]:
        tasks = await ask_many([first, second], 40)
        await site.upstream.wait_for(40)
        tasks += await ask_many([first, second], 160)
        await site.upstream.wait_for(50)
        victim.kill()
        await victim.wait()
        gate.set()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(reply, Reply | ClientError) for reply in replies)
        answered = count(replies)[200]
        assert 20 <= answered <= 30
        await site.wait_spent(10 * answered)
        assert (await second.chat(TEN, headers=CI)).status == 429
        assert len(site.upstream.requests) == 50
        await expire_reservations(site)
        replies = await asyncio.gather(*await ask_many([second], 200))
        assert count(replies)[200] == 50 - answered


async def held(client: Redis) -> list[str]:
    """Return the ids of all reservations."""
    claims: Any = await client.zrange("{mom}:leases", 0, -1)
    return [claim.decode() for claim in claims]


async def expire_reservations(site: Site) -> None:
    """Let the time go by after which the reservations of a dead process end."""
    if site.server is not None:
        async with Redis.from_url(site.server.url) as client:
            await client.zadd("{mom}:leases", dict.fromkeys(await held(client), 1.0))
    else:
        store = SqliteStore(site.folder / "state" / "state.db")
        await store.open()
        await store._run(lambda: store._db and store._db.execute("UPDATE reservations SET expires = 1"))
        await store.close()


async def test_a_crash_loop_has_no_new_budget(site: Site) -> None:
    """Neither kill -9 nor a proper restart gives one."""
    for is_proper, n_answered in ((False, 20), (True, 20), (False, 10)):
        async with site.gateway() as (child, gateway):
            replies = await asyncio.gather(*await ask_many([gateway], 20))
            assert count(replies)[200] == n_answered
            if is_proper:
                child.terminate()
            else:
                await site.wait_spent(10 * len(site.upstream.requests))
                child.kill()
            await child.wait()


async def test_no_spend_is_lost_when_redis_restarts(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Requests go on without it, each gateway on its own; then all that was spent counts for both."""
    upstream.default = answer("served", usage=(5, 10))
    async with RedisServer(tmp_path) as server:
        site = Site(tmp_path, upstream, server)
        async with site.pair() as [(child, first), (_, second)]:
            assert count(await asyncio.gather(*await ask_many([first, second], 20))) == {200: 20}
            await site.wait_spent(200)
            await server.kill()
            assert count(await asyncio.gather(*await ask_many([first], 10))) == {200: 10}
            assert "the store failed" in await logged(child, "the store")
            ready = await first.request("GET", "/readyz")
            assert (ready.status, ready.json["store"]["state"]) == (200, "failed")
            await server.start()
            assert "the store works again" in await logged(child, "the store")
            await site.wait_spent(300)
            assert count(await asyncio.gather(*await ask_many([first, second], 50))) == {200: 20, 429: 30}


async def test_without_its_store_a_gateway_may_refuse(tmp_path: Path, upstream: FakeUpstream) -> None:
    """It starts, is not ready, and answers again as soon as the store is there."""
    upstream.default = answer("served", usage=(5, 10))
    server = RedisServer(tmp_path)
    async with Site(tmp_path, upstream, server, on_failure="refuse").gateway() as (child, gateway):
        refused = await gateway.chat(TEN, headers=CI)
        assert (refused.status, refused.error["code"]) == (503, "store_unavailable")
        assert refused.headers["retry-after"] == "5"
        assert (await gateway.request("GET", "/readyz")).status == 503
        async with server:
            await logged(child, "the store works again")
            assert (await gateway.chat(TEN, headers=CI)).text == "served"
            assert (await gateway.request("GET", "/readyz")).status == 200
    assert not upstream.requests[1:]


async def test_a_full_disk_costs_no_answer(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Nor does a folder that is a file: the gateway serves, and says once why it forgets."""
    (tmp_path / "state").write_text("in the way")
    async with Site(tmp_path, upstream, None).gateway() as (child, gateway):
        assert (await gateway.chat(TEN, headers=CI)).status == 200
        assert (await gateway.chat(ask(model="a", max_tokens=10), headers=CI)).status == 200
        assert "the store failed" in await logged(child, "the store")


async def test_no_text_of_a_request_or_an_answer_is_stored(site: Site) -> None:
    """Neither in a file of the store nor in a value; nor is a client's key."""
    site.limits = "cost_per_day: 5000, rate_per_minute: 100, tokens_per_day: 100000"
    site.upstream.default = answer(f"the answer {CANARY}", usage=(5, 10))
    tool = {"type": "function", "function": {"name": CANARY, "parameters": {"type": "object"}}}
    body = ask(f"the question {CANARY}", max_tokens=10, user=CANARY, tools=[tool])
    async with site.gateway() as (child, gateway):
        for model in ("a", "mom"):
            for stream in (False, True):
                reply = await gateway.chat({**body, "model": model, "stream": stream}, headers=CI)
                assert reply.status == 200
                assert CANARY in (reply.streamed() if stream else reply.text)
        await gateway.chat({**body, "model": CANARY}, headers=CI)
        for complaint in ("Still wrong.", f"FAILED tests/test_a.py::test_b - AssertionError: {CANARY}"):
            said = [{"role": "assistant", "content": f"the answer {CANARY}"}, {"role": "user", "content": complaint}]
            follow_up = {**body, "messages": [*body["messages"], *said], "model": "mom"}
            assert (await gateway.chat(follow_up, headers=CI)).status == 200
        child.terminate()
        await child.wait()
    files = [path for path in site.folder.rglob("*") if path.is_file() and path.name != "config.yaml"]
    assert files
    for path in files:
        content = path.read_bytes()
        assert CANARY.encode() not in content
        assert b"ci-key" not in content
