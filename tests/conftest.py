"""Fixtures and settings of every test."""

import logging
import os
import resource
import signal
from collections.abc import AsyncGenerator, Iterator
from tempfile import TemporaryDirectory

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import worker_crashes
from tests.fakes import FakeUpstream

# Hypothesis measures time in two ways, for each example and for making one: on a busy machine both fail by chance.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


_STATE = TemporaryDirectory(prefix="mom-tests-")
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what the tests start.

    Ctrl-C is heard: a shell that runs them in the background has it ignored. No gateway touches the user's own store.
    """
    os.environ["MOM_STATE_DIR"] = _STATE.name
    _reset_log()
    worker_crashes.register(config)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _reset_log() -> None:
    """Write log lines as structlog does by default, but tracebacks plainly: with all local variables one takes 3 s."""
    structlog.reset_defaults()
    *processors, _renderer = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, renderer])


@pytest.fixture(autouse=True)
def _no_test_configures_the_log_of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take back what a test configures, and let no logger keep it: `capture_logs` would hear nothing of that one."""
    root, configure = logging.getLogger(), structlog.configure
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(
        structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False})
    )
    yield
    _reset_log()
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _no_test_limits_the_process_of_all() -> Iterator[None]:
    """Fail a test that leaves a limit or a timer behind: the kernel would kill the process in the midst of another."""
    before = _read_limits()
    yield
    assert _read_limits() == before


def _read_limits() -> list[object]:
    return [*map(resource.getrlimit, _LIMITS), signal.getitimer(signal.ITIMER_REAL)]


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake
