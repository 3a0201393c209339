"""Commands that run Python in isolation, and the isolation that this system offers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.sandbox import namespaces
from runtime.sandbox.namespaces import PATH, Isolation, command, isolation


def _output(source: str, folder: Path, isolated: Isolation) -> str:
    done = subprocess.run(
        command(source, str(folder), isolated),
        cwd=folder,
        env={"PATH": PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_limits_alone_are_an_interpreter_alone() -> None:
    """Isolated from the environment and from site packages."""
    python, *options = command("pass", "/unused", Isolation.LIMITS)
    assert Path(python).resolve() == Path(sys.executable).resolve()
    assert options == ["-I", "-S", "-c", "pass"]


@pytest.mark.parametrize(("user", "has_users"), [(0, False), (1000, True)])
def test_only_root_needs_no_user_namespace(user: int, has_users: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network, processes, memory, host name and files are isolated for every user."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    words = command("pass", "/unused", Isolation.NAMESPACES)
    assert words[0] == "unshare"
    assert {"--net", "--pid", "--ipc", "--uts", "--mount", "--fork", "--kill-child"} <= set(words)
    assert ("--user" in words) is has_users
    assert words[-2:] == ["-c", "pass"]


def test_a_system_without_the_programs_has_limits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their absence is noticed without a trial run."""
    monkeypatch.setattr(namespaces, "which", lambda *_, **__: None)
    assert isolation.__wrapped__() is Isolation.LIMITS


@pytest.mark.parametrize("isolated", list(Isolation))
def test_a_source_runs_without_an_environment(isolated: Isolation, tmp_path: Path) -> None:
    """With namespaces and without."""
    if isolated is Isolation.NAMESPACES and isolation() is not isolated:
        pytest.skip("needs Linux's namespaces")
    source = (
        "import os, sys; print(sorted(set(os.environ) - {'PATH', 'LC_CTYPE', 'PWD', 'OLDPWD'}), 'site' in sys.modules)"
    )
    assert _output(source, tmp_path, isolated).split() == ["[]", "False"]


@pytest.mark.skipif(isolation() is not Isolation.NAMESPACES, reason="needs Linux's namespaces")
def test_inside_it_is_the_first_process(tmp_path: Path) -> None:
    """Its process id is 1, and its files are not on the host."""
    source = "import os; open('file', 'w').write('x'); print(os.getpid(), os.listdir('.'))"
    assert _output(source, tmp_path, Isolation.NAMESPACES) == "1 ['file']\n"
    assert list(tmp_path.iterdir()) == []
