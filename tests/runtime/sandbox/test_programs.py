"""A program in the sandbox can pass, fail or run out of time, and do nothing else."""

import sys
from pathlib import Path

import pytest

from runtime.sandbox import programs
from runtime.sandbox.namespaces import Isolation, isolation
from runtime.sandbox.programs import Program, ProgramLimits, Verdict

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")

closed_off = pytest.mark.skipif(isolation() is not Isolation.NAMESPACES, reason="needs Linux's namespaces")


def verdict(source: str, **limits: float) -> Verdict:
    """Return how a source ends."""
    return programs.run(Program({"main.py": source}, "main.py"), ProgramLimits(**{"wall_s": 60.0, **limits}))  # type: ignore[arg-type]


def test_a_program_that_ends_passes() -> None:
    assert verdict("print('x' * 10**6)\nassert 1 + 1 == 2") is Verdict.PASSED


@pytest.mark.parametrize(
    "source",
    [
        "assert False",
        "def f(:",
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "import os; os.write(1, b'passed'); os._exit(0)",
    ],
)
def test_any_other_end_fails(source: str) -> None:
    """Only a program that ran to its end passes, whatever its exit code."""
    assert verdict(source) is Verdict.FAILED


def test_files_lie_beside_each_other() -> None:
    files = {"pkg/__init__.py": "", "pkg/a.py": "x = 1", "test.py": "from pkg.a import x\nassert x == 1"}
    assert programs.run(Program(files, "test.py")) is Verdict.PASSED


def test_a_loop_without_end_is_ended_by_the_clock() -> None:
    assert verdict("import time\nwhile True: time.sleep(1)", wall_s=1.0) is Verdict.TIMEOUT


def test_a_loop_without_end_is_ended_by_its_processor_time() -> None:
    assert verdict("while True: pass", cpu_s=1) is Verdict.FAILED


def test_memory_is_bounded() -> None:
    assert verdict("x = bytearray(2**30)") is Verdict.FAILED
    assert verdict("x = bytearray(2**26)") is Verdict.PASSED


def test_a_file_is_bounded() -> None:
    assert verdict("open('big', 'wb').write(b'x' * 2**22)") is Verdict.FAILED


def test_open_files_are_bounded() -> None:
    assert verdict("files = [open('main.py') for _ in range(64)]") is Verdict.FAILED


@closed_off
def test_a_fork_bomb_is_bounded() -> None:
    """It gets no more processes than the limit, and none of them outlives it."""
    source = "import os, time\nfor _ in range(64):\n    if os.fork() == 0: time.sleep(600)"
    assert verdict(source, processes=8) is Verdict.FAILED
    assert verdict("import os, time\nif os.fork() == 0: time.sleep(600)") is Verdict.PASSED


@closed_off
def test_there_is_no_network() -> None:
    """Neither another machine nor this one's own services can be reached."""
    source = (
        "import errno, socket\n"
        "for place in (('192.0.2.1', 80), ('127.0.0.1', 80)):\n"
        "    try: socket.create_connection(place, 2)\n"
        "    except OSError as error: assert error.errno == errno.ENETUNREACH, error\n"
        "    else: raise AssertionError"
    )
    assert verdict(source) is Verdict.PASSED


@closed_off
def test_files_elsewhere_can_not_be_written(tmp_path: Path) -> None:
    """Files can be made, changed and deleted inside its folder only."""
    mine = tmp_path / "mine"
    mine.write_text("untouched")
    tmp_path.chmod(0o777)
    mine.chmod(0o666)
    source = (
        "import os\n"
        "open('own', 'w').write('x')\n"
        f"for act in (lambda: open({str(mine)!r}, 'w'), lambda: os.unlink({str(mine)!r}),\n"
        f"            lambda: open({str(tmp_path / 'new')!r}, 'w'), lambda: open('/tmp/new-file', 'w')):\n"
        "    try: act()\n"
        "    except OSError: continue\n"
        "    raise AssertionError"
    )
    assert verdict(source) is Verdict.PASSED
    assert mine.read_text() == "untouched"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@closed_off
def test_it_has_no_privileges_and_no_environment() -> None:
    source = (
        "import os\n"
        "status = dict(line.split(':', 1) for line in open('/proc/thread-self/status'))\n"
        "assert int(status['CapEff'], 16) == 0 and int(status['NoNewPrivs']) == 1\n"
        "assert set(os.environ) <= {'PATH', 'PWD', 'OLDPWD', 'SHLVL', '_', 'LC_CTYPE'}, os.environ"
    )
    assert verdict(source) is Verdict.PASSED


@pytest.mark.parametrize(("source", "expected"), [("", Verdict.PASSED), ("while True: pass", Verdict.TIMEOUT)])
def test_limits_alone_also_hold(source: str, expected: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without usable namespaces, time is still limited."""
    monkeypatch.setattr(programs, "isolation", lambda: Isolation.LIMITS)
    assert verdict(source, wall_s=20.0 if expected is Verdict.PASSED else 2.0) is expected
