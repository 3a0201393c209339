"""What every test may ask for."""

import signal
from collections.abc import AsyncGenerator

import pytest

from tests.fakes import FakeUpstream


def pytest_configure() -> None:
    """Have Ctrl-C heard by what the tests start: a shell that runs them in the background has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake
