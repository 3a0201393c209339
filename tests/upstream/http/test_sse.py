"""Server-sent events from bytes, however the network cut them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream.http.sse import EventReader, EventTooLargeError

LARGE = 2**24
PAYLOADS = st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=5)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({min(end, len(data)) for end in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


@given(PAYLOADS, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 400)))
def test_the_events_do_not_depend_on_the_cuts(payloads: list[str], newline: str, cuts: list[int]) -> None:
    """For line ends of all three kinds, and cuts inside a character or a CRLF."""
    data = "".join(f"data: {payload}{newline}{newline}" for payload in payloads).encode()
    reader = EventReader(LARGE)
    events = [event for piece in cut(data, cuts) for event in reader.feed(piece)]
    assert events == [payload.encode() for payload in payloads]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data:1\n\n", [b"1"]),
        (b"data:  1\n\n", [b" 1"]),
        (b"\xef\xbb\xbfdata: 1\n\n", [b"1"]),
        (b": comment\n\ndata: 1\n\n", [b"1"]),
        (b"data: 1\ndata: 2\n\n", [b"1\n2"]),
        (b"event: x\nid: 7\nretry: 5\ndata: 1\n\n", [b"1"]),
        (b"database: 1\n\n", []),
        (b"data\n\n", [b""]),
        (b"data: cut off", []),
        (b"\n\n\ndata: 1\n\n\n", [b"1"]),
    ],
)
def test_the_details_of_the_standard(data: bytes, events: list[bytes]) -> None:
    """No space, two spaces, a byte order mark, comments, several lines, other fields."""
    assert EventReader(LARGE).feed(data) == events


def test_a_line_that_arrives_byte_by_byte_takes_linear_work() -> None:
    """A line of a mebibyte costs one join, not one per byte."""
    reader = EventReader(LARGE)
    reader.feed(b"data: ")
    for _ in range(2**20):
        assert reader.feed(b"x") == []
    (event,) = reader.feed(b"\n\n")
    assert len(event) == 2**20


def test_an_event_larger_than_the_bound_is_refused() -> None:
    """As one long line or as many short ones; the next event starts from zero."""
    with pytest.raises(EventTooLargeError):
        EventReader(100).feed(b"data: " + b"x" * 100)
    reader = EventReader(100)
    for _ in range(50):
        reader.feed(b"data: 1234567890\n\n")
    with pytest.raises(EventTooLargeError):
        reader.feed(b"data: 1\n" * 20)
