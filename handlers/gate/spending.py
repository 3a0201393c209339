"""Daily budgets: what the requests of a day have used, and the limits that they must not exceed."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from types import TracebackType

from aiohttp import web

from config.settings import ApiKey, Server
from handlers.errors import INSUFFICIENT_QUOTA, ApiError
from runtime.frozen import frozen
from synth.ledger import Expense, Ledger

_DAY_S = 86_400
_MAX_CLOCK_ERROR_S = 3_600.0

# Which day it is.
#
# The time of day may be set: by a user, by NTP after a start with a wrong clock, by a virtual machine that was paused.
# If budgets simply followed it, setting it forward would give a new budget each time, and a clock that once ran ahead
# would leave the budget used up until that day really came. So the time of day is believed only while it agrees, within
# an hour, with a clock that cannot be set and that counts from the start of the process (on Linux it counts suspended
# time as well). Otherwise the day turns by that clock, every 24 hours. And a day never comes back.


@frozen
class Budget:
    """What may be used a day on one account, `""` for the gateway's own, else the name of a key; None is no limit."""

    account: str
    cost: Decimal | None = None
    tokens: int | None = None
    currency: str = "USD"


@frozen
class Reservation:
    """What a running request is expected to use, on the accounts of its budgets."""

    budgets: tuple[Budget, ...]
    expected: Expense


def _uptime() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Spending:
    """What the requests of this UTC day have used, by account; in memory only, so a restart starts at 0.

    A running request counts with its reservation; a finished one with its real use, on the day on which it ended.
    `unix_time` gives seconds since the epoch, `uptime` the seconds of a clock that nobody can set.
    """

    def __init__(self, unix_time: Callable[[], float], uptime: Callable[[], float] = _uptime) -> None:
        self._unix_time = unix_time
        self._uptime = uptime
        self._offset = unix_time() - uptime()
        self._day = self._find_day()
        self._spent: defaultdict[str, Expense] = defaultdict(Expense)
        self._reserved: defaultdict[str, Expense] = defaultdict(Expense)

    def spent(self, account: str = "") -> Expense:
        """Return what the requests that ended today have used on one account."""
        self._turn_day()
        return self._spent[account]

    def charge(self, budgets: Sequence[Budget], expected: Expense, ledger: Ledger) -> "_Charge":
        """Return a context manager for a request: it reserves on entering, and settles by the ledger on leaving."""
        return _Charge(self, budgets, expected, ledger)

    def reserve(self, budgets: Sequence[Budget], expected: Expense) -> Reservation:
        """Reserve what a request is expected to use; ApiError (429) if a budget has less left."""
        for budget in filter(is_limit, budgets):
            self._check(budget, expected)
        if expected.tokens or expected.cost:
            for budget in budgets:
                self._reserved[budget.account] += expected
        return Reservation(tuple(budgets), expected)

    def settle(self, reservation: Reservation, spent: Expense) -> None:
        """Replace a reservation by what was really used."""
        self._turn_day()
        expected = reservation.expected
        for budget in reservation.budgets:
            if expected.tokens or expected.cost:
                self._reserved[budget.account] -= expected
            self._spent[budget.account] += spent

    def _turn_day(self) -> None:
        today = self._find_day()
        if today > self._day:
            self._day = today
            self._spent.clear()

    def _find_day(self) -> int:
        expected, stated = self._offset + self._uptime(), self._unix_time()
        return int((stated if abs(stated - expected) <= _MAX_CLOCK_ERROR_S else expected) // _DAY_S)

    def _check(self, budget: Budget, expected: Expense) -> None:
        spent, reserved = self.spent(budget.account), self._reserved[budget.account]
        whose = f"the key {budget.account}" if budget.account else "the gateway"
        if budget.cost is not None:
            key = "its cost_per_day" if budget.account else "server.max_cost_per_day"
            used, limit = spent.cost + reserved.cost, budget.cost
            if used >= limit or used + expected.cost > limit:
                raise exhausted(
                    f"{whose} has spent {money(spent.cost, budget.currency)} today"
                    + (
                        f", and running requests may cost {money(reserved.cost, budget.currency)}"
                        if reserved.cost
                        else ""
                    )
                    + (f". This request may cost {money(expected.cost, budget.currency)}" if used < limit else "")
                    + f": {key} is {money(limit, budget.currency)}. Raise it, or come back after midnight UTC"
                )
        if budget.tokens is not None:
            n_used = spent.tokens + reserved.tokens
            if n_used >= budget.tokens or n_used + expected.tokens > budget.tokens:
                raise exhausted(
                    f"{whose} has used {spent.tokens} tokens today"
                    + (f", and running requests may use {reserved.tokens}" if reserved.tokens else "")
                    + (f". This request may use {expected.tokens}" if n_used < budget.tokens else "")
                    + f": its tokens_per_day is {budget.tokens}. Raise it, or come back after midnight UTC"
                )


class _Charge:
    """One request's reservation, as a context manager. A class, because every request enters it."""

    __slots__ = ("_budgets", "_expected", "_ledger", "_reservation", "_spending")

    def __init__(self, spending: Spending, budgets: Sequence[Budget], expected: Expense, ledger: Ledger) -> None:
        self._spending = spending
        self._budgets = budgets
        self._expected = expected
        self._ledger = ledger

    def __enter__(self) -> None:
        self._reservation = self._spending.reserve(self._budgets, self._expected)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spending.settle(self._reservation, self._ledger.used().spent)


SPENDING = web.AppKey("spending", Spending)


def budgets_of(server: Server, key: ApiKey | None) -> tuple[Budget, ...]:
    """Return the budgets that a request is charged to: the gateway's, and that of its key."""
    whole = Budget("", server.max_cost_per_day, currency=server.currency)
    if key is None:
        return (whole,)
    return whole, Budget(key.name, key.cost_per_day, key.tokens_per_day, server.currency)


def is_limit(budget: Budget) -> bool:
    """Whether a budget limits anything."""
    return budget.cost is not None or budget.tokens is not None


def check_quote(quote: Expense, limit: Decimal | None, whose: str, currency: str) -> None:
    """Check an estimate against a `max_cost`, None is no limit; ApiError (429) if it is higher.

    `whose` limit it is: a mixture's name, or "this request".
    """
    if limit is not None and quote.cost > limit:
        raise exhausted(
            f"this request may cost {money(quote.cost, currency)} (about {quote.tokens} tokens), and max_cost of "
            f"{whose} is {money(limit, currency)}. Shorten the conversation, lower max_tokens, "
            "ask for a cheaper model, or raise max_cost"
        )


def money(amount: Decimal, currency: str) -> str:
    """Return an amount for people: four decimal places, or nine if it is smaller, without trailing zeros."""
    places = 4 if not amount or amount >= Decimal("0.0001") else 9
    return f"{amount:.{places}f}".rstrip("0").rstrip(".") + f" {currency}"


def exhausted(message: str) -> ApiError:
    """Return the refusal of a request for which no budget is left; clients should not repeat it by themselves."""
    return ApiError(429, message, code=INSUFFICIENT_QUOTA, headers={"x-should-retry": "false"})
