"""What every call of one request used: tokens, time, money, outcome."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from config.settings import Price
from synth.normalize import count
from synth.request import text_of
from upstream.calls import Attempt, Call
from upstream.errors import Kind

_CHARS_PER_TOKEN = 4
_MAX_COUNT = 10**12  # nobody reads or writes as much; an upstream that says so is not believed
_PRICED_TOKENS = 10**6
# Attempts that ended so have cost nothing: the upstream refused before it worked, or was never reached.
_FREE = frozenset(
    {Kind.CONNECT, Kind.RATE_LIMITED, Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED, Kind.SERVER_ERROR, Kind.NOT_READY}
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of one or several attempts; `estimated` where an upstream never said.

    `cached` are those of the prompt's that the upstream had read before.
    """

    prompt: int = 0
    completion: int = 0
    estimated: bool = False
    cached: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.estimated or other.estimated,
            self.cached + other.cached,
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


@dataclass(slots=True)
class Ledger:
    """The calls of one request in the order in which they were made; filled in while they run."""

    calls: list[Call] = field(default_factory=list)

    def add(self, call: Call) -> Call:
        """Take in a call that is about to start, and return it."""
        self.calls.append(call)
        return call

    def total(self) -> Tokens:
        """Return what all calls used together."""
        return sum((tokens_of(call) for call in self.calls), Tokens())

    def by_model(self) -> dict[str, tuple[int, Tokens]]:
        """Return the number of calls and the tokens for each model, by its configured name."""
        sums: dict[str, tuple[int, Tokens]] = {}
        for call in self.calls:
            n_calls, tokens = sums.get(call.model.name, (0, Tokens()))
            sums[call.model.name] = (n_calls + 1, tokens + tokens_of(call))
        return sums

    def cost(self, model: str | None = None) -> Decimal | None:
        """Return what all calls cost, or those of one model; None where tokens were used that have no price."""
        return cost_of(call for call in self.calls if model in (None, call.model.name))

    def spent(self) -> Spent:
        """Return all tokens, and the money for those that have a price."""
        return sum((spent(tokens_of(call), call.model.price) for call in self.calls), Spent())


def tokens_of(call: Call) -> Tokens:
    """Return what one call used, all its attempts together."""
    return sum((_tokens_of_attempt(attempt, call.messages) for attempt in call.attempts), Tokens())


def cost_of(calls: Iterable[Call]) -> Decimal | None:
    """Return what these calls cost, estimated where their tokens are; None where some have no price."""
    total = Decimal(0)
    for call in calls:
        tokens = tokens_of(call)
        if call.model.price is None and (tokens.prompt or tokens.completion):
            return None
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
    prompt = _stated(attempt.usage, "prompt_tokens")
    completion = _stated(attempt.usage, "completion_tokens")
    cached = min(prompt or 0, _stated_cached(attempt.usage))
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
