"""The measures of the benchmark's replies."""

import pytest

from bench.load import Reply
from bench.measures import chunk_delays_ms
from bench.processes import BrokenError
from bench.stamps import Stamp


def test_a_text_that_is_repeated_at_the_end_delays_no_chunk() -> None:
    """As the last events of Responses do: each chunk counts when it arrives for the first time."""
    stamps = [Stamp(0, went * 1_000_000).encode() for went in (1, 2)]
    pieces = [(3_000_000, stamps[0]), (5_000_000, stamps[1]), (90_000_000, b"".join(stamps))]
    assert chunk_delays_ms(Reply(0, 90_000_000, pieces)) == [2.0, 3.0]


def test_a_stream_without_stamps_is_broken() -> None:
    with pytest.raises(BrokenError):
        chunk_delays_ms(Reply(0, 1, [(1, b"text")]))
