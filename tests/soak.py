"""A mixed load with random faults, slow, hostile and leaving clients, for a while: `python -m tests.soak --seconds 60`.

The gateway, its scripted upstream and the clients share this process and 127.0.0.1. It ends with exit code 1, and what
is wrong, where a reply is malformed or late, an attempt or a token is not in the ledger, or anything is left or grows.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import structlog

from config.settings import Critic, Server, Settings
from tests import slow_clients
from tests.fakes import FakeUpstream, Step, answer, from_request, paced
from tests.faults import AUTHORS, EVERYONE, FAULTS, PANEL
from tests.process_facts import n_descriptors, rss_mb
from tests.running import Gateway, Reply, model, running, settings
from tests.slow_clients import Client

N_CLIENTS, N_NUISANCES = 16, 4
MOST_REQUESTS = 200_000
FAULT_SHARE, LEAVING_SHARE = 0.12, 0.08
DEADLINE_S, SILENCE_S = 20.0, 2.0
MAX_GROWTH_MB = 24.0
STATUSES = frozenset({200, 400, 404, 413, 429, 502, 503, 504})  # a single model keeps its 404 and 413
# Refused keys shut a model off for long, and texts of mebibytes only heat the machine: the fault matrix has both.
_LEFT_OUT = frozenset({"401", "403", "oversized body", "gzip bomb", "header bomb"})
_STEPS = [(fault.name, fault.at) for fault in FAULTS if not isinstance(fault.at, str) and fault.name not in _LEFT_OUT]
_SLOW = [slow_clients.half_headers, slow_clients.half_a_body, slow_clients.half_a_chunk, slow_clients.a_dripping_body]
_MALFORMED = [b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nX\x00: y\r\n\r\n"]
_HOSTILE_SCHEMAS: list[Any] = [
    {"type": "string", "pattern": "^(a+){30}$"},
    {"$ref": "#/x", "x": 5},
    {"$ref": "http://127.0.0.1:1/x"},
    {"$ref": "#"},
    {"type": "array", "uniqueItems": True},
    {"anyOf": [{"$ref": "#/$defs/a"}] * 9, "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}] * 9}, "b": True}},
]
_REPORTED_BY = {
    "empty answer": (11, 7),
    "slow drip": (11, 7),
}  # the faults that report their usage, the fake's own


@dataclass(slots=True)
class Account:
    """The upstream's record of one request, and the gateway's log line on it as soon as it is written."""

    n_seen: int = 0
    reported: tuple[int, int] = (0, 0)  # prompt and completion tokens
    line: asyncio.Future[Mapping[str, Any]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def hear(self, prompt: int, completion: int) -> None:
        """Add the usage that the upstream reports."""
        self.reported = (self.reported[0] + prompt, self.reported[1] + completion)


@dataclass(slots=True)
class Soak:
    """One run. `rng` decides all that is left to chance, though not in which order the clients come to ask it."""

    rng: random.Random
    ends: float
    accounts: dict[int, Account] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    n_begun: int = 0

    def respond(self, request: Mapping[str, Any]) -> Step:
        """Choose and record the upstream's behaviour for a request."""
        number = str(request["messages"][0]["content"])
        if not number.isdigit():  # a nuisance of one of the hostile clients
            return answer("fine")
        account = self.accounts.setdefault(int(number), Account())
        account.n_seen += 1
        self.counts["attempts seen"] += 1
        if self.rng.random() < FAULT_SHARE:
            self.counts["faults"] += 1
            name, step = self.rng.choice(_STEPS)
            account.hear(*_REPORTED_BY.get(name, (0, 0)))
            return step
        usage = (self.rng.randint(5, 500), self.rng.randint(1, 300))
        account.hear(*usage)
        text = f"{request['model']}: {'word ' * self.rng.randint(1, 200)}"
        good = answer(text, usage=usage, piece_chars=40)
        return paced(0.002, good) if self.rng.random() < 0.2 else good

    def heard(self, _logger: Any, _name: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take in a line of the gateway's log; none is printed."""
        if "exc_info" in entry:
            self.problems.append(f"the log holds an exception: {entry['event']}\n{traceback.format_exc()}")
        if entry["event"] == "request" and entry["request_id"].startswith("soak-"):
            line = self.accounts[int(entry["request_id"].removeprefix("soak-"))].line
            if line.done():
                self.problems.append(f"{entry['request_id']} has two lines in the log")
            else:
                line.set_result(dict(entry))
        raise structlog.DropEvent

    async def client(self, gateway: Gateway) -> None:
        """Send one request after the other until the end of the run."""
        clock = asyncio.get_running_loop().time
        while clock() < self.ends and self.n_begun < MOST_REQUESTS:
            number = self.n_begun
            self.n_begun += 1
            self.accounts[number] = Account()
            started = clock()
            leaves = self.rng.random() < LEAVING_SHARE
            reply = await self._asked(gateway, number, self.rng.random() * 0.05 if leaves else DEADLINE_S + 10)
            if reply is not None:
                self.seconds.append(clock() - started)
            elif not leaves:
                self.problems.append(f"soak-{number} got no reply within {DEADLINE_S + 10:.0f} s")
            await self._settle(number, reply)
            await asyncio.sleep(self.rng.random() * 0.05)

    async def nuisance(self, gateway: Gateway) -> None:
        """Act as one slow or hostile client after the other until the end of the run."""
        port = int(gateway.url.rsplit(":", 1)[1])
        while asyncio.get_running_loop().time() < self.ends:
            kind = self.rng.randrange(3)
            self.counts["nuisances"] += 1
            if kind == 0:
                async with Client(port) as client:
                    await self.rng.choice(_SLOW)(client)
            elif kind == 1:
                async with Client(port) as client:
                    await client.send(self.rng.choice(_MALFORMED))
                    await client.read()
            else:
                schema = self.rng.choice(_HOSTILE_SCHEMAS)
                body = {"messages": [{"role": "user", "content": "x"}], "response_format": _json_schema(schema)}
                reply = await gateway.chat(body)
                if reply.status not in {200, 400, 502, 503}:
                    self.problems.append(f"a hostile schema got {reply.status}")
            await asyncio.sleep(0.05)

    async def _asked(self, gateway: Gateway, number: int, patience_s: float) -> Reply | None:
        """Return the reply to a request, None where it takes too long for this client, which then leaves."""
        body: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": str(number)},
                {"role": "user", "content": "Explain, at length."},
            ],
            "stream": self.rng.random() < 0.5,
            "model": "mom" if self.rng.random() < 0.8 else "a",
        }
        try:
            async with asyncio.timeout(patience_s):
                return await gateway.chat(body, headers={"x-request-id": f"soak-{number}"})
        except TimeoutError:
            return None

    async def _settle(self, number: int, reply: Reply | None) -> None:
        """Compare a request's records of the client, the log and the upstream."""
        account = self.accounts[number]
        try:
            async with asyncio.timeout(DEADLINE_S if account.n_seen or reply else 1.0):
                line = await account.line
        except TimeoutError:
            if account.n_seen:  # else it never reached the gateway
                self.problems.append(f"soak-{number} has no line in the log")
            return
        finally:
            del self.accounts[number]
        self.counts[str(line["status"])] += 1
        self.counts["attempts logged"] += line.get("attempts", 0)
        self.problems += [f"soak-{number}: {problem}" for problem in _problems(account, line, reply)]

    async def watch(self, upstream: FakeUpstream) -> None:
        """Take a sample of the memory every now and then, and have the upstream forget."""
        while True:
            await asyncio.sleep(0.5)
            upstream.requests.clear()
            self.rss.append(await asyncio.to_thread(rss_mb))

    def summary(self) -> str:
        """Return the figures of the run, and judge time and memory."""
        percentiles = quantiles(self.seconds, n=100)
        if percentiles[98] > DEADLINE_S:
            self.problems.append(f"the 99th percentile is {percentiles[98]:.1f} s, past the deadline")
        quarter = len(self.rss) // 4
        before, after = median(self.rss[quarter : 2 * quarter]), median(self.rss[-quarter:])
        if after - before > MAX_GROWTH_MB:
            self.problems.append(f"memory grew from {before:.0f} to {after:.0f} MiB")
        counts = ", ".join(f"{name}: {n}" for name, n in sorted(self.counts.items()))
        lines = [
            f"{self.n_begun} requests, of which {self.n_begun - len(self.seconds)} clients left ({counts})",
            f"p50 {percentiles[49]:.3f} s, p99 {percentiles[98]:.3f} s, deadline {DEADLINE_S:.0f} s",
            f"memory {before:.0f} -> {after:.0f} MiB",
            *(self.problems[:20] or ["nothing is wrong"]),
        ]
        return "\n".join(lines) + "\n"


