"""What every test may ask for."""

import signal
from collections.abc import AsyncGenerator

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes import FakeUpstream

# Hypothesis measures time in two ways, for each example and for making one: on a busy machine both fail by chance.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_configure() -> None:
    """Have Ctrl-C heard by what the tests start: a shell that runs them in the background has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake
