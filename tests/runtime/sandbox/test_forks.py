"""CPython in namespaces: never without them, one sandbox for all trials of a session."""

import asyncio
import os
import signal

import pytest

from runtime.sandbox import forks
from runtime.sandbox.forks import ForkSandbox
from runtime.sandbox.namespaces import Isolation, isolation
from runtime.sandbox.trials import Check, Kind, Limits, SandboxError, Trial
from tests.runtime.sandbox.boxes import PATIENT, observe

needs_namespaces = pytest.mark.skipif(isolation() is not Isolation.NAMESPACES, reason="needs Linux's namespaces")


def test_limits_alone_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that cannot isolate runs nothing, and the error names namespaces."""
    monkeypatch.setattr(forks, "isolation", lambda: Isolation.LIMITS)
    with pytest.raises(SandboxError, match="namespaces"):
        ForkSandbox()


@needs_namespaces
@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    yield from [1, 2]\ndef g(): return list(f())",
        "class A(list): pass\ndef g(): return A([1, 2])",
        "from itertools import *\ndef g(): return list(chain([1], [2]))",
        "import heapq, string, enum, statistics\ndef g(): return [1, 2]",
        "from collections import OrderedDict\ndef g(): return list(OrderedDict({1: 0, 2: 0}))",
    ],
)
async def test_all_of_python_is_there(source: str) -> None:
    """The language and the standard library are whole."""
    report = await observe(forks.NAME, Trial(source, (Check("g()", "[1, 2]"),)))
    assert [check.equal for check in report.checks] == [True]


@needs_namespaces
async def test_trials_share_a_sandbox() -> None:
    """The second trial starts no process of ours: namespaces are made once a session."""
    sandbox = ForkSandbox()
    async with sandbox.session() as session:
        trial = Trial("import os\ndef f(): return os.getppid()", (Check("f()", "1"),))
        first = await session.observe(trial, PATIENT)
        process = session._process
        second = await session.observe(trial, PATIENT)
        assert session._process is process
    assert first == second
    assert process is not None
    assert process.returncode is not None


@needs_namespaces
async def test_a_cancelled_trial_leaves_no_answer_behind() -> None:
    """The next trial does not get the cancelled one's answer."""
    sandbox = ForkSandbox()
    async with sandbox.session() as session:
        endless = Trial("def f():\n    while True: pass", (Check("f()"),))
        task = asyncio.create_task(session.observe(endless, Limits(step_s=60, trial_s=60)))
        await asyncio.sleep(0.5)  # in the midst of it, or of its start: both are right
        task.cancel()
        await asyncio.wait([task])
        report = await session.observe(Trial("x = 5", (Check("x", "5"),)), PATIENT)
    assert [check.equal for check in report.checks] == [True]


@needs_namespaces
async def test_a_sandbox_that_has_ended_is_started_again() -> None:
    """The interrupted trial is unknown, because the code may not be at fault; the next trial has a new sandbox."""
    sandbox = ForkSandbox()
    async with sandbox.session() as session:
        await session.observe(Trial("x = 5"), PATIENT)
        assert session._process is not None
        os.killpg(session._process.pid, signal.SIGKILL)
        await session._process.wait()
        report = await session.observe(Trial("x = 5", (Check("x", "5"),)), PATIENT)
        assert report.loaded.kind is Kind.UNKNOWN
        report = await session.observe(Trial("x = 5", (Check("x", "5"),)), PATIENT)
    assert [check.equal for check in report.checks] == [True]
