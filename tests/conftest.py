"""What every test may ask for."""

import logging
import os
import signal
from collections.abc import AsyncGenerator, Iterator
from tempfile import TemporaryDirectory

import pytest
import structlog
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


@pytest.fixture(autouse=True)
def _no_test_configures_the_log_of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take back what a test configures, and let no logger keep it: `capture_logs` would hear nothing of that one."""
    root, configure = logging.getLogger(), structlog.configure
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(
        structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False})
    )
    yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake
