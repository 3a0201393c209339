"""The retry budget: retries and hedges stay a small share of an upstream's calls, so that an outage is not multiplied.

After "Retry budgets" in Finagle and Envoy. Pure: the clock is given.
"""

from collections import deque
from collections.abc import Callable

WINDOW_S = 10.0
SHARE = 0.2
FLOOR = 3


class RetryBudget:
    """What one upstream may be asked on top of its calls, over a sliding window of WINDOW_S.

    At most SHARE of the calls that began in the window, and never less than FLOOR. `clock` gives seconds, and
    never goes back. It remembers one instant for each call and each retry of the window.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._calls: deque[float] = deque()
        self._spent: deque[float] = deque()

    def count_call(self) -> None:
        """Take note of a call whose first attempt begins now."""
        self._calls.append(self._clock())
        self._forget()

    def spend(self) -> bool:
        """Return whether one more retry or hedge may go out now; if so it is counted."""
        self._forget()
        allowed = len(self._spent) < max(FLOOR, int(SHARE * len(self._calls)))
        if allowed:
            self._spent.append(self._clock())
        return allowed

    def _forget(self) -> None:
        horizon = self._clock() - WINDOW_S
        for instants in (self._calls, self._spent):
            while instants and instants[0] <= horizon:
                instants.popleft()
