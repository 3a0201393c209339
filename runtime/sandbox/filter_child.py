"""Installs a filter of system calls inside the namespaces, then executes the given program under it.

Arguments: the filter in hexadecimal, then `-c` and a Python source, or a command with its arguments. Exit code 125: the
kernel accepts no filter; 127: the command cannot be started. Uses only the standard library.
"""

import ctypes
import os
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_STEP_BYTES = 8


class _Filter(ctypes.Structure):
    """The kernel's struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def main() -> None:
    """Install the filter and go on."""
    program, *argv = bytes.fromhex(sys.argv[1]), *sys.argv[2:]
    if program and not _install(program):
        sys.exit(125)
    if argv[0] == "-c":
        sys.argv = argv[:1]
        exec(compile(argv[1], "<sandbox>", "exec"), {"__name__": "__main__"})  # noqa: S102 -- this is what it is for
        return
    try:
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as error:
        sys.stdout.write(f"{argv[0]}: {error.strerror}\n")
        sys.exit(127)


def _install(program: bytes) -> bool:
    prctl = ctypes.CDLL(None).prctl
    loaded = _Filter(len(program) // _STEP_BYTES, program)
    failed = prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(loaded))
    return not failed


if __name__ == "__main__":
    main()
