"""What every call of one request used: tokens, time, money, outcome."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from config.settings import Price
from synth.normalize import count
from synth.request import text_of
from upstream.calls import Attempt, Call, Tokens
from upstream.errors import Kind

_CHARS_PER_TOKEN = 4
_MAX_COUNT = 10**12  # nobody reads or writes as much; an upstream that says so is not believed
_PRICED_TOKENS = 10**6
# Attempts that ended so have cost nothing: the upstream refused before it worked, or was never reached.
_FREE = frozenset(
    {Kind.CONNECT, Kind.RATE_LIMITED, Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED, Kind.SERVER_ERROR, Kind.NOT_READY}
)


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens, and the money for those of them that have a price, in the server's currency."""

    tokens: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.tokens - other.tokens, self.cost - other.cost)


@dataclass(frozen=True, slots=True)
class Used:
    """What the calls of one model used, or all calls; `cost` is None where tokens were used that have no price."""

    n_calls: int
    tokens: Tokens
    cost: Decimal | None


@dataclass(slots=True)
class Ledger:
    """The calls of one request in the order in which they were made; filled in while they run."""

    calls: list[Call] = field(default_factory=list)
    _by_model: dict[str, Used] | None = None

    def add(self, call: Call) -> Call:
        """Take in a call that is about to start, and return it."""
        self.calls.append(call)
        self._by_model = None
        return call

    def by_model(self) -> Mapping[str, Used]:
        """Return what the calls of each model used, by its configured name."""
        if self._by_model is not None:
            return self._by_model
        calls: dict[str, list[Call]] = {}
        for call in self.calls:
            calls.setdefault(call.model.name, []).append(call)
        found = {name: _used(each) for name, each in calls.items()}
        if all(call.ended is not None for call in self.calls):  # none will change, and several readers ask
            self._by_model = found
        return found

    def total(self) -> Tokens:
        """Return what all calls used together."""
        return _sum([used.tokens for used in self.by_model().values()])

    def cost(self) -> Decimal | None:
        """Return what all calls cost; None where tokens were used that have no price."""
        total = Decimal(0)
        for used in self.by_model().values():
            if used.cost is None:
                return None
            total += used.cost
        return total

    def spent(self) -> Spent:
        """Return all tokens, and the money for those that have a price."""
        total = self.total()
        priced = [spent(tokens_of(call), call.model.price).cost for call in self.calls if call.model.price is not None]
        return Spent(total.prompt + total.completion, sum(priced, Decimal(0)))


def tokens_of(call: Call) -> Tokens:
    """Return what one call used, all its attempts together."""
    if call.tokens is not None:
        return call.tokens
    tokens = _sum([_tokens_of_attempt(attempt, call.messages) for attempt in call.attempts])
    if call.ended is not None:  # it won't change any more, and several readers ask
        call.tokens = tokens
    return tokens


def _sum(several: Sequence[Tokens]) -> Tokens:
    return several[0] if len(several) == 1 else sum(several, Tokens())


def _used(calls: Sequence[Call]) -> Used:
    return Used(len(calls), _sum([tokens_of(call) for call in calls]), cost_of(calls))


def cost_of(calls: Iterable[Call]) -> Decimal | None:
    """Return what these calls cost, estimated where their tokens are; None where some have no price."""
    total = Decimal(0)
    for call in calls:
        tokens = tokens_of(call)
        if call.model.price is None:
            if tokens.prompt or tokens.completion:
                return None
            continue
        total += spent(tokens, call.model.price).cost
    return total


def spent(tokens: Tokens, price: Price | None) -> Spent:
    """Return so many tokens and what they cost: nothing where they have no price."""
    n_tokens = tokens.prompt + tokens.completion
    if price is None:
        return Spent(n_tokens)
    cached_input = price.input if price.cached_input is None else price.cached_input
    read = (tokens.prompt - tokens.cached) * price.input + tokens.cached * cached_input
    return Spent(n_tokens, (read + tokens.completion * price.output) / _PRICED_TOKENS)


def _tokens_of_attempt(attempt: Attempt, messages: Sequence[Mapping[str, Any]]) -> Tokens:
    usage = attempt.usage
    prompt = _stated(usage, "prompt_tokens")
    completion = _stated(usage, "completion_tokens")
    cached = min(prompt or 0, _stated_cached(usage)) if usage and "prompt_tokens_details" in usage else 0
    if prompt is not None and completion is not None:
        return Tokens(prompt, completion, cached=cached)
    if not attempt.sent or attempt.outcome in _FREE:
        return Tokens()
    return Tokens(
        estimated_prompt(messages) if prompt is None else prompt,
        estimated(attempt.received_chars) if completion is None else completion,
        estimated=True,
        cached=cached,
    )


def _stated(usage: Any, name: str) -> int | None:
    stated = count(usage, name)
    return stated if stated is not None and stated <= _MAX_COUNT else None


def _stated_cached(usage: Mapping[str, Any] | None) -> int:
    details = usage.get("prompt_tokens_details") if usage else None
    return count(details, "cached_tokens") or 0


def estimated(n_chars: int) -> int:
    """Return a rough token count for so many characters."""
    return -(-n_chars // _CHARS_PER_TOKEN)


def estimated_prompt(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return a rough token count for a conversation."""
    return estimated(sum(len(text_of(message.get("content"))) for message in messages))
