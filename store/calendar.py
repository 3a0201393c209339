"""The current day for daily budgets, robust against clocks that are set."""

import time
from collections.abc import Callable
from pathlib import Path

from store.rules import DAY_S, MAX_CLOCK_ERROR_S

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# How the current day is found.
#
# The time of day may be set: by a user, by NTP after a start with a wrong clock, by a virtual machine that was paused.
# If budgets simply followed it, setting it forward would give a new budget each time, and a clock that once ran ahead
# would leave the budget used up until that day really came. So the time of day is believed only while it agrees, within
# an hour, with a clock that cannot be set and that counts from the boot (on Linux it counts suspended time as well).
# Otherwise the day turns by that clock, every 24 hours. The difference of the two clocks is kept in the store for a
# day, so that a restart of the gateway does not believe in a clock that was set meanwhile. And a day never comes back:
# store/rules.py.


def read_uptime() -> float:
    """Return the seconds of a clock that cannot be set."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def read_boot() -> str:
    """Return an id of this boot of the machine, "" if the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Calendar:
    """The time of day, corrected if the clock was set, and its day.

    `unix_time` gives seconds since the epoch, `uptime` the seconds of a clock that cannot be set. `offset` is their
    difference, which the processes of one boot share.
    """

    def __init__(
        self, unix_time: Callable[[], float], uptime: Callable[[], float] = read_uptime, boot: str | None = None
    ) -> None:
        self._unix_time = unix_time
        self.uptime = uptime
        self.boot = read_boot() if boot is None else boot
        self.offset = unix_time() - uptime()

    def now(self) -> float:
        """Return the unix time in seconds."""
        expected, stated = self.offset + self.uptime(), self._unix_time()
        return stated if abs(stated - expected) <= MAX_CLOCK_ERROR_S else expected

    def today(self) -> int:
        """Return the number of days since the epoch, UTC."""
        return int(self.now() // DAY_S)
