"""The current day, even if clocks are set."""

import time

from store.calendar import Calendar, read_boot, read_uptime
from tests.upstream.clocks import Clock

NOON = 20_000 * 86_400.0 + 43_200


def test_the_time_of_day_is_believed_while_it_agrees_with_the_other_clock() -> None:
    """Within an hour; beyond that, the clock that cannot be set counts."""
    unix, uptime = Clock(NOON), Clock(5.0)
    calendar = Calendar(unix, uptime, "boot")
    unix.now += 3000
    assert calendar.now() == NOON + 3000
    unix.now += 86_400
    assert calendar.now() == NOON
    uptime.now += 43_199
    assert calendar.today() == 20_000
    uptime.now += 1
    assert calendar.today() == 20_001


def test_the_machine_s_own_clocks_advance() -> None:
    """The uptime grows, and the boot stays the same."""
    assert read_uptime() <= read_uptime()
    assert read_boot() == read_boot()
    assert abs(Calendar(time.time).now() - time.time()) < 60
