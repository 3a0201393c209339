"""Calls and attempts: what is asked of a model, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from config.settings import Model
from runtime.frozen import frozen

Role = Literal["proposer", "critic", "verifier", "direct"]


@dataclass(slots=True)
class Attempt:
    """One HTTP try. Instants are seconds on the gateway's monotonic clock.

    `outcome` is `ok`, a `Kind`, `cancelled`, or `running`. `usage` is the upstream's own word, where it gave one;
    `received_chars` counts the text that came, for an estimate where it did not. `stated_model` is its word for who has
    answered, unchecked. `hedge` marks one that was started while another one of the same call was still running.
    """

    started: float
    ended: float | None = None
    first_byte: float | None = None
    outcome: str = "running"
    status: int | None = None
    message: str = ""
    pause_s: float | None = None
    sent: bool = False
    usage: Mapping[str, Any] | None = None
    received_chars: int = 0
    hedge: bool = False
    stated_model: Any = None


@frozen
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


@dataclass(slots=True)
class Call:
    """One question put to one model, and the record of what came of it.

    `messages` and `params` are the client's as they go upstream; the model's own `params` are laid over them.
    `deadline` is an instant on the monotonic clock that no attempt outlives. The record below it is filled in
    while the call runs, so that a cancelled call is accounted for as well. `retrying_since` is the instant at which an
    attempt had failed and another one was to come, for the first time. `tokens` are the ledger's count, once
    it has ended. `alias` is what this place of the model's is called, where it has several on a panel.
    """

    model: Model
    role: Role
    messages: Sequence[Mapping[str, Any]]
    params: Mapping[str, Any]
    deadline: float
    overrides: Mapping[str, Any] = field(default_factory=dict)
    shows_reasoning: bool = True
    alias: str | None = None

    attempts: list[Attempt] = field(default_factory=list)
    started: float | None = None
    ended: float | None = None
    outcome: str = "running"
    retrying_since: float | None = None
    tokens: Tokens | None = None

    @property
    def name(self) -> str:
        """Who was asked, as events, traces and logs tell it: the alias, or the model's configured name."""
        return self.alias or self.model.name

    @property
    def usage(self) -> Mapping[str, Any] | None:
        """What the upstream said of the attempt that gave the answer."""
        for attempt in self.attempts:
            if attempt.outcome == "ok":
                return attempt.usage
        return None
