"""A command runs in a copy of a work tree, isolated, and leaves nothing behind."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from runtime.sandbox import commands
from runtime.sandbox.commands import MAX_OUTPUT_CHARS, Command, Finished, run_in_copy
from runtime.sandbox.namespaces import Isolation, isolation
from runtime.sandbox.trials import SandboxError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX process groups")

ISOLATED = isolation() is Isolation.NAMESPACES
each_way = pytest.mark.parametrize(
    "isolate", [False, pytest.param(True, marks=pytest.mark.skipif(not ISOLATED, reason="needs Linux's namespaces"))]
)
isolated = pytest.mark.skipif(not ISOLATED, reason="needs Linux's namespaces")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a work tree with two files and a folder."""
    folder = tmp_path / "tree"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("old a\n")
    (folder / "sub" / "b.txt").write_text("old b\n")
    return folder


def shell(tree: Path, script: str, *, isolate: bool, timeout_s: float = 60.0, **env: str) -> Command:
    return Command(tree, ("/bin/sh", "-c", script), timeout_s, tuple(env.items()), isolate=isolate)


def contents(tree: Path) -> dict[str, str]:
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


@each_way
async def test_it_runs_in_a_copy_with_the_edits(tree: Path, *, isolate: bool) -> None:
    """It sees the edited files among the others, and what it writes does not come back."""
    before = contents(tree)
    script = "cat a.txt sub/b.txt new/c.txt; echo changed > a.txt; rm sub/b.txt; touch made; exit 3"
    finished = await run_in_copy(shell(tree, script, isolate=isolate), {"sub/b.txt": "new b\n", "new/c.txt": "new c\n"})
    assert finished == Finished(3, "old a\nnew b\nnew c\n")
    assert contents(tree) == before


@each_way
async def test_it_gets_only_the_given_environment(
    tree: Path, monkeypatch: pytest.MonkeyPatch, *, isolate: bool
) -> None:
    """No variable of the gateway's is passed on."""
    monkeypatch.setenv("MOM_TEST_SECRET", "treasure")
    finished = await run_in_copy(shell(tree, "env", isolate=isolate, GIVEN="1"), {})
    names = {line.partition("=")[0] for line in finished.output.splitlines()}
    assert "GIVEN" in names
    assert names <= {"GIVEN", "PATH", "PWD", "OLDPWD", "SHLVL", "_"}


@each_way
async def test_it_is_killed_with_all_it_has_started(tree: Path, *, isolate: bool) -> None:
    """When its time is over, whatever it does with signals; its output until then is kept."""
    script = "trap '' TERM INT; echo started; sleep 600 & sleep 600"
    finished = await run_in_copy(shell(tree, script, isolate=isolate, timeout_s=1.0), {})
    assert finished == Finished(None, "started\n")
    assert not list(_children())


@each_way
async def test_leaving_kills_it(tree: Path, *, isolate: bool) -> None:
    """A client that disconnects ends it as well."""
    task = asyncio.create_task(run_in_copy(shell(tree, "sleep 600", isolate=isolate), {}))
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.wait([task])
    assert not list(_children())


def _children() -> Iterator[str]:
    for path in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for pid in path.read_text().split():
            cmdline = Path(f"/proc/{pid}/cmdline")
            if cmdline.exists() and b"sleep" in cmdline.read_bytes():
                yield pid


@each_way
async def test_it_ends_with_its_own_process(tree: Path, *, isolate: bool) -> None:
    """Something that it leaves in the background, in its group or outside, does not count as its running on."""
    script = "sleep 20 & setsid sleep 20 & echo said; exit 3"
    finished = await run_in_copy(shell(tree, script, isolate=isolate, timeout_s=15.0), {})
    assert finished == Finished(3, "said\n")


@each_way
async def test_colors_are_left_out(tree: Path, *, isolate: bool) -> None:
    script = "printf '\\033[31m\\033[1m2 failed\\033[0m, 1 passed\\n'; exit 1"
    assert await run_in_copy(shell(tree, script, isolate=isolate), {}) == Finished(1, "2 failed, 1 passed\n")


