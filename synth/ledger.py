"""The ledger of one request: tokens, time, money and outcome of every call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from msgspec import Struct

from config.settings import Price
from runtime import json_codec
from runtime.frozen import frozen
from synth.normalize import count, count_detail
from synth.request import Message, text_of
from upstream.calls import Attempt, Call, Tokens
from upstream.errors import Kind
from upstream.openai.conversation import Conversation
from upstream.openai.wire import find_token_limit

DEFAULT_OUTPUT_TOKENS = 1_000
"""The assumed length of an answer without a token limit."""

_CHARS_PER_TOKEN = 4
_IMAGE_TOKENS = 1_600  # the most that providers count for one image of the usual sizes
_UNSEEN_TOKENS_PER_S = 500  # faster than nearly all hosted models write
_MOST_UNSEEN_TOKENS = 4_096
_MOST_UNREADABLE_TOKENS = 32_768
_MAX_COUNT = 10**12  # no request has as many tokens; a larger count is ignored
_PRICED_TOKENS = 10**6
_NOTHING = Decimal(0)
_NO_TOKENS = Tokens()
# Attempts with these outcomes cost nothing: the upstream refused them beforehand, or was never reached.
_FREE = frozenset(
    {Kind.CONNECT, Kind.RATE_LIMITED, Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED, Kind.SERVER_ERROR, Kind.NOT_READY}
)


@frozen
class Expense:
    """Tokens, and the cost of those that have a price, in the server's currency."""

    tokens: int = 0
    cost: Decimal = _NOTHING

    def __add__(self, other: "Expense") -> "Expense":
        return Expense(self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: "Expense") -> "Expense":
        return Expense(self.tokens - other.tokens, self.cost - other.cost)


class Used(Struct, frozen=True):
    """The sum of several calls: `cost` is None if any used tokens without a price, `priced` the cost of all others."""

    n_calls: int = 0
    tokens: Tokens = _NO_TOKENS
    cost: Decimal | None = _NOTHING
    priced: Decimal = _NOTHING

    @property
    def spent(self) -> Expense:
        """All tokens, and the cost of those that have a price."""
        return Expense(self.tokens.prompt + self.tokens.completion, self.priced)

    def __add__(self, other: "Used") -> "Used":
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Used(self.n_calls + other.n_calls, self.tokens + other.tokens, cost, self.priced + other.priced)


_UNUSED = Used()


@dataclass(slots=True)
class Ledger:
    """The calls of one request in the order of their start; each is updated while it runs."""

    calls: list[Call] = field(default_factory=list)
    _kept: tuple[Used, Mapping[str, Used]] | None = None

    def add(self, call: Call) -> Call:
        """Add a call that is about to start, and return it."""
        self.calls.append(call)
        self._kept = None
        return call

    def by_model(self) -> Mapping[str, Used]:
        """Return the usage of each model, by its configured name."""
        return (self._kept or self._sum())[1]

    def used(self) -> Used:
        """Return the usage of all calls."""
        return (self._kept or self._sum())[0]

    def _sum(self) -> tuple[Used, Mapping[str, Used]]:
        """Return the usage of all calls, and by model; cached once all have ended, because several readers ask."""
        whole = _UNUSED
        by_model: dict[str, Used] = {}
        is_over = True
        for call in self.calls:
            is_over = is_over and call.ended is not None
            used, model = _price_call(call), call.model.name
            whole = used if whole is _UNUSED else whole + used
            by_model[model] = by_model[model] + used if model in by_model else used
        sums = whole, by_model
        if is_over:
            self._kept = sums
        return sums


def count_tokens(call: Call) -> Tokens:
    """Return the tokens of one call, all its attempts together; kept once the call has ended."""
    if call.tokens is not None:
        return call.tokens
    each = [_count_attempt(attempt, call) for attempt in call.attempts]
    tokens = each[0] if len(each) == 1 else sum(each, _NO_TOKENS)
    if call.ended is not None:
        call.tokens = tokens
    return tokens


def _price_call(call: Call) -> Used:
    tokens, price = count_tokens(call), call.model.price
    if price is None:
        return Used(1, tokens, None if tokens.prompt or tokens.completion else _NOTHING)
    cost = price_tokens(tokens, price).cost
    return Used(1, tokens, cost, cost)


