"""The bytes and pauses of a scripted upstream, as data; the server in upstream.py plays them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from tests.fakes.completions import Request

Wait = float | asyncio.Event  # seconds, or a gate that the test opens
Piece = bytes | Wait


class Ending(Enum):
    """What happens to the connection after the last piece."""

    COMPLETE = auto()  # the body ends as its framing says, the connection is kept
    CLOSE = auto()  # closed (FIN), whatever the framing promised
    RESET = auto()  # reset (RST), bytes that were not sent yet are lost
    HOLD = auto()  # kept open without a byte until the client leaves, or the test releases it: then CLOSE


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers. A body without `content-length` goes chunked, one chunk for each piece."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wire:
    """One reply: waits, a head, the pieces of the body, an ending.

    Without a head the pieces are the exact bytes on the connection, status line included, and nothing is
    complete: the ending is one of the others.
    """

    head: Head | None
    body: tuple[Piece, ...] = ()
    ending: Ending = Ending.COMPLETE
    before: tuple[Wait, ...] = ()

    def after(self, wait: Wait) -> "Wire":
        """Return the same reply, late."""
        return replace(self, before=(wait, *self.before))

    def cut(self, n_bytes: int, ending: Ending) -> "Wire":
        """Return a reply that breaks off after `n_bytes` of the body; the head promises what it promised."""
        kept, _ = _split(self.body, n_bytes)
        return replace(self, body=kept, ending=ending)

    def gated(self, n_bytes: int, gate: Wait) -> "Wire":
        """Return a reply that waits after `n_bytes` of the body."""
        first, rest = _split(self.body, n_bytes)
        return replace(self, body=(*first, gate, *rest))

    def paced(self, pause_s: float) -> "Wire":
        """Return the same reply with a pause before each piece of the body."""
        return replace(self, body=tuple(part for piece in self.body for part in (pause_s, piece)))

    def sliced(self, n_bytes: int) -> "Wire":
        """Return the same bytes in pieces of `n_bytes`."""
        whole = b"".join(piece for piece in self.body if isinstance(piece, bytes))
        return replace(
            self,
            body=tuple(whole[start : start + n_bytes] for start in range(0, len(whole), n_bytes)),
        )

    def size_of(self, n_pieces: int) -> int:
        """Return how many bytes the first `n_pieces` have; half of the body where it is a single piece."""
        sizes = self.sizes()
        return sizes[0] // 2 if len(sizes) == 1 else sum(sizes[:n_pieces])

    def sizes(self) -> list[int]:
        """Return the number of bytes of each piece."""
        return [len(piece) for piece in self.body if isinstance(piece, bytes)]


Step = Callable[[Request], Wire]


def _split(pieces: tuple[Piece, ...], n_bytes: int) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return the first `n_bytes` of the pieces, and the rest; a wait on the border belongs to the rest."""
    first: list[Piece] = []
    rest: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            first.append(piece[:n_bytes])
            rest.append(piece[n_bytes:])
            n_bytes = max(0, n_bytes - len(piece))
        else:
            (first if n_bytes else rest).append(piece)
    return tuple(piece for piece in first if piece != b""), tuple(piece for piece in rest if piece != b"")
