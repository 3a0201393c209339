"""The child that runs a program, by its protocol: a task on stdin, `ready`, and the word if the program ends well."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.sandbox import program_child


def _run(folder: Path, files: dict[str, str], **limits: int) -> tuple[bytes, int]:
    task: dict[str, Any] = {"files": files, "main": "main.py", "limits": {"RLIMIT_CORE": 0, **limits}, "word": "w0rd"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program_child.__file__)],
        input=json.dumps(task).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={},
        timeout=60,
        check=False,
    )
    return done.stdout, done.returncode


def test_a_program_that_ends_says_the_word(tmp_path: Path) -> None:
    """Its own files are beside it, and can be imported."""
    files = {"main.py": "from part.one import x; assert x == 1 and __name__ == '__main__'", "part/one.py": "x = 1"}
    assert _run(tmp_path, files) == (b"ready\nw0rd", 0)


@pytest.mark.parametrize("source", ["raise SystemExit(0)", "import os; os._exit(0)", "1/0", "assert False", "def"])
def test_any_other_end_does_not_say_the_word(tmp_path: Path, source: str) -> None:
    """Leaving early with the code of success is no success."""
    assert _run(tmp_path, {"main.py": source})[0] == b"ready\n"


def test_the_output_of_a_program_is_discarded(tmp_path: Path) -> None:
    """So it can neither forge the word nor flood the reader."""
    source = "import os, sys; print('w0rd'); os.write(1, b'w0rd'); sys.stderr.write('x'); assert not sys.stdin.read()"
    assert _run(tmp_path, {"main.py": source}) == (b"ready\nw0rd", 0)


def test_limits_are_in_force(tmp_path: Path) -> None:
    """Before the first line of the program."""
    source = "import resource as r; assert r.getrlimit(r.RLIMIT_NOFILE) == (32, 32)"
    assert _run(tmp_path, {"main.py": source}, RLIMIT_NOFILE=32) == (b"ready\nw0rd", 0)