def compute_cost(call: Call) -> Decimal | None:
    """Return the cost of a call, estimated if its tokens are, or None if they have no price."""
    return _price_call(call).cost


def price_tokens(tokens: Tokens, price: Price | None) -> Expense:
    """Return the number of tokens and their cost, which is 0 without a price."""
    n_tokens = tokens.prompt + tokens.completion
    if price is None:
        return Expense(n_tokens)
    cached_input = price.input if price.cached_input is None else price.cached_input
    cache_write = price.input if price.cache_write is None else price.cache_write
    others = tokens.prompt - tokens.cached - tokens.written
    read = others * price.input + tokens.cached * cached_input + tokens.written * cache_write
    return Expense(n_tokens, (read + tokens.completion * price.output) / _PRICED_TOKENS)


# The charge for an attempt whose upstream reported no usage.
#
# It is zero if the attempt was refused or never reached the upstream. Otherwise it is the whole prompt, and for the
# answer the larger of two numbers. The first is the length of the received text. But a reply in JSON has no text until
# it is complete, a stream hides reasoning, and a body that is too large or broken has no text to count. The provider
# bills it anyway, so a client that always leaves just before the end would be charged nothing. So the second is the
# length that a fast model could have written in the time of the attempt, up to the token limit of the call. Both are
# guesses, and marked `estimated`; they are high rather than low, because they protect a budget.


def _count_attempt(attempt: Attempt, call: Call) -> Tokens:
    usage = attempt.usage
    prompt = _read_count(usage, "prompt_tokens")
    completion = _read_count(usage, "completion_tokens")
    cached = written = 0
    if usage and prompt and "prompt_tokens_details" in usage:
        cached = min(prompt, count_detail(usage, "prompt_tokens_details", "cached_tokens"))
        written = min(prompt - cached, count_detail(usage, "prompt_tokens_details", "cache_write_tokens"))
    if prompt is not None and completion is not None:
        return Tokens(prompt, completion, cached=cached, written=written)
    if not attempt.sent or attempt.outcome in _FREE:
        return _NO_TOKENS
    return Tokens(
        estimate_request_tokens(call.messages, call.params) if prompt is None else prompt,
        _estimate_completion(attempt, call) if completion is None else completion,
        estimated=True,
        cached=cached,
        written=written,
    )


def _estimate_completion(attempt: Attempt, call: Call) -> int:
    received = estimate_tokens(attempt.received_chars)
    if attempt.outcome == "ok":
        return received
    limit = find_token_limit(call.params, {**call.model.params, **call.overrides})
    if not attempt.received_chars and attempt.received_bytes:
        most = _MOST_UNREADABLE_TOKENS if limit is None or limit < 0 else limit
        received = min(estimate_tokens(attempt.received_bytes), most)
    if attempt.ended is None:
        return received
    unseen = int((attempt.ended - attempt.started) * _UNSEEN_TOKENS_PER_S)
    return max(received, min(unseen, _MOST_UNSEEN_TOKENS if limit is None or limit < 0 else limit))


def _read_count(usage: Mapping[str, Any] | None, name: str) -> int | None:
    value = count(usage, name)
    return value if value is not None and value <= _MAX_COUNT else None


def estimate_tokens(n_chars: int) -> int:
    """Return a rough token count for a number of characters: four for a token."""
    return -(-n_chars // _CHARS_PER_TOKEN)


def estimate_request_tokens(messages: Sequence[Message], params: Mapping[str, Any]) -> int:
    """Return a rough token count for a whole request: messages with tool calls and images, tools, schemas, all fields.

    It is the size of the request as JSON; an image counts as much as providers count for one, whatever its size.
    """
    conversation = Conversation.of(messages)
    n_bytes = conversation.n_bytes() + len(json_codec.encode(params))
    n_images = 0
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") == "image_url":
                n_images += 1
                n_bytes -= len(json_codec.encode(part))
    return estimate_tokens(n_bytes) + n_images * _IMAGE_TOKENS


def estimate_prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return a rough token count for the text of a conversation."""
    return estimate_tokens(sum(len(text_of(message.get("content"))) for message in messages))