@each_way
async def test_a_flood_of_output_is_cut(tree: Path, *, isolate: bool) -> None:
    """The end of the output is kept."""
    script = "i=0; while [ $i -lt 20000 ]; do echo line; i=$((i+1)); done; echo the end"
    finished = await run_in_copy(shell(tree, script, isolate=isolate), {})
    assert len(finished.output) == MAX_OUTPUT_CHARS
    assert finished.output.endswith("the end\n")


@isolated
async def test_there_is_no_network(tree: Path) -> None:
    """Not even this machine's own services."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        program = f"import socket; socket.create_connection(('127.0.0.1', {listening.getsockname()[1]}), 1)"
        finished = await run_in_copy(Command(tree, (sys.executable, "-c", program), 60.0), {})
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert finished.exit_code == 1


@isolated
async def test_no_socket_of_this_machine_can_be_reached(tree: Path) -> None:
    """A read-only file system does not keep a process from connecting; a daemon behind it could run anything."""
    with TemporaryDirectory(dir="/var/tmp") as folder, socket.socket(socket.AF_UNIX) as listening:
        path = f"{folder}/a socket"
        listening.bind(path)
        listening.listen()
        listening.setblocking(False)
        program = f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"
        finished = await run_in_copy(Command(tree, (sys.executable, "-c", program), 60.0), {})
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert "ConnectionRefusedError" in finished.output


@isolated
async def test_nothing_else_can_be_written(tree: Path, tmp_path: Path) -> None:
    """Neither the work tree, nor its neighbours, nor the system; /tmp is its own."""
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    outside.chmod(0o666)
    script = (
        f"for f in {outside} {tmp_path}/new {tree}/a.txt /usr/new /etc/new /root/new /var/tmp/new; do "
        "( echo x > $f ) 2>/dev/null && echo wrote $f; done; echo x > /tmp/own && echo own; echo x > here && echo here"
    )
    finished = await run_in_copy(shell(tree, script, isolate=True), {})
    assert finished.output.split() == ["own", "here"]
    assert outside.read_text() == "untouched"
    assert contents(tree)["a.txt"] == "old a\n"
    assert "own" not in os.listdir("/tmp")  # noqa: PTH208 -- pathlib's is not for async functions


@isolated
async def test_it_sees_no_other_process(tree: Path) -> None:
    finished = await run_in_copy(
        shell(tree, f"kill -0 {os.getpid()} 2>/dev/null && echo seen; echo done", isolate=True), {}
    )
    assert finished.output == "done\n"


async def test_a_system_that_cannot_isolate_runs_nothing(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the operator permits it."""
    monkeypatch.setattr(commands, "isolation", lambda: Isolation.LIMITS)
    with pytest.raises(SandboxError, match="isolate: false"):
        await run_in_copy(shell(tree, "true", isolate=True), {})
    assert (await run_in_copy(shell(tree, "true", isolate=False), {})).exit_code == 0


@each_way
async def test_a_missing_command_gives_no_verdict(tree: Path, *, isolate: bool) -> None:
    """It says nothing about a candidate."""
    with pytest.raises(SandboxError, match=r"cannot be started|does not start"):
        await run_in_copy(Command(tree, ("/nowhere/to/be/found",), 10.0, isolate=isolate), {})


@isolated
async def test_a_program_below_tmp_is_found(tree: Path) -> None:
    """The command's own /tmp hides what is there, but not the programs that it names; they cannot be changed."""
    with TemporaryDirectory(dir="/tmp") as folder:
        program, other = Path(folder) / "bin" / "check", Path(folder) / "other"
        program.parent.mkdir()
        program.write_text(
            f"#!/bin/sh\n( echo x > {folder}/bin/new ) 2>/dev/null || ls {other} 2>/dev/null || echo hidden\n"
        )
        program.chmod(0o755)
        other.write_text("x")
        done = await run_in_copy(Command(tree, (str(program),), 20.0), {})
    assert (done.exit_code, done.output) == (0, "hidden\n")
