"""The report about crashed workers of pytest-xdist."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.worker_crashes import describe_end

_TESTS = """
import os

def test_first(): ...

def test_second():
    os.abort()
"""


def test_how_a_worker_ended_is_in_the_summary(tmp_path: Path) -> None:
    """With the tests before, which may be at fault; and where it crashed is on standard error."""
    (tmp_path / "conftest.py").write_text("from tests.worker_crashes import register as pytest_configure\n")
    (tmp_path / "test_crash.py").write_text(_TESTS)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-n1", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"],
        env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "in test_second" in ran.stderr
    _, _, section = ran.stdout.partition("= crashed workers =")
    end, *last = section.splitlines()[1:4]
    assert end.startswith("gw0 (process ")
    assert end.endswith(") was ended by SIGABRT")
    assert last == ["  it had run last:", "  test_crash.py::test_first"]


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
        ("raise SystemExit(3)", "exited with code 3"),
    ],
)
def test_signals_and_exit_codes_are_distinguished(source: str, end: str) -> None:
    """A kill from outside is not a crash of the code's own."""
    with subprocess.Popen([sys.executable, "-S", "-c", source]) as process:
        assert describe_end(process) == end


def test_a_worker_that_only_closes_its_connection_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report says so, instead of waiting for it."""
    monkeypatch.setattr("tests.worker_crashes._EXIT_S", 0.01)
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert describe_end(process) == "has closed its connection, and is still running"
        process.kill()
