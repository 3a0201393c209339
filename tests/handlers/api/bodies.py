"""Bodies of requests, decoded without an event loop."""

from typing import Any

from handlers.api.intake.body import decode_body
from runtime.time_slice import TimeSlice


def decode(body: bytes, content_type: str | None = None) -> dict[str, Any]:
    """Return the object in a body as `decode_body` does; its time slice never ends, so it never waits."""
    decoding = decode_body(body, content_type, TimeSlice(lambda: 0.0))
    try:
        decoding.send(None)
    except StopIteration as end:
        fields: dict[str, Any] = end.value
        return fields
    raise AssertionError("decoding must not wait")
