"""Server-sent events: bytes in, `data` payloads out. No I/O; memory is bounded.

Follows the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream", of which only `data` matters here.
"""

_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """One event is larger than the bound."""


class ErrorData(bytes):
    """The data of an event that reports an error: of the type `error`, or in a field of that name (llama.cpp)."""

    __slots__ = ()


class EventReader:
    r"""Splits a byte stream into events, however the network cut it into pieces.

    Lines end in LF, CRLF or CR. `bytes.splitlines` splits at exactly those, whereas `str.splitlines` would also split
    at U+2028 inside a JSON string. The work is linear in the bytes, even if a line arrives byte by byte.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._pieces: list[bytes] = []  # the unfinished line
        self._data: list[bytes] = []  # the unfinished event
        self._is_error = False
        self._held_bytes = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of every event that `chunk` completes. Raises EventTooLargeError if one is too large."""
        if not chunk:
            return []
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF that was cut in two
        self._after_cr = chunk.endswith(b"\r")
        events: list[bytes] = []
        for line in chunk.splitlines(keepends=True):
            self._pieces.append(line)
            self._hold(len(line))
            if line.endswith((b"\n", b"\r")):
                self._end_line(events)
        return events

    def _end_line(self, events: list[bytes]) -> None:
        line = b"".join(self._pieces).rstrip(b"\r\n")
        self._pieces.clear()
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            self._end_event(events)
        elif line.startswith((b"data", b"event", b"error")):
            self._read_field(line)

    def _read_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name in (b"data", b"error"):
            self._data.append(value.removeprefix(b" "))
        if name == b"error" or (name == b"event" and value.strip() == b"error"):
            self._is_error = True

    def _end_event(self, events: list[bytes]) -> None:
        if self._data:
            data = b"\n".join(self._data)
            events.append(ErrorData(data) if self._is_error else data)
        self._data.clear()
        self._is_error = False
        self._held_bytes = 0

    def end(self) -> list[bytes]:
        """Return the data of an event that the end of the stream completes; the standard would discard it."""
        events: list[bytes] = []
        if self._pieces:
            self._end_line(events)
        self._end_event(events)
        return events

    def _hold(self, n_bytes: int) -> None:
        self._held_bytes += n_bytes
        if self._held_bytes > self._max_event_bytes:
            raise EventTooLargeError(f"an event of more than {self._max_event_bytes} bytes")
