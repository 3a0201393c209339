"""Stamps: the times at which the upstream got a request and began its reply, written into replies for the measures.

Times are in nanoseconds on the system-wide monotonic clock, so that all processes of a machine can compare them.
"""

import re
from dataclasses import dataclass

_STAMP = re.compile(rb"@(\d{19})-(\d{19})-(\d{19})@")
EMPTY = b"@" + b"-".join([b"0" * 19] * 3) + b"@"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Arrival and departure of a reply, and `before_ns`: the duration of the last reply that its prompt shows."""

    came_ns: int
    went_ns: int
    before_ns: int = 0

    @property
    def waited_ns(self) -> int:
        """The time that the upstream took, for this reply and the one before it."""
        return self.before_ns + self.went_ns - self.came_ns

    def encode(self) -> bytes:
        """Return the bytes, always of the same length, that `find_stamps` reads."""
        return b"@%019d-%019d-%019d@" % (self.came_ns, self.went_ns, self.before_ns)


def find_stamps(text: bytes) -> list[Stamp]:
    """Return all stamps in a text, in order."""
    return [Stamp(int(came), int(went), int(before)) for came, went, before in _STAMP.findall(text)]


def last_wait_ns(prompt: bytes) -> int:
    """Return the duration of the last reply that a prompt shows; 0 if it shows none."""
    stamps = find_stamps(prompt)
    return max(stamps, key=lambda stamp: stamp.went_ns).waited_ns if stamps else 0
