"""The test stand: an upstream, and the subjects that are measured with it, each started at its first use."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench import processes
from bench.processes import Server, running
from bench.stores import add_budget, running_redis

FLOOR, DIRECT, GATEWAY = "floor", "1:1 floor", "gateway"
ALONE, TRACING, ON_UVLOOP = "gateway, alone", "gateway, traced", "gateway on uvloop"
MESSAGES, RESPONSES = "gateway by Messages", "gateway by Responses"
PUBLIC_API = "gateway on aiohttp's public API"
WITHOUT_EVIDENCE = "gateway without evidence"
WITHOUT_LEARNING = "gateway that learns nothing"
ON_SQLITE, ON_REDIS = "gateway, budget in SQLite", "gateway, budget in Redis"

_PATHS = {DIRECT: "/direct", MESSAGES: "/v1/messages", RESPONSES: "/v1/responses"}
_QUIET_S = 0.05
_QUIET_CPU_S = 0.002
_MAX_LOOKS = 100


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under test, and the base URL by which clients call it."""

    server: Server
    url: str

    async def settled_cpu_s(self) -> float:
        """Return the CPU time that the process has used, when it is idle (or after 5 s)."""
        used = self.server.cpu_s()
        for _ in range(_MAX_LOOKS):
            await asyncio.sleep(_QUIET_S)
            before, used = used, self.server.cpu_s()
            if used - before < _QUIET_CPU_S:
                break
        return used


class Stand:
    """Starts subjects, on a core of their own if there are two. Opened and closed by `open_stand`."""

    def __init__(self, upstream: Server, folder: Path, tree: Path, loop: str, core: int | None) -> None:
        self._upstream = upstream
        self._folder = folder
        self._tree = tree
        self._loop = loop
        self._core = core
        self._numbers = count(1)
        self._kept: dict[str, Subject] = {}
        self._stack = AsyncExitStack()
        self._redis: str | None = None

    async def subject(self, name: str) -> Subject:
        """Return a subject that is kept for the whole run."""
        if name not in self._kept:
            self._kept[name] = await self._stack.enter_async_context(self.fresh(name))
        return self._kept[name]

    @asynccontextmanager
    async def fresh(self, name: str, *, counted: bool = False) -> AsyncGenerator[Subject]:
        """Run a new subject for the block; with `counted`, under valgrind."""
        number = next(self._numbers)
        log = self._folder / f"{number}.log"
        upstream = f"{self._upstream.url}/v1"
        config = await self._find_config(name)
        arguments = self._arguments(name, upstream, config, self._folder / f"traces-{number}")
        env = {
            "BENCH_UPSTREAM": upstream,
            "BENCH_EVIDENCE": "off" if name == WITHOUT_EVIDENCE else "auto",
            "BENCH_LEARN": "off" if name == WITHOUT_LEARNING else "shadow",
            "MOM_HTTP_EXCHANGE": "session" if name == PUBLIC_API else "direct",
            "MOM_STATE_DIR": str(self._folder / f"state-{number}"),
        }
        async with running(arguments, log, core=self._core, env=env, counted=counted) as server:
            yield Subject(server, server.url + _PATHS.get(name, "/v1"))

    async def _find_config(self, name: str) -> Path:
        """Return bench/config.yaml, or a copy with a budget; it names a Redis server that runs until the end."""
        config = processes.ROOT / "bench/config.yaml"
        if name not in (ON_SQLITE, ON_REDIS):
            return config
        if name == ON_REDIS and self._redis is None:
            self._redis = await self._stack.enter_async_context(running_redis(self._folder))
        path = self._folder / f"{'redis' if name == ON_REDIS else 'sqlite'}.yaml"
        path.write_text(add_budget(config.read_text(), self._redis if name == ON_REDIS else None))
        return path

    def _arguments(self, name: str, upstream: str, config: Path, traces: Path) -> list[str]:
        launcher = ["-m", "bench.under_uvloop"] if self._loop == "uvloop" or name == ON_UVLOOP else []
        if name in (FLOOR, DIRECT):
            return [*launcher, str(processes.ROOT / "bench/floor.py"), upstream]
        tracing = ["--debug-requests", str(traces)] if name == TRACING else []
        return [*launcher, str(self._tree / "gateway.py"), "--config", str(config), *tracing]

    def read_last_lines(self) -> str:
        """Return the last two log lines of each process."""
        logs = [log.read_text().splitlines()[-2:] for log in sorted(self._folder.glob("*.log"))]
        return "\n".join(line for lines in logs for line in lines)

    async def close(self) -> None:
        """End the subjects."""
        await self._stack.aclose()


@asynccontextmanager
async def open_stand(folder: Path, tree: Path, loop: str) -> AsyncGenerator[Stand]:
    """Run the upstream for the block; `loop` is the subjects' event loop, `asyncio` or `uvloop`."""
    usable = os.sched_getaffinity(0)
    ours, theirs = (min(usable), max(usable)) if len(usable) > 1 else (None, None)
    if ours is not None:
        os.sched_setaffinity(0, {ours})
    try:
        async with running(["-m", "bench.upstream"], folder / "upstream.log", core=ours) as upstream:
            stand = Stand(upstream, folder, tree, loop, theirs)
            try:
                yield stand
            except Exception as error:
                error.add_note(await asyncio.to_thread(stand.read_last_lines))
                raise
            finally:
                await stand.close()
    finally:
        os.sched_setaffinity(0, usable)
