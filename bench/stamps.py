"""When the upstream had a request, and when it began to answer: written into replies, read by who measures.

All times are of the system-wide monotonic clock in nanoseconds, so that processes of one machine can compare them.
"""

import re
from dataclasses import dataclass

_STAMP = re.compile(rb"@(\d{19})-(\d{19})-(\d{19})@")
EMPTY = b"@" + b"-".join([b"0" * 19] * 3) + b"@"


@dataclass(frozen=True, slots=True)
class Stamp:
    """`came_ns` and `went_ns` of a reply, and `before_ns`: how long the slowest reply took that its prompt shows."""

    came_ns: int
    went_ns: int
    before_ns: int = 0

    @property
    def waited_ns(self) -> int:
        """How long the upstream took, for this reply and the slowest one before it."""
        return self.before_ns + self.went_ns - self.came_ns

    def encode(self) -> bytes:
        """Return the bytes of always the same length that `found` reads."""
        return b"@%019d-%019d-%019d@" % (self.came_ns, self.went_ns, self.before_ns)


def found(text: bytes) -> list[Stamp]:
    """Return every stamp in a text, in its order."""
    return [Stamp(int(came), int(went), int(before)) for came, went, before in _STAMP.findall(text)]


def last_wait_ns(prompt: bytes) -> int:
    """Return how long the reply took that was the last to come, of those that a prompt shows; 0 for none."""
    stamps = found(prompt)
    return max(stamps, key=lambda stamp: stamp.went_ns).waited_ns if stamps else 0
