"""A pytest plugin that reports how a crashed worker of pytest-xdist ended.

xdist names the test that ran then, which may be innocent: the process may have been killed from outside, by a timer of
an earlier test, or by memory that one corrupted. The exit status tells these apart, and the tests before are the first
suspects. For a crash in native code, pytest's faulthandler writes the traceback to standard error as well.
"""

import signal
from collections import defaultdict, deque
from subprocess import Popen, TimeoutExpired
from typing import Any

import pytest

_N_TESTS = 5
_EXIT_S = 10.0


def register(config: pytest.Config) -> None:
    """Add the plugin to the process that distributes the tests; do nothing in a worker, or without workers."""
    if config.getoption("dist", "no") != "no":
        config.pluginmanager.register(WorkerCrashes())


class WorkerCrashes:
    """Remembers each worker's last tests, and adds a section about those that crashed to the summary."""

    def __init__(self) -> None:
        self._last_tests: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_N_TESTS))
        self._crashes: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that has ended."""
        if report.when == "teardown" and (worker := getattr(report, "node", None)) is not None:
            self._last_tests[worker.gateway.id].append(report.nodeid)

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Describe the end of a worker that has crashed (a hook of xdist)."""
        if error:
            name, process = node.gateway.id, node.gateway._io.popen
            self._crashes.append(f"{name} (process {process.pid}) {describe_end(process)}")
            self._crashes += [f"  {test}" for test in ("it had run last:", *self._last_tests[name])]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the section."""
        if self._crashes:
            terminalreporter.section("crashed workers")
            for line in self._crashes:
                terminalreporter.write_line(line)


def describe_end(process: "Popen[bytes]") -> str:
    """Return how a process ended, in words; waits for it."""
    try:
        code = process.wait(_EXIT_S)
    except TimeoutExpired:
        return "has closed its connection, and is still running"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
