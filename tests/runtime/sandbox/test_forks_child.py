"""The child inside the namespaces, by its protocol: a trial a line, observations a line each, then an empty line.

It is only ever started in namespaces: it kills every process that it can see.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.sandbox import forks_child
from runtime.sandbox.namespaces import PATH, Isolation, command, isolation

pytestmark = pytest.mark.skipif(isolation() is not Isolation.NAMESPACES, reason="needs Linux's namespaces")

LOADED = ["value", None, "", "", ""]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    source = Path(str(forks_child.__file__)).read_text(encoding="utf-8")
    process = subprocess.Popen(
        command(source, str(tmp_path), Isolation.NAMESPACES),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env={"PATH": PATH},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def _observe(child: subprocess.Popen[bytes], source: str, *checks: str, step_s: float = 20.0, **more: Any) -> list[Any]:
    task = {
        "prelude": "",
        "source": source,
        "files": {},
        "checks": [["", check] for check in checks],
        "step_s": step_s,
        "trial_s": 60.0,
        "limits": {"RLIMIT_CORE": 0},
    }
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(task | more).encode() + b"\n")
    child.stdin.flush()
    lines: list[Any] = []
    while (line := child.stdout.readline()) != b"\n":
        assert line.endswith(b"\n"), "the child has ended"
        lines.append(json.loads(line))
    return lines


def test_each_check_is_observed(child: subprocess.Popen[bytes]) -> None:
    """A value as the prelude describes it, or an exception with its name and message."""
    found = _observe(child, "def f(n):\n    return 6 // n", "(f(2) == 3, repr(f(2)))", "f(0)", "f(1)")
    assert found == [
        LOADED,
        ["value", True, "3", "", ""],
        ["error", None, "", "ZeroDivisionError", "integer division or modulo by zero"],
        LOADED,
    ]


@pytest.mark.parametrize(
    ("source", "error"), [("def", "SyntaxError"), ("1/0", "ZeroDivisionError"), ("raise SystemExit", "SystemExit")]
)
def test_a_module_that_does_not_load_is_not_checked(child: subprocess.Popen[bytes], source: str, error: str) -> None:
    """One line has the reason."""
    (loaded,) = _observe(child, source, "1")
    assert (loaded[0], loaded[3]) == ("error", error)


def test_nothing_of_a_trial_is_left(child: subprocess.Popen[bytes]) -> None:
    """Neither names, nor files, nor processes."""
    daemon = "if not os.fork():\n    import time; os.closerange(3, 64); time.sleep(3600)"
    first = f"import os\nopen('left', 'w').write('x')\n{daemon}\nleft = 1"
    assert _observe(child, first, "1") == [LOADED, LOADED]
    seen = "(None, repr((os.listdir('.'), 'left' in globals(), [p for p in os.listdir('/proc') if p.isdigit()][2:])))"
    loaded, observed = _observe(child, "import os", seen)
    assert loaded == LOADED
    assert observed[2] == "([], False, [])"


def test_a_step_has_its_time(child: subprocess.Popen[bytes]) -> None:
    """A loop that swallows exceptions is ended as well, and is no failure; the next step begins anew."""
    loop = "def f():\n    while True:\n        try:\n            while True: pass\n        except Exception: pass"
    loaded, late, after = _observe(child, loop, "f()", "1", step_s=0.3)
    assert (loaded, after) == (LOADED, LOADED)
    assert late == ["unknown", None, "", "", "not done within 0.3 s"]


def test_code_cannot_end_its_trial_early(child: subprocess.Popen[bytes]) -> None:
    """Empty lines that it writes into the pipe are dropped, so the next trial gets its own answers."""
    source = "import os\nfor fd in range(3, 32):\n    try: os.write(fd, b'\\n\\n')\n    except OSError: pass"
    assert _observe(child, source, "1") == [LOADED, LOADED]
    assert _observe(child, "x = 5", "(None, repr(x))")[1][2] == "5"


def test_files_can_be_imported(child: subprocess.Popen[bytes]) -> None:
    """At any depth; a path that leads out is left out."""
    files = {"part/one.py": "x = 1", "../out.py": "x = 2"}
    found = _observe(child, "from part.one import x", "(None, repr(x))", files=files)
    assert found[1][2] == "1"
