"""CPython in Linux namespaces of its own: no network, no visible process, no privileges, and no writable file outside
a small folder in memory. In addition: the kernel's limits, an empty environment and no site packages.
"""

import os
import sys
from enum import StrEnum
from functools import cache
from pathlib import Path
from shutil import which
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from tempfile import TemporaryDirectory

from runtime.sandbox.syscall_filter import make_filter

_HERE = Path(__file__).parent
_NOBODY = 65534
_PYTHON = Path(sys.executable).resolve()
_PREFIX = Path(sys.base_prefix).resolve()
_PROBE_S = 10.0

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where the programs that make namespaces are looked for: the child's whole environment."""


class Isolation(StrEnum):
    """The means that keep a program from the rest of the machine."""

    NAMESPACES = "namespaces: no network, read-only files"
    LIMITS = "limits alone: this system has no usable namespaces, so network and files are open"


@cache
def isolation() -> Isolation:
    """Return the strongest isolation that works on this system. The first call blocks for a moment."""
    if which("unshare", path=PATH) and which("setpriv", path=PATH) and _PYTHON.is_relative_to(_PREFIX):
        with TemporaryDirectory() as folder:
            child = Popen(  # noqa: S603 -- the command is ours, and runs nothing else
                command("print('inside')", folder, Isolation.NAMESPACES),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
                cwd=folder,
                env={"PATH": PATH},
                start_new_session=True,
            )
            try:
                said, _ = child.communicate(timeout=_PROBE_S)
            except TimeoutExpired:
                said = b""
            finally:
                child.kill()
                child.communicate()
        if said == b"inside\n":
            return Isolation.NAMESPACES
    return Isolation.LIMITS


def command(source: str, folder: str, isolated: Isolation) -> list[str]:
    """Return the command that runs a Python source; `folder` is an empty one of the host, hidden by one in memory.

    In namespaces the source runs as process 1 of its own, under a filter of system calls: signals from what it starts
    do not reach it, and all of its processes end with it.
    """
    if isolated is Isolation.LIMITS:
        return [str(_PYTHON), "-I", "-S", "-c", source]
    inside = [*filtering(for_code=True)[1:], "-c", source]
    # The limit on processes exempts root, so root becomes `nobody`; other users become root of a user namespace.
    root = os.geteuid() == 0
    spaces = ["--net", "--pid", "--ipc", "--uts", "--mount", *([] if root else ["--user", "--map-root-user"])]
    script = (_HERE / "namespaces.sh").read_text(encoding="utf-8")
    python = [str(_PREFIX), str(_PYTHON.relative_to(_PREFIX))]
    shell = ["/bin/sh", "-c", script, "sandbox", folder, str(_NOBODY) if root else "", *python]
    return ["unshare", *spaces, "--fork", "--kill-child", *shell, *inside]


def filtering(*, for_code: bool) -> list[str]:
    """Return the start of a command that installs a filter of system calls, then runs what follows it.

    That is `-c` and a Python source, or a program with its arguments. Exit code 125: there is no such filter here.
    """
    launcher = (_HERE / "filter_child.py").read_text(encoding="utf-8")
    return [str(_PYTHON), "-I", "-S", "-c", launcher, make_filter(for_code=for_code).hex()]
