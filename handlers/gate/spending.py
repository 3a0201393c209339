"""Daily budgets: what the requests of a day have used, and the limits that they must not exceed."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from types import TracebackType

from aiohttp import web

from config.settings import ApiKey, Mixture, Server
from handlers.errors import INSUFFICIENT_QUOTA, ApiError
from runtime.frozen import frozen
from synth.ledger import Expense, Ledger

_DAY_S = 86_400


@frozen
class Budget:
    """What may be used a day on one account, `""` for the gateway's own, else the name of a key; None is no limit."""

    account: str
    cost: Decimal | None = None
    tokens: int | None = None
    currency: str = "USD"


class Spending:
    """What the requests of this UTC day have used, by account; in memory alone, so that a restart forgets it.

    A request that runs counts with what was expected of it, one that has ended with what its ledger says, on the day on
    which it ends. `unix_time` gives seconds since the epoch; a clock that is set back does not bring a day back.
    """

    def __init__(self, unix_time: Callable[[], float]) -> None:
        self._unix_time = unix_time
        self._day = 0
        self._spent: defaultdict[str, Expense] = defaultdict(Expense)
        self._running: defaultdict[str, Expense] = defaultdict(Expense)

    def spent(self, account: str = "") -> Expense:
        """Return what the requests that ended today have used on one account."""
        self._turn_day()
        return self._spent[account]

    def charge(self, budgets: Sequence[Budget], expected: Expense, ledger: Ledger) -> "_Charged":
        """Charge a request, which the block is, to each of these accounts; ApiError (429) where one is used up."""
        return _Charged(self, budgets, expected, ledger)

    def begin(self, budgets: Sequence[Budget], expected: Expense) -> None:
        """Count what is expected of a request; ApiError (429) where a budget is used up."""
        for budget in filter(is_limit, budgets):
            self._check(budget)
        if expected.tokens or expected.cost:
            for budget in budgets:
                self._running[budget.account] += expected

    def end(self, budgets: Sequence[Budget], expected: Expense, spent: Expense) -> None:
        """Count what a request has used in place of what was expected."""
        self._turn_day()
        for budget in budgets:
            if expected.tokens or expected.cost:
                self._running[budget.account] -= expected
            self._spent[budget.account] += spent

    def _turn_day(self) -> None:
        today = int(self._unix_time() // _DAY_S)
        if today > self._day:
            self._day = today
            self._spent.clear()

    def _check(self, budget: Budget) -> None:
        spent, running = self.spent(budget.account), self._running[budget.account]
        whose = f"the key {budget.account}" if budget.account else "the gateway"
        if budget.cost is not None and spent.cost + running.cost >= budget.cost:
            key = "its cost_per_day" if budget.account else "server.max_cost_per_day"
            held = f", and requests that run may cost {money(running.cost, budget.currency)}" if running.cost else ""
            raise exhausted(
                f"{whose} has spent {money(spent.cost, budget.currency)} today{held}: "
                f"{key} is {money(budget.cost, budget.currency)}. Raise it, or come back after midnight UTC"
            )
        if budget.tokens is not None and spent.tokens + running.tokens >= budget.tokens:
            held = f", and requests that run may use {running.tokens}" if running.tokens else ""
            raise exhausted(
                f"{whose} has used {spent.tokens} tokens today{held}: "
                f"its tokens_per_day is {budget.tokens}. Raise it, or come back after midnight UTC"
            )


class _Charged:
    """A request that is charged, as a context. A class, because every request enters it."""

    __slots__ = ("_budgets", "_expected", "_ledger", "_spending")

    def __init__(self, spending: Spending, budgets: Sequence[Budget], expected: Expense, ledger: Ledger) -> None:
        self._spending = spending
        self._budgets = budgets
        self._expected = expected
        self._ledger = ledger

    def __enter__(self) -> None:
        self._spending.begin(self._budgets, self._expected)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spending.end(self._budgets, self._expected, self._ledger.used().spent)


SPENDING = web.AppKey("spending", Spending)


def budgets_of(server: Server, key: ApiKey | None) -> tuple[Budget, ...]:
    """Return the budgets that a request is charged to: the gateway's, and that of the key that it shows."""
    whole = Budget("", server.max_cost_per_day, currency=server.currency)
    if key is None:
        return (whole,)
    return whole, Budget(key.name, key.cost_per_day, key.tokens_per_day, server.currency)


def is_limit(budget: Budget) -> bool:
    """Whether a budget limits anything."""
    return budget.cost is not None or budget.tokens is not None


def check_quote(quote: Expense, mixture: Mixture, currency: str) -> None:
    """Let a request pass that a mixture's `max_cost` allows for; ApiError (429) for a dearer one."""
    if mixture.max_cost is not None and quote.cost > mixture.max_cost:
        raise exhausted(
            f"this request may cost {money(quote.cost, currency)} (about {quote.tokens} tokens), and max_cost of "
            f"{mixture.name} is {money(mixture.max_cost, currency)}. Shorten the conversation, lower max_tokens, "
            "ask for a single model, or raise max_cost"
        )


def money(amount: Decimal, currency: str) -> str:
    """Return an amount as people read it, to four places after the point, or more where it is less than that."""
    places = 4 if not amount or amount >= Decimal("0.0001") else 9
    return f"{amount:.{places}f}".rstrip("0").rstrip(".") + f" {currency}"


def exhausted(message: str) -> ApiError:
    """Return the refusal of a request for which there is no money: no client should try it again by itself."""
    return ApiError(429, message, code=INSUFFICIENT_QUOTA, headers={"x-should-retry": "false"})
