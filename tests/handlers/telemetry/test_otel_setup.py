"""The set-up of the span export."""

import sys

import pytest

from handlers.errors import StartError
from tests.fakes import FakeUpstream
from tests.running import model, running, settings


async def test_missing_packages_end_the_start(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the missing package and the command that installs it."""
    monkeypatch.delitem(sys.modules, "handlers.telemetry.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    with pytest.raises(StartError, match=r"is not installed: run .* -m pip install -r .*/requirements-otel\.txt"):
        async with running(settings([model("a", upstream)]), export_spans=True):
            pass
