"""The filter of system calls gives the right verdicts, by an interpreter of its instructions."""

import struct

import pytest

from runtime.sandbox.syscall_filter import make_filter

X86, ARM = 0xC000003E, 0xC00000B7
ALLOWED, KILLED = "allowed", "killed"


def verdict(program: bytes, number: int, argument: int = 0, architecture: int = X86) -> str | int:
    """Run a filter on one call as the kernel does: return ALLOWED, KILLED or the number of the error."""
    steps = list(struct.iter_unpack("<HBBI", program))
    loads = {0: number, 4: architecture, 16: argument}
    value = place = 0
    while True:
        code, if_true, if_false, constant = steps[place]
        place += 1
        match code:
            case 0x20:
                value = loads[constant]
            case 0x15:
                place += if_true if value == constant else if_false
            case 0x35:
                place += if_true if value >= constant else if_false
            case 0x45:
                place += if_true if value & constant else if_false
            case 0x06:
                errno: int = constant & 0xFFFF
                return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(constant, errno)
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize(
    ("number", "argument", "code", "command"),
    [
        (0, 0, ALLOWED, ALLOWED),  # read
        (41, 2, ALLOWED, ALLOWED),  # socket: AF_INET, which the namespace holds
        (41, 1, ALLOWED, ALLOWED),
        (41, 40, 97, 97),  # AF_VSOCK
        (41, 38, 97, 97),  # AF_ALG
        (425, 0, 1, 1),  # io_uring_setup
        (101, 0, 1, ALLOWED),  # ptrace
        (302, 0, ALLOWED, ALLOWED),  # prlimit64 of itself
        (302, 1, 1, ALLOWED),
        (56, 17, ALLOWED, ALLOWED),  # clone, as fork does
        (56, 0x003D0F00, ALLOWED, ALLOWED),  # as threads do
        (56, 0x10000011, 1, ALLOWED),  # with a user namespace
        (435, 0, 38, ALLOWED),  # clone3
        (0x40000000 + 41, 40, 38, 38),  # the same call by its other number
    ],
)
def test_each_call_has_its_verdict(number: int, argument: int, code: str | int, command: str | int) -> None:
    """For candidates' code and for an operator's command."""
    assert verdict(make_filter(for_code=True, machine="x86_64"), number, argument) == code
    assert verdict(make_filter(for_code=False, machine="x86_64"), number, argument) == command


def test_calls_of_another_architecture_are_refused() -> None:
    """They are not judged by the wrong list."""
    assert verdict(make_filter(for_code=True, machine="x86_64"), 0, architecture=ARM) == KILLED
    assert verdict(make_filter(for_code=True, machine="aarch64"), 198, 40, ARM) == 97
    assert verdict(make_filter(for_code=True, machine="aarch64"), 117, 0, ARM) == 1
    assert make_filter(for_code=True, machine="pdp11") == b""
