"""Tasks that run in the background."""

import asyncio

from structlog.testing import capture_logs

from runtime.background import Background
from tests.upstream.clocks import in_no_time


async def test_a_failure_is_logged() -> None:
    """Once, with its exception."""

    async def fail() -> None:
        raise ValueError("broken")

    background = Background()
    with capture_logs() as log:
        background.run(fail())
        await background.finish(1.0)
    (line,) = log
    assert (line["event"], str(line["exc_info"])) == ("a task in the background failed", "broken")


def test_the_end_waits_for_them_but_not_for_ever() -> None:
    """Also for tasks started by other tasks; after the timeout they are cancelled."""
    done: list[str] = []

    async def play() -> None:
        background = Background()

        async def first() -> None:
            await asyncio.sleep(1)
            background.run(second())

        async def second() -> None:
            await asyncio.sleep(1)
            done.append("second")
            background.run(asyncio.sleep(1000))

        background.run(first())
        with capture_logs() as log:
            await background.finish(10.0)
        assert [line["tasks"] for line in log] == [1]

    in_no_time(play())
    assert done == ["second"]
