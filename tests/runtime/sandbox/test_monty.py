"""The gaps of Monty are recognised, and its workers are limited by the kernel, too."""

import os
import sys
from pathlib import Path

import pytest

from runtime.sandbox import monty
from runtime.sandbox.monty import MontySandbox
from runtime.sandbox.trials import Check, Kind, Limits, SandboxError, Trial
from tests.runtime.sandbox.boxes import PATIENT, observe

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    yield 1\n",
        "class A(Exception): pass\n",
        "from os import *\n",
        "import heapq\n",
        "from collections import OrderedDict\n",
        "import sys\nsys.exit\n",
        "x = 1\ndel x\n",
        "callable(1)\n",
        "'x'.translate({})\n",
        "(3).bit_length()\n",
        "object()\n",
        "getattr('x', 'upper')\n",
    ],
)
async def test_gaps_of_monty_are_unknown(source: str) -> None:
    """Code that CPython runs is not at fault if this interpreter cannot run it."""
    compile(source, "candidate.py", "exec")
    report = await observe(monty.NAME, Trial(source, (Check("1", "1"),)))
    assert report.loaded.kind is Kind.UNKNOWN, report
    assert "lacks" in report.loaded.message


@pytest.mark.parametrize("source", ["x.y", "undefined_name", "'x'.no_such_method()", "[].no()", "import math\nmath.no"])
async def test_an_attribute_that_cpython_lacks_is_a_failure(source: str) -> None:
    """A name or attribute that exists nowhere is the code's own failure, except in a module, which may be newer."""
    report = await observe(monty.NAME, Trial(source))
    assert report.loaded.kind is (Kind.UNKNOWN if "math" in source else Kind.ERROR)


@pytest.mark.parametrize(
    "source",
    [
        "from math import *\nx = floor(pi)",
        "from typing import *\nfrom collections import *\ndef f(a: List[int]) -> int:\n    return 3\nx = f([])",
        "from string import *\nx = len(digits) - 7",
        "def f():\n    import string\n    return len(string.ascii_lowercase)\nx = f() - 23",
        "x = 3\nif __name__ == '__main__':\n    x = 4",
    ],
)
async def test_gaps_of_monty_are_filled(source: str) -> None:
    """Imports of all names, constants of `string`, and a module that is not the main one."""
    report = await observe(monty.NAME, Trial(source, (Check("x", "3"),)))
    assert [check.equal for check in report.checks] == [True], report


@pytest.mark.parametrize("n_checks", [1, 2, 20])
async def test_checks_are_made_at_once_or_alone(n_checks: int) -> None:
    """However many, each has its own outcome, also if one of them ends the session."""
    source = "def f(x):\n    while x == 7: pass\n    return 10 // x\n"
    checks = tuple(Check(f"f({n})", "5") for n in range(n_checks))
    report = await observe(monty.NAME, Trial(source, checks), Limits(step_s=0.5, trial_s=30.0))
    expected = [(Kind.ERROR, None), *((Kind.VALUE, n == 2) for n in range(1, n_checks))]
    if n_checks > 7:
        expected[7] = (Kind.UNKNOWN, None)
    assert [(check.kind, check.equal) for check in report.checks] == expected


async def test_a_name_that_a_check_assigns_stays() -> None:
    """Also for the checks after it."""
    report = await observe(monty.NAME, Trial("x = 1", (Check("(y := x + 1)", "2"), Check("y", "2"))))
    assert [check.equal for check in report.checks] == [True, True], report


async def test_a_check_that_monty_cannot_read_costs_only_itself() -> None:
    """The other checks are made."""
    checks = (Check("1", "1"), Check("(yield 1)", "1"), Check("2", "2"))
    report = await observe(monty.NAME, Trial("x = 1", checks))
    assert [check.equal for check in report.checks] == [True, None, True]


async def test_a_module_that_is_too_long_is_not_run() -> None:
    """Nothing of unbounded length is sent to a worker."""
    report = await observe(monty.NAME, Trial("x = 1\n" * 100_000, (Check("x", "1"),)))
    assert report.loaded.kind is Kind.UNKNOWN


async def test_a_missing_worker_is_an_error_of_the_sandbox(tmp_path: Path) -> None:
    """The error has the remedy."""
    sandbox = MontySandbox(binary=tmp_path / "missing")
    with pytest.raises(SandboxError, match="reinstall pydantic-monty"):
        await sandbox.observe(Trial("x = 1"), PATIENT)
    await sandbox.close()


async def test_a_worker_that_crashes_is_replaced() -> None:
    """An operation that does not look at the clock ends with its worker; the next trial has another one."""
    sandbox = MontySandbox(max_processes=1)
    try:
        report = await sandbox.observe(
            Trial("def f(): return 10 ** 10 ** 8", (Check("f()", "1"),)), Limits(step_s=0.2, trial_s=0.2)
        )
        assert report.checks[0].kind is Kind.UNKNOWN
        report = await sandbox.observe(Trial("x = 1", (Check("x", "1"),)), PATIENT)
        assert report.checks[0].equal
    finally:
        await sandbox.close()


@on_linux
async def test_workers_are_under_the_kernel_s_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processor time, memory and files are limited from outside as well; no variable is passed on."""
    monkeypatch.setenv("MOM_TEST_SECRET", "1")
    sandbox = MontySandbox(max_processes=1)
    try:
        await sandbox.observe(Trial("x = 1"), PATIENT)
        (worker,) = _workers()
        limits = worker.joinpath("limits").read_text()
        assert [line.split()[3] for line in limits.splitlines() if line.startswith("Max cpu time")] == ["120"]
        assert [line.split()[3] for line in limits.splitlines() if line.startswith("Max file size")] == ["0"]
        assert [line.split()[3] for line in limits.splitlines() if line.startswith("Max address")] == [str(2**30)]
        assert "MOM_TEST_SECRET" not in worker.joinpath("environ").read_text()
    finally:
        await sandbox.close()


def _workers() -> list[Path]:
    return [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if _is_worker(path)]


def _is_worker(cmdline: Path) -> bool:
    try:
        words = cmdline.read_bytes().split(b"\0")
        parent = cmdline.with_name("stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return False
    return words[0].endswith(b"/monty") and parent == str(os.getpid())
