"""What every call of one request used: tokens, time, money, outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from config.settings import Price
from runtime.frozen import frozen
from synth.normalize import count
from synth.request import text_of
from upstream.calls import Attempt, Call, Tokens
from upstream.errors import Kind

_CHARS_PER_TOKEN = 4
_MAX_COUNT = 10**12  # nobody reads or writes as much; an upstream that says so is not believed
_PRICED_TOKENS = 10**6
_NOTHING = Decimal(0)
_NO_TOKENS = Tokens()
# Attempts that ended so have cost nothing: the upstream refused before it worked, or was never reached.
_FREE = frozenset(
    {Kind.CONNECT, Kind.RATE_LIMITED, Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED, Kind.SERVER_ERROR, Kind.NOT_READY}
)


@frozen
class Expense:
    """Tokens, and the money for those of them that have a price, in the server's currency."""

    tokens: int = 0
    cost: Decimal = _NOTHING

    def __add__(self, other: "Expense") -> "Expense":
        return Expense(self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: "Expense") -> "Expense":
        return Expense(self.tokens - other.tokens, self.cost - other.cost)


@frozen
class Used:
    """What calls used: `cost` is None where tokens were used that have no price, `priced` the money for all others."""

    n_calls: int = 0
    tokens: Tokens = _NO_TOKENS
    cost: Decimal | None = _NOTHING
    priced: Decimal = _NOTHING

    @property
    def spent(self) -> Expense:
        """All tokens, and the money for those that have a price."""
        return Expense(self.tokens.prompt + self.tokens.completion, self.priced)

    def __add__(self, other: "Used") -> "Used":
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Used(self.n_calls + other.n_calls, self.tokens + other.tokens, cost, self.priced + other.priced)


_UNUSED = Used()


@dataclass(slots=True)
class Ledger:
    """The calls of one request in the order in which they were made; filled in while they run."""

    calls: list[Call] = field(default_factory=list)
    _summed: tuple[Used, Mapping[str, Used]] | None = None

    def add(self, call: Call) -> Call:
        """Take in a call that is about to start, and return it."""
        self.calls.append(call)
        self._summed = None
        return call

    def by_model(self) -> Mapping[str, Used]:
        """Return what the calls of each model used, by its configured name."""
        return (self._summed or self._sums())[1]

    def used(self) -> Used:
        """Return what all calls used together."""
        return (self._summed or self._sums())[0]

    def _sums(self) -> tuple[Used, Mapping[str, Used]]:
        """Return what was used in all, and by model."""
        whole = _UNUSED
        by_model: dict[str, Used] = {}
        is_over = True
        for call in self.calls:
            is_over = is_over and call.ended is not None
            used, model = _used(call), call.model.name
            whole = used if whole is _UNUSED else whole + used
            by_model[model] = by_model[model] + used if model in by_model else used
        sums = whole, by_model
        if is_over:  # nothing will change, and several readers ask
            self._summed = sums
        return sums


def count_tokens(call: Call) -> Tokens:
    """Return what one call used, all its attempts together."""
    if call.tokens is not None:
        return call.tokens
    each = [_tokens_of_attempt(attempt, call.messages) for attempt in call.attempts]
    tokens = each[0] if len(each) == 1 else sum(each, _NO_TOKENS)
    if call.ended is not None:  # it won't change any more, and several readers ask
        call.tokens = tokens
    return tokens


def _used(call: Call) -> Used:
    tokens, price = count_tokens(call), call.model.price
    if price is None:
        return Used(1, tokens, None if tokens.prompt or tokens.completion else _NOTHING)
    cost = price_tokens(tokens, price).cost
    return Used(1, tokens, cost, cost)


def compute_cost(call: Call) -> Decimal | None:
    """Return what a call costs, estimated where its tokens are; None where they have no price."""
    return _used(call).cost


def price_tokens(tokens: Tokens, price: Price | None) -> Expense:
    """Return so many tokens and what they cost: nothing where they have no price."""
    n_tokens = tokens.prompt + tokens.completion
    if price is None:
        return Expense(n_tokens)
    cached_input = price.input if price.cached_input is None else price.cached_input
    read = (tokens.prompt - tokens.cached) * price.input + tokens.cached * cached_input
    return Expense(n_tokens, (read + tokens.completion * price.output) / _PRICED_TOKENS)


def _tokens_of_attempt(attempt: Attempt, messages: Sequence[Mapping[str, Any]]) -> Tokens:
    usage = attempt.usage
    prompt = _stated(usage, "prompt_tokens")
    completion = _stated(usage, "completion_tokens")
    cached = min(prompt or 0, _stated_cached(usage)) if usage and "prompt_tokens_details" in usage else 0
    if prompt is not None and completion is not None:
        return Tokens(prompt, completion, cached=cached)
    if not attempt.sent or attempt.outcome in _FREE:
        return _NO_TOKENS
    return Tokens(
        estimate_prompt_tokens(messages) if prompt is None else prompt,
        estimate_tokens(attempt.received_chars) if completion is None else completion,
        estimated=True,
        cached=cached,
    )


def _stated(usage: Mapping[str, Any] | None, name: str) -> int | None:
    stated = count(usage, name)
    return stated if stated is not None and stated <= _MAX_COUNT else None


def _stated_cached(usage: Mapping[str, Any] | None) -> int:
    details = usage.get("prompt_tokens_details") if usage else None
    return (count(details, "cached_tokens") or 0) if isinstance(details, dict) else 0


def estimate_tokens(n_chars: int) -> int:
    """Return a rough token count for so many characters."""
    return -(-n_chars // _CHARS_PER_TOKEN)


def estimate_prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return a rough token count for a conversation."""
    return estimate_tokens(sum(len(text_of(message.get("content"))) for message in messages))
