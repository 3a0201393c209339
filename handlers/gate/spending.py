"""Daily budgets and rates: reserve the estimate of a request before it begins, and settle when it has ended."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import TracebackType

from aiohttp import web

from config.settings import ApiKey, Mixture, Server
from handlers.errors import INSUFFICIENT_QUOTA, ApiError
from handlers.gate.rate_limit import refuse_rate
from runtime.frozen import frozen
from store.calendar import Calendar
from store.recorder import ModelUse, Recorder
from store.store import (
    LONGEST_LEASE_S,
    MOST,
    NOTHING,
    Amount,
    Claim,
    Limit,
    Rate,
    Refusal,
    Store,
    StoreUnavailableError,
    to_money,
    to_units,
)
from synth.ledger import Expense, Ledger

GATEWAY = ""
"""The account that every request is charged to."""

_SLACK_S = 60.0  # how long a reservation outlives the deadline of its request
_RETRY_AFTER_S = 5


@frozen
class Budget:
    """The daily limits of one account; None is no limit. `owner` and `key` name it for people."""

    account: str
    owner: str = "the gateway"
    key: str = "server.max_cost_per_day"
    cost: Decimal | None = None
    tokens: int | None = None
    currency: str = "USD"


@frozen
class Bill:
    """The basis of a request's charge: the ledger of its calls, its estimated use, its client and its mixture."""

    ledger: Ledger
    expected: Expense = Expense()
    client: str = ""
    mixture: str = ""


def is_limit(budget: Budget) -> bool:
    """Whether a budget limits anything."""
    return budget.cost is not None or budget.tokens is not None


def budgets_of(server: Server, key: ApiKey | None, mixture: Mixture | None) -> tuple[Budget, ...]:
    """Return the budgets that a request is charged to: the gateway's, that of its key, and that of its mixture.

    `mixture` is the one that is asked, or whose limit binds a model that is asked by its own name.
    """
    budgets = [Budget(GATEWAY, cost=server.max_cost_per_day, currency=server.currency)]
    if key is not None:
        owner = f"the key {key.name}"
        budgets.append(
            Budget(f"key:{key.name}", owner, "its cost_per_day", key.cost_per_day, key.tokens_per_day, server.currency)
        )
    if mixture is not None and mixture.max_cost_per_day is not None:
        owner = f"the mixture {mixture.name}"
        account = f"mixture:{mixture.name}"
        budgets.append(
            Budget(account, owner, "its max_cost_per_day", mixture.max_cost_per_day, currency=server.currency)
        )
    return tuple(budgets)


class Spending:
    """Reserves the expected use of requests in a store, and records their real use.

    A running request counts with its reservation, a finished one with its real use, on the UTC day on which it ended.
    Only a request with a limit waits for the store, once, before it begins.
    """

    def __init__(self, store: Store, recorder: Recorder, calendar: Calendar) -> None:
        self._store = store
        self._recorder = recorder
        self._calendar = calendar

    async def read_spent(self) -> Mapping[str, Amount]:
        """Return the spend of the requests that ended today, by account."""
        calendar = self._calendar
        spent = dict(await self._store.read_spent(calendar.today(), calendar.now()))
        for account, amount in self._recorder.find_pending().items():
            spent[account] = spent.get(account, NOTHING) + amount
        return spent

    async def read_cost_today(self) -> Decimal:
        """Return the cost of all requests that ended today."""
        return to_money((await self.read_spent()).get(GATEWAY, NOTHING).cost)

    def charge(self, budgets: Sequence[Budget], key: ApiKey | None, bill: Bill, lifetime_s: float) -> "_Charge":
        """Return an asynchronous context manager for a request that may run `lifetime_s` seconds.

        On entering, a request with a limit reserves its expected use, and counts in the rate of its key; ApiError is
        raised if it may not begin. On leaving it settles by its ledger.
        """
        limits = tuple([_to_limit(budget) for budget in budgets if is_limit(budget)])
        rates = () if key is None or key.rate_per_minute is None else (Rate(key.name, key.rate_per_minute),)
        claim = None
        if limits or rates:
            calendar, expected = self._calendar, bill.expected
            claim = Claim(
                secrets.token_hex(8),
                calendar.today(),
                calendar.now(),
                min(lifetime_s + _SLACK_S, LONGEST_LEASE_S),
                Amount(expected.tokens, to_units(expected.cost)),
                limits,
                rates,
            )
        return _Charge(self, budgets, claim, bill)

    async def reserve(self, claim: Claim, budgets: Sequence[Budget]) -> None:
        """Make a claim. Raises ApiError (429) if a rate or a budget refuses it, 503 if the store is needed and fails.

        Cancelling this releases the reservation.
        """
        reserving = asyncio.ensure_future(self._store.reserve(claim))
        try:
            refusal = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            reserving.add_done_callback(lambda _: self._recorder.release(claim.id))
            raise
        except StoreUnavailableError as error:
            raise ApiError(
                503,
                "the gateway cannot check your budget, because its store fails (store.on_failure: refuse); retry later",
                code="store_unavailable",
                headers={"Retry-After": str(_RETRY_AFTER_S)},
            ) from error
        if refusal is not None:
            raise _refuse(refusal, claim, budgets)

    def settle(self, budgets: Sequence[Budget], claim: Claim | None, bill: Bill) -> None:
        """Record a request's use, and release its reservation. Does not wait."""
        uses = [
            ModelUse(model, used.tokens.prompt, used.tokens.completion, used.tokens.cached, used.priced)
            for model, used in bill.ledger.by_model().items()
        ]
        accounts = [budget.account for budget in budgets]
        released = claim.id if claim is not None and claim.limits else None
        self._recorder.add(accounts, bill.client, bill.mixture, uses, released)


