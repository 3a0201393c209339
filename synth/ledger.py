"""What every call of one request used: tokens, time, outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synth.normalize import count
from synth.request import text_of
from upstream.calls import Attempt, Call
from upstream.errors import Kind

_CHARS_PER_TOKEN = 4
# Attempts that ended so have cost nothing: the upstream refused before it worked, or was never reached.
_FREE = frozenset(
    {Kind.CONNECT, Kind.RATE_LIMITED, Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED, Kind.SERVER_ERROR, Kind.NOT_READY}
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of one or several attempts; `estimated` where an upstream never said."""

    prompt: int = 0
    completion: int = 0
    estimated: bool = False

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.estimated or other.estimated,
        )


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


def tokens_of(call: Call) -> Tokens:
    """Return what one call used, all its attempts together."""
    return sum((_tokens_of_attempt(attempt, call.messages) for attempt in call.attempts), Tokens())


def _tokens_of_attempt(attempt: Attempt, messages: Sequence[Mapping[str, Any]]) -> Tokens:
    prompt = count(attempt.usage, "prompt_tokens")
    completion = count(attempt.usage, "completion_tokens")
    if prompt is not None and completion is not None:
        return Tokens(prompt, completion)
    if not attempt.sent or attempt.outcome in _FREE:
        return Tokens()
    return Tokens(
        estimated_prompt(messages) if prompt is None else prompt,
        estimated(attempt.received_chars) if completion is None else completion,
        estimated=True,
    )


def estimated(n_chars: int) -> int:
    """Return a rough token count for so many characters."""
    return -(-n_chars // _CHARS_PER_TOKEN)


def estimated_prompt(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return a rough token count for a conversation."""
    return estimated(sum(len(text_of(message.get("content"))) for message in messages))
