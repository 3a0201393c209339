"""The launcher installs a filter, and becomes the program that runs under it."""

import subprocess
import sys

import pytest

from runtime.sandbox.namespaces import filtering
from runtime.sandbox.syscall_filter import make_filter

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not make_filter(for_code=True), reason="needs a Linux whose system calls are known"
)


def launched(*argv: str) -> tuple[int, str]:
    done = subprocess.run(
        [*filtering(for_code=True), *argv], capture_output=True, text=True, timeout=60, check=False, env={}
    )
    return done.returncode, done.stdout


def test_a_source_runs_under_the_filter() -> None:
    """It is the main module, and what the filter refuses fails."""
    code, output = launched("-c", "print(__name__, flush=True)\nimport socket\nsocket.socket(40, 1)")
    assert (code, output) == (1, "__main__\n")


def test_a_command_runs_under_the_filter_with_all_it_starts() -> None:
    """The filter outlives the change of program."""
    opens = "import socket; socket.socket(40, 1)"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {opens!r}], check=True, stderr=-3)"
    assert launched(sys.executable, "-c", starts)[0] == 1
    assert launched(sys.executable, "-c", "print(1)") == (0, "1\n")


def test_a_missing_command_is_reported_as_by_a_shell() -> None:
    """With a shell's exit code and message."""
    assert launched("/nowhere/to/be/found") == (127, "/nowhere/to/be/found: No such file or directory\n")


def test_without_its_filter_nothing_runs() -> None:
    """If the kernel refuses the filter, the program is not started."""
    argv = filtering(for_code=True)
    argv[-1] = "00" * 8
    done = subprocess.run([*argv, "-c", "print(1)"], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (125, b"")