class _Charge:
    """One request's reservation, as a context manager. A class, because every request enters it."""

    __slots__ = ("_bill", "_budgets", "_claim", "_spending")

    def __init__(self, spending: Spending, budgets: Sequence[Budget], claim: Claim | None, bill: Bill) -> None:
        self._spending = spending
        self._budgets = budgets
        self._claim = claim
        self._bill = bill

    async def __aenter__(self) -> None:
        if self._claim is not None:
            await self._spending.reserve(self._claim, self._budgets)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spending.settle(self._budgets, self._claim, self._bill)


SPENDING = web.AppKey("spending", Spending)


def _to_limit(budget: Budget) -> Limit:
    return Limit(budget.account, budget.tokens, None if budget.cost is None else to_units(budget.cost, MOST))


def _refuse(refusal: Refusal, claim: Claim, budgets: Sequence[Budget]) -> ApiError:
    """Return the error for a claim that was refused."""
    if refusal.by == "rate":
        (rate,) = claim.rates
        return refuse_rate(rate, refusal.retry_after_s)
    budget = next(each for each in budgets if each.account == refusal.name)
    describe = _describe_cost if refusal.by == "cost" else _describe_tokens
    return exhausted(describe(budget, refusal, claim.expected))


def _describe_cost(budget: Budget, refusal: Refusal, expected: Amount) -> str:
    def show(units: int) -> str:
        return money(to_money(units), budget.currency)

    limit = budget.cost or Decimal(0)
    spent, reserved = refusal.spent.cost, refusal.reserved.cost
    running = f", and running requests may cost {show(reserved)}" if reserved else ""
    this = f". This request may cost {show(expected.cost)}" if spent + reserved < to_units(limit, MOST) else ""
    return (
        f"{budget.owner} has spent {show(spent)} today{running}{this}: {budget.key} is "
        f"{money(limit, budget.currency)}. Raise it, or come back after midnight UTC"
    )


def _describe_tokens(budget: Budget, refusal: Refusal, expected: Amount) -> str:
    limit, spent, reserved = budget.tokens or 0, refusal.spent.tokens, refusal.reserved.tokens
    running = f", and running requests may use {reserved}" if reserved else ""
    this = f". This request may use {expected.tokens}" if spent + reserved < limit else ""
    return (
        f"{budget.owner} has used {spent} tokens today{running}{this}: its tokens_per_day is {limit}. "
        "Raise it, or come back after midnight UTC"
    )


def check_quote(quote: Expense, limit: Decimal | None, whose: str, currency: str) -> None:
    """Check an estimate against a `max_cost`, None is no limit. Raises ApiError (429) if it is higher.

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
    """Return the refusal of a request for which no budget is left; clients must not retry it automatically."""
    return ApiError(429, message, code=INSUFFICIENT_QUOTA, headers={"x-should-retry": "false"}, logged=message)
