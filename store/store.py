"""The interface of a store: budgets, rates, usage and feedback, with the values it exchanges.

Three classes implement it: memory (store/memory.py), one SQLite file (store/sqlite_store.py), and a Redis or Valkey
server (store/redis_store.py). The same tests run over all of them (tests/store/test_contract.py). Nothing that crosses
this interface holds text of a request or an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from decimal import ROUND_CEILING, Decimal
from typing import Literal, Protocol

from runtime.frozen import frozen

COST_UNITS = 10**12
"""How many units of an `Amount`'s cost are one unit of money. Whole numbers add up exactly in every store."""

_MAX_COST = 10**18
USAGE_DAYS = 400
"""How many days usage is kept."""

ONCE_DAYS = 30
"""How long a store remembers that something was counted, at least."""

WRITER_DAYS = 7
"""How long a store remembers the last batch of a process, at least."""

MOST = 2**63 - 1
"""No sum grows beyond it: the largest whole number of SQLite and Redis."""

LONGEST_LEASE_S = 86_400.0
"""A reservation that seems to last longer was made by a clock that ran ahead, and counts no longer."""


class StoreError(Exception):
    """The store cannot be reached, read or written; the message names it and the cause, without a password."""


class StoreUnavailableError(StoreError):
    """The store failed, and `store.on_failure: refuse` forbids continuing without it."""


def to_units(cost: Decimal, most: int = _MAX_COST) -> int:
    """Return an amount of money in COST_UNITS, rounded up; at most a million units of money unless `most` differs."""
    return min(int((cost * COST_UNITS).to_integral_value(ROUND_CEILING)), most)


def to_money(units: int) -> Decimal:
    """Return an amount of COST_UNITS as money."""
    return Decimal(units) / COST_UNITS


@frozen
class Amount:
    """Tokens, and their cost in COST_UNITS."""

    tokens: int = 0
    cost: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, min(self.cost + other.cost, MOST))


NOTHING = Amount()


@frozen
class Limit:
    """The limits of a day for one account; None is no limit."""

    account: str
    tokens: int | None = None
    cost: int | None = None


@frozen
class Rate:
    """A leaky bucket: a burst of `per_minute` requests, then one as each leaks out. A changed rate is a new bucket."""

    name: str
    per_minute: int


@frozen
class Claim:
    """A request that asks to begin.

    `id` is unique, so that a claim that is sent twice counts once. `day` and `now` (unix time) are what the process
    believes (store/calendar.py). The reservation counts until a batch releases it, at most for `lifetime_s`: that of a
    process that died ends by itself.
    """

    id: str
    day: int
    now: float
    lifetime_s: float
    expected: Amount = NOTHING
    limits: tuple[Limit, ...] = ()
    rates: tuple[Rate, ...] = ()


@frozen
class Refusal:
    """Why a claim was refused: `name` is that of the rate or the account.

    `retry_after_s` is set for a rate. `spent` and `reserved` are those of the account.
    """

    by: Literal["rate", "cost", "tokens"]
    name: str
    retry_after_s: float = 0.0
    spent: Amount = NOTHING
    reserved: Amount = NOTHING


@frozen
class UsageKey:
    """The key of a usage count. `client` and `mixture` are "" without one.

    The row whose `model` is "" counts requests, once each; the others count the requests that called the model.
    """

    day: int
    client: str
    mixture: str
    model: str


@frozen
class Usage:
    """Requests, their tokens, and the cost of those with a price, in COST_UNITS. `cached` are part of `prompt`."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cost: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            min(self.cost + other.cost, MOST),
        )


@frozen
class Batch:
    """The usage of requests that have ended, written in one step.

    A writer (one process) numbers its batches upwards, and a number that is not higher than its last changes nothing:
    a batch whose reply was lost may be sent again. `charges` are by account, and count on the day in force. `released`
    are the ids of claims whose reservations end.
    """

    writer: str
    number: int
    day: int
    now: float
    charges: Mapping[str, Amount]
    released: tuple[str, ...] = ()
    usage: Mapping[UsageKey, Usage] = field(default_factory=dict)


@frozen
class Remembered:
    """A record under a hash, opaque to the store."""

    hash: str
    record: bytes
    lifetime_s: float


@frozen
class Outcome:
    """An outcome of a panel's member at one kind of task, called `name`.

    A negative `amount` takes back an earlier outcome.
    """

    member: str
    kind: str
    name: str
    amount: float = 1.0


@frozen
class Tally:
    """How often a member had an outcome: `count` additions; `weight` is their decayed sum at the unix time `at`."""

    member: str
    kind: str
    name: str
    count: int
    weight: float
    at: float


class Store(Protocol):
    """Keeps spend, usage and feedback. Every method is atomic, also between processes, and raises StoreError.

    Times are unix times in seconds. A store that several machines share uses its server's clock instead of `now`.
    """

    @property
    def name(self) -> str:
        """The store for people: `sqlite:/path/state.db`. Without a password."""
        ...

    async def open(self) -> None:
        """Connect, and create what is missing. May be called again after a failure."""
        ...

    async def close(self) -> None:
        """Close files and connections."""
        ...

    async def share_clock(self, boot: str, offset: float, uptime: float) -> float:
        """Return the offset (unix time - uptime) that processes of this boot use: of the first within 24 hours."""
        ...

    async def reserve(self, claim: Claim) -> Refusal | None:
        """Count a request in its rates and reserve its estimate; if that is refused, change nothing and return why."""
        ...

    async def record(self, batch: Batch) -> None:
        """Add the usage of ended requests, and release their reservations."""
        ...

    async def read_spent(self, day: int, now: float) -> Mapping[str, Amount]:
        """Return the spend of the requests that ended today, by account."""
        ...

    async def read_usage(self, first_day: int, last_day: int) -> Mapping[UsageKey, Usage]:
        """Return the usage of these days, both included."""
        ...

    async def remember(self, answers: Sequence[Remembered], now: float) -> None:
        """Keep records under their hashes; one that is there is replaced, and its lifetime begins again."""
        ...

    async def recall(self, hashes: Sequence[str], now: float) -> Mapping[str, bytes]:
        """Return the records of the hashes that are known and have not expired, in one round trip."""
        ...

    async def add_outcomes(self, once: str, outcomes: Sequence[Outcome], now: float, half_life_s: float) -> bool:
        """Add to the tallies; False and no change if the id `once` was counted before, within ONCE_DAYS."""
        ...

    async def read_tallies(self) -> Sequence[Tally]:
        """Return every tally."""
        ...

    async def reset_tallies(self, member: str | None = None) -> None:
        """Forget the tallies of one member, or of all."""
        ...
