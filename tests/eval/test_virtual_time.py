"""Virtual time passes only while all tasks wait for timers, and never during real work."""

import asyncio
import threading
import time

import pytest

from eval.virtual_time import VirtualTimeLoop, run_in_virtual_time


def test_time_jumps_to_the_next_timer() -> None:
    """An hour of sleep takes no time, and is an hour on the loop's clock."""

    async def main(loop: VirtualTimeLoop) -> float:
        await asyncio.sleep(3600)
        return loop.time()

    assert run_in_virtual_time(main) == pytest.approx(3600)


def test_timers_come_in_their_order() -> None:
    """However they were started, the shorter ends first, at its instant."""

    async def main(loop: VirtualTimeLoop) -> list[tuple[float, float]]:
        ended: list[tuple[float, float]] = []

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds)
            ended.append((seconds, loop.time()))

        await asyncio.gather(*map(sleep, [50.0, 0.001, 20.0, 3.0]))
        return ended

    ended = run_in_virtual_time(main)
    assert [seconds for seconds, _ in ended] == [0.001, 3.0, 20.0, 50.0]
    assert [at for _, at in ended] == pytest.approx([0.001, 3.0, 20.0, 50.0])


def test_a_thread_takes_no_time() -> None:
    """A timeout does not strike while a thread works, whatever the thread waits for."""

    async def main(loop: VirtualTimeLoop) -> float:
        done = threading.Event()
        loop.call_soon(done.set)
        async with asyncio.timeout(0.001):
            await asyncio.to_thread(done.wait)
        return loop.time()

    assert run_in_virtual_time(main) == 0.0


def test_real_work_takes_no_time() -> None:
    """The clock stands still while a task waits for something outside the loop."""

    async def main(loop: VirtualTimeLoop) -> float:
        future = loop.create_future()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(future.set_result, None))
        with loop.real_work():
            thread.start()
            async with asyncio.timeout(0.001):
                await future
        thread.join()
        return loop.time()

    assert run_in_virtual_time(main) == 0.0


def test_a_subprocess_is_waited_for() -> None:
    """A child process reports its end to a loop that runs in a thread."""

    async def main(loop: VirtualTimeLoop) -> tuple[bytes, float]:
        with loop.real_work():
            child = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
            said, _ = await child.communicate()
        return said, loop.time()

    async def in_a_thread() -> tuple[bytes, float]:
        return await asyncio.to_thread(run_in_virtual_time, main)

    assert asyncio.run(in_a_thread()) == (b"hello\n", 0.0)


def test_the_machine_s_clock_is_left_alone() -> None:
    """Only the loop's own clock is virtual."""

    async def main(_loop: VirtualTimeLoop) -> float:
        before = time.monotonic()
        await asyncio.sleep(10**6)
        return time.monotonic() - before

    assert run_in_virtual_time(main) < 10**5


def test_errors_come_through() -> None:
    async def main(_loop: VirtualTimeLoop) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_in_virtual_time(main)
