"""Lists the Unix sockets of this machine, so that a sandbox can cover them.

A mount that is read-only does not keep a process from connecting to a socket on it, and behind one there may be a
daemon that runs commands for whoever may connect: a container engine, a user's service manager.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_BOUND = Path("/proc/net/unix")
_RUN = Path("/run")
_MAX_LEVELS = 3
_N_FIELDS = 8


def list_sockets(bound: Path = _BOUND, run: Path = _RUN) -> list[str]:
    """Return the paths of the sockets that this process can see: those bound in its network namespace, and in /run.

    A socket of another namespace, as one that is mounted into a container, is not listed by the kernel; it usually is
    in /run. `bound` is the kernel's list, and `run` is searched three levels deep.
    """
    found = {path: None for path in (*_read_bound(bound), *_walk(run, _MAX_LEVELS)) if _is_socket(path)}
    return list(found)


def _read_bound(bound: Path) -> Iterator[str]:
    try:
        lines = bound.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return
    for line in lines[1:]:
        fields = line.split(maxsplit=_N_FIELDS - 1)
        if len(fields) == _N_FIELDS and fields[-1].startswith("/"):  # not of the abstract namespace
            yield fields[-1]


def _walk(folder: Path, n_levels: int) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        if not entry.is_dir():
            yield entry.path
        elif n_levels > 1:
            yield from _walk(Path(entry.path), n_levels - 1)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)  # noqa: PTH116 -- of thousands of paths
    except OSError:
        return False
