"""What every test may ask for."""

import os
import signal
from collections.abc import AsyncGenerator
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes import FakeUpstream

# Hypothesis measures time in two ways, for each example and for making one: on a busy machine both fail by chance.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


_STATE = TemporaryDirectory(prefix="mom-tests-")


def pytest_configure() -> None:
    """Prepare what the tests start.

    Ctrl-C is heard: a shell that runs them in the background has it ignored. No gateway touches the user's own store.
    """
    os.environ["MOM_STATE_DIR"] = _STATE.name
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake
