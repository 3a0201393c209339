"""The speed of a download, and the time that is left."""

import pytest

from upstream.embedded.transfer import SpeedMeter, Transfer, describe_duration

MB = 10**6


class Clock:
    """A clock that stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_speed_of_the_last_seconds() -> None:
    """Old seconds, and bytes that were there before, do not count."""
    clock = Clock()
    meter = SpeedMeter(clock)
    assert meter.measure(5 * MB, 10**3 * MB).bytes_per_s is None
    speeds = []
    for _ in range(30):
        clock.now += 1
        speeds.append(meter.measure(5 * MB + round(10 * MB * (clock.now - 100)), 10**3 * MB).bytes_per_s)
    assert speeds == [10.0 * MB] * 30
    slow = meter.measure(400 * MB, 10**3 * MB)
    for _ in range(11):
        clock.now += 1
        slow = meter.measure(400 * MB + round(MB * (clock.now - 130)), 10**3 * MB)
    assert slow.bytes_per_s == pytest.approx(MB)
    assert slow.left_s == pytest.approx(600 - 11)


def test_no_speed_from_an_instant_or_a_standstill() -> None:
    """Nor after another source has begun anew."""
    clock = Clock()
    meter = SpeedMeter(clock)
    meter.measure(0, 100 * MB)
    clock.now += 0.1
    assert meter.measure(50 * MB, 100 * MB).bytes_per_s is None
    clock.now += 1
    assert meter.measure(60 * MB, 100 * MB).bytes_per_s is not None
    assert meter.measure(10 * MB, 100 * MB).bytes_per_s is None
    clock.now += 5
    assert meter.measure(10 * MB + 99, 100 * MB).left_s is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "1 s"), (89.4, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "2 h"), (36000, "10 h")],
)
def test_durations_are_described(seconds: float, words: str) -> None:
    """Seconds, minutes, hours."""
    assert describe_duration(seconds) == words


def test_a_transfer_is_described() -> None:
    """Only what is known."""
    assert Transfer(1, 2).describe() == ""
    assert Transfer(0, 10**8, "joining", 10**7).describe() == ", 10.0 MB/s, about 10 s left, joining"
