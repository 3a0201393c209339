"""The sandboxes of the process: made when they are first needed, once, and closed with it."""

import pytest
from structlog.testing import capture_logs

from config.settings import Settings
from handlers.lifecycle.sandboxes import Sandboxes
from runtime.sandbox import forks
from runtime.sandbox.namespaces import Isolation
from runtime.workers import WorkerPool
from tests.running import model, settings


def _asking(evidence: str) -> Settings:
    return settings([model("a", "http://127.0.0.1:9/v1")], evidence=evidence)


async def test_no_evidence_needs_no_sandbox() -> None:
    """Nothing is imported, made or started."""
    sandboxes = Sandboxes(WorkerPool())
    assert await sandboxes.build_finder(_asking("off")) is None
    assert sandboxes._made == {}


@pytest.mark.parametrize("evidence", ["auto", "shadow"])
async def test_a_sandbox_outlives_a_configuration(evidence: str) -> None:
    """A reload makes a finder, and no second sandbox."""
    sandboxes = Sandboxes(WorkerPool())
    try:
        assert await sandboxes.build_finder(_asking(evidence)) is not None
        first = dict(sandboxes._made)
        assert await sandboxes.build_finder(_asking(evidence)) is not None
        assert sandboxes._made == first
        assert list(first) == ["monty"]
    finally:
        await sandboxes.close()
    assert sandboxes._made == {}


async def test_a_system_without_namespaces_is_warned_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates then run in Monty alone, never under the kernel's limits alone."""
    monkeypatch.setattr(forks, "isolation", lambda: Isolation.LIMITS)
    sandboxes = Sandboxes(WorkerPool())
    try:
        with capture_logs() as log:
            for _ in range(2):
                assert await sandboxes.build_finder(_asking("full")) is not None
        (warning,) = log
        assert (warning["log_level"], warning["sandbox"]) == ("warning", "namespaces")
        assert "use monty alone" in warning["reason"]
        assert sandboxes._made["namespaces"] is None
    finally:
        await sandboxes.close()
