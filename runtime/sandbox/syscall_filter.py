"""A seccomp filter for code in namespaces: system calls that reach past them, or reach other processes inside. Pure.

Network namespaces do not hold all families of sockets: AF_VSOCK, for one, leads from a virtual machine to its host. And
processes of one user inside may change each other's limits, so one candidate could starve the process that runs the
next. The kernel itself refuses both with this filter (https://man7.org/linux/man-pages/man2/seccomp.2.html), which no
process can take off again.
"""

import platform
import struct
from collections.abc import Mapping, Sequence

_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data, little-endian
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_X32_CALLS = 0x40000000  # x86-64 only: the same calls again by other numbers
_NEW_NAMESPACES = 0x7E020000  # of clone's flags

_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: the namespaces hold these

_CALLS: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41, "clone": 56, "ptrace": 101, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
            "perf_event_open": 298, "prlimit64": 302, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
            "process_vm_writev": 311, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426,
            "io_uring_register": 427, "clone3": 435, "pidfd_getfd": 438,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "unshare": 97, "ptrace": 117, "socket": 198, "add_key": 217, "request_key": 218, "keyctl": 219,
            "clone": 220, "perf_event_open": 241, "prlimit64": 261, "open_by_handle_at": 265, "setns": 268,
            "process_vm_readv": 270, "process_vm_writev": 271, "bpf": 280, "userfaultfd": 282, "io_uring_setup": 425,
            "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435, "pidfd_getfd": 438,
        },
    ),
}  # fmt: skip
_REFUSED_TO_CODE = (
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "unshare", "setns", "add_key", "request_key",
    "keyctl", "bpf", "perf_event_open", "userfaultfd", "open_by_handle_at",
)  # fmt: skip
_REFUSED_TO_ALL = ("io_uring_setup", "io_uring_enter", "io_uring_register")  # it opens sockets past this filter


def make_filter(*, for_code: bool, machine: str | None = None) -> bytes:
    """Return the filter as a program for the kernel, b"" for a machine whose calls are not listed here.

    Untrusted code (`for_code`) is refused more than an operator's command, which may debug and have namespaces.
    """
    known = _CALLS.get(machine or platform.machine())
    if known is None:
        return b""
    architecture, numbers = known
    steps = [(_LOAD, 0, 0, _ARCHITECTURE_AT), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL_PROCESS)]
    steps += [(_LOAD, 0, 0, _NUMBER_AT)]
    if architecture == _CALLS["x86_64"][0]:
        steps += _refuse(_AT_LEAST, _X32_CALLS, _ENOSYS)
    for name in (*_REFUSED_TO_ALL, *(_REFUSED_TO_CODE if for_code else ())):
        steps += _refuse(_EQUAL, numbers[name], _EPERM)
    steps += _inspect(numbers["socket"], [(_EQUAL, family) for family in _FAMILIES], _EAFNOSUPPORT, allows=True)
    if for_code:
        steps += _refuse(_EQUAL, numbers["clone3"], _ENOSYS)  # its flags are in memory: libc falls back to clone
        steps += _inspect(numbers["clone"], [(_ANY_BIT, _NEW_NAMESPACES)], _EPERM, allows=False)
        steps += _inspect(numbers["prlimit64"], [(_EQUAL, 0)], _EPERM, allows=True)
    steps += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


_Step = tuple[int, int, int, int]


def _refuse(test: int, number: int, errno: int) -> list[_Step]:
    return [(test, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno)]


def _inspect(number: int, tests: Sequence[tuple[int, int]], errno: int, *, allows: bool) -> list[_Step]:
    """Return the steps for a call that depends on its first argument: what passes a test is allowed, or refused."""
    refused = (_RETURN, 0, 0, _ERRNO | errno)
    allowed = (_RETURN, 0, 0, _ALLOW)
    last, passed = (refused, allowed) if allows else (allowed, refused)
    inner: list[_Step] = [(_LOAD, 0, 0, _FIRST_ARGUMENT_AT)]
    inner += [(test, len(tests) - index, 0, value) for index, (test, value) in enumerate(tests)]
    inner += [last, passed]
    return [(_EQUAL, 0, len(inner), number), *inner]
