"""The test stand with real processes: it measures every figure, and reports broken subjects."""

import os
from pathlib import Path

import pytest

from bench import conversations, load, processes
from bench.conversations import KB
from bench.measures import added_latency, added_ms, burst, start_up, streams, throughput
from bench.processes import BrokenError
from bench.stand import DIRECT, FLOOR, GATEWAY, open_stand
from bench.waiting import experience

SMALLEST = 0.0


async def test_every_measure_has_its_figures(tmp_path: Path) -> None:
    """On the floor, with the least effort: figures are there, and none is below zero."""
    usable = os.sched_getaffinity(0)
    async with open_stand(tmp_path, processes.ROOT, "asyncio") as stand:
        found = [
            await throughput("instant", 2 * KB, 4, 0)(stand, FLOOR, SMALLEST),
            await throughput("instant-a", 2 * KB, 4, 0)(stand, DIRECT, SMALLEST),
            await added_latency("wait50", 2 * KB, 0)(stand, FLOOR, SMALLEST),
            await streams("calm", 0)(stand, FLOOR, SMALLEST),
            await burst("burst", 2, 0)(stand, FLOOR, SMALLEST),
        ]
    assert all(figures and all(value > 0 for value in figures.values()) for figures in found)
    assert os.sched_getaffinity(0) == usable


async def test_the_gateway_is_measured(tmp_path: Path) -> None:
    """Its configuration fits the upstream's scripts: it starts, answers, and lets a critic choose."""
    async with open_stand(tmp_path, processes.ROOT, "asyncio") as stand:
        started = await start_up("instant")(stand, GATEWAY, SMALLEST)
        seen = await experience("select", 2 * KB, 0)(stand, GATEWAY, SMALLEST)
    assert started["first 200, s"] > 0
    assert seen["whole answer p50, ms"] >= seen["first word p50, ms"] > 0


async def test_stamps_state_the_time_that_the_upstream_took(tmp_path: Path) -> None:
    """Panel and critic are subtracted from the client's waiting time; the rest is the subject's."""
    body = conversations.build_body("wait50", 2 * KB)
    async with open_stand(tmp_path, processes.ROOT, "asyncio") as stand:
        subject = await stand.subject(FLOOR)
        waits = await load.send_all(subject.url, [body], lambda r: (r.took_s * 1e3, added_ms(r)), concurrency=1)
    ((took_ms, added),) = waits
    assert 0 < added <= took_ms - 99


async def test_a_refused_request_is_broken(tmp_path: Path) -> None:
    """A reply that is no success ends the measurement, and is shown."""
    async with open_stand(tmp_path, processes.ROOT, "asyncio") as stand:
        subject = await stand.subject(FLOOR)
        with pytest.raises(ExceptionGroup) as raised:
            await load.send_all(subject.url + "/nowhere", [b"{}"], lambda _: None, concurrency=1)
    assert raised.group_contains(BrokenError, match="404")


async def test_a_server_that_does_not_start_is_reported_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(BrokenError, match="no_such_module"):
        async with processes.running(["-m", "no_such_module"], tmp_path / "log", core=None):
            pass