def _json_schema(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def _problems(account: Account, line: Mapping[str, Any], reply: Reply | None) -> list[str]:
    """Return the differences between the three records of one request."""
    n_logged = line.get("attempts", 0)
    if reply is None:  # what was cancelled may not have arrived
        return [] if account.n_seen <= n_logged else [f"{account.n_seen} attempts seen, {n_logged} logged"]
    problems = [] if account.n_seen == n_logged else [f"{account.n_seen} attempts seen, {n_logged} logged"]
    logged = (line.get("prompt_tokens", 0), line.get("completion_tokens", 0))
    if logged != account.reported and not line.get("tokens_estimated"):
        problems.append(f"tokens {account.reported} reported, {logged} logged")
    if reply.status not in STATUSES:
        problems.append(f"status {reply.status}")
    elif reply.headers["content-type"].startswith("text/event-stream"):
        if reply.events[-1] != "[DONE]" and "error" not in reply.events[-1]:
            problems.append("a stream ended without a word")
    elif reply.status == 200:
        usage = reply.json["usage"]["mom"]
        if (usage["prompt_tokens"], usage["completion_tokens"]) != logged:
            problems.append(f"usage {usage}, logged {logged}")
    elif "message" not in reply.error:
        problems.append("an error without a message")
    return problems


def _settings(upstream: FakeUpstream) -> Settings:
    limits = {"retries": 1, "first_byte_timeout_s": SILENCE_S, "idle_timeout_s": SILENCE_S, "timeout_s": DEADLINE_S / 2}
    models = [model(name, upstream, **limits) for name in EVERYONE]
    critic = Critic(AUTHORS[0], fallbacks=AUTHORS[1:])
    server = Server(port=0, header_timeout_s=1, body_timeout_s=2, min_body_kb_per_s=1, keepalive_timeout_s=2)
    return settings(
        models, panel=PANEL, critic=critic, deadline_s=DEADLINE_S, critic_reserve_s=DEADLINE_S / 2, server=server
    )


async def _load(soak: Soak, traces: Path) -> None:
    async with FakeUpstream() as upstream:
        upstream.default = from_request(soak.respond)
        config = _settings(upstream)
        async with running(config, trace_dir=traces, sleep=asyncio.sleep) as gateway:
            watching = asyncio.create_task(soak.watch(upstream))
            async with asyncio.TaskGroup() as group:
                for _ in range(N_CLIENTS):
                    group.create_task(soak.client(gateway))
                for _ in range(N_NUISANCES):
                    group.create_task(soak.nuisance(gateway))
            watching.cancel()
            await upstream.wait_idle()


async def _nothing_left(soak: Soak, tasks: set[asyncio.Task[Any]], descriptors: int) -> None:
    """Report everything that is left after the run and was not there before."""
    for _ in range(200):
        if asyncio.all_tasks() <= tasks and n_descriptors() <= descriptors:
            return
        await asyncio.sleep(0.05)
    n_tasks, n_open = len(asyncio.all_tasks() - tasks), n_descriptors() - descriptors
    soak.problems.append(f"{n_tasks} tasks and {n_open} descriptors are left")


async def run(seconds: float, seed: int) -> Soak:
    """Return the run that is over."""
    soak = Soak(random.Random(seed), asyncio.get_running_loop().time() + seconds)
    structlog.configure(processors=[soak.heard])
    with tempfile.TemporaryDirectory() as folder:
        tasks, descriptors = asyncio.all_tasks(), n_descriptors()
        await _load(soak, Path(folder))
        await _nothing_left(soak, tasks, descriptors)
    return soak


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    sys.stdout.write(f"soak for {options.seconds:.0f} s, seed {options.seed}\n")
    sys.stdout.flush()
    soak = asyncio.run(run(options.seconds, options.seed))
    sys.stdout.write(soak.summary())
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
