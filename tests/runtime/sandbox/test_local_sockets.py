"""The Unix sockets that a sandbox has to cover are listed."""

import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from runtime.sandbox.local_sockets import list_sockets


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder with a short path: that of a socket may have about a hundred characters."""
    with TemporaryDirectory(prefix="mom-") as made:
        yield Path(made)


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    """Close what a test has opened."""
    made: list[socket.socket] = []
    yield made
    for each in made:
        each.close()


def bind(path: Path, opened: list[socket.socket]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(path))
    opened.append(bound)
    return str(path)


@pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="needs Linux")
def test_the_kernel_lists_what_is_bound(folder: Path, opened: list[socket.socket]) -> None:
    """Wherever it is, also with a space in its name."""
    path = bind(folder / "a socket", opened)
    assert path in list_sockets(run=folder / "none")


def test_sockets_in_run_are_found_without_the_kernel(folder: Path, opened: list[socket.socket]) -> None:
    """A container's kernel does not list those of its host, which were mounted there."""
    found = {bind(folder / each, opened) for each in ("docker.sock", "user/1000/bus")}
    bind(folder / "a/b/c/too-deep", opened)
    (folder / "link").symlink_to(folder / "user")
    (folder / "pid").write_text("7")
    assert set(list_sockets(bound=folder / "none", run=folder)) == found


def test_only_sockets_are_listed(folder: Path) -> None:
    """A name may stay in the kernel's list when its socket is gone, and be taken by a file."""
    (folder / "file").write_text("x")
    head, row = "Num RefCount Protocol Flags Type St Inode Path", "00: 00000002 00000000 00010000 0001 01 7"
    paths = [f"{folder}/gone", f"{folder}/file", "@abstract", "relative"]
    (folder / "unix").write_text("\n".join([head, row, *(f"{row} {path}" for path in paths), "odd", ""]))
    assert list_sockets(folder / "unix", folder / "none") == []
