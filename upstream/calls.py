"""Calls and attempts: a request to one model, and the record of its outcome."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from config.settings import Model
from upstream.openai.quirks import Quirk

Role = Literal["proposer", "critic", "verifier", "direct"]

NO_FAILURES = frozenset({"ok", "cancelled", "running"})
"""The outcomes of calls and attempts that have not failed."""


# Structs, because every request makes several of each: an instance costs a quarter of a dataclass's.


class Attempt(Struct):
    """One HTTP try. Instants are seconds on the gateway's monotonic clock.

    `number` counts the attempts of a call from 1, in the order of their start; it is 0 before that. `outcome` is `ok`,
    a `Kind`, `cancelled`, or `running`. `usage` is as the upstream reported it, or None if it did not; then
    `received_chars`, the length of the received text, serves for an estimate, or `received_bytes`, the size of a body
    that could not be read. `stated_model` is the model's name in the reply, unchecked. `pause_s` is the pause after it,
    if it was retried. `hedge` marks an attempt that was started while another one of the same call was still running.
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
    received_bytes: int = 0
    hedge: bool = False
    stated_model: Any = None
    number: int = 0


class Tokens(Struct, frozen=True):
    """Token counts of one or several attempts; `estimated` if an upstream did not report them.

    `cached` are the prompt's tokens that the upstream read from its prompt cache, `written` those that it put there.
    """

    prompt: int = 0
    completion: int = 0
    estimated: bool = False
    cached: int = 0
    written: int = 0

    @property
    def hit_rate(self) -> float | None:
        """The share of the prompt that came from the cache, or None if the upstream reports no use of a cache."""
        return self.cached / self.prompt if self.prompt and (self.cached or self.written) else None

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.estimated or other.estimated,
            self.cached + other.cached,
            self.written + other.written,
        )


class Call(Struct):
    """One question to one model, and the record of its outcome.

    `messages` and `params` are the client's, adapted to the model; the model's configured `params` and the `overrides`
    of this call win over them. `deadline` is an instant on the monotonic clock that no attempt outlives. `alias` names
    the model's place if it has several on a panel. `shows_reasoning`: the client sees the reasoning, so a stream begins
    with it. If `on_text` is set, the upstream is asked for a stream even when the caller wants a complete answer, and
    `on_text` receives each piece of text with the number of its attempt; every attempt begins the text anew.

    The record is filled in while the call runs, so that a cancelled call is accounted for as well. `retrying_since` is
    the instant of the first retry, `quirks` are what refusals have taught during the call, `tokens` is the ledger's
    count, set after the end. `cause` says why the call failed, in the provider's own words, redacted and shortened; ""
    if it did not fail. A log line has all it needs here: `name`, `outcome` (the kind of failure) and `cause` of each
    call that failed; `started`, and the last attempt's `outcome` and `message`, of each that still runs.
    """

    model: Model
    role: Role
    messages: Sequence[Mapping[str, Any]]
    params: Mapping[str, Any]
    deadline: float
    overrides: Mapping[str, Any] = {}
    shows_reasoning: bool = True
    alias: str | None = None
    on_text: Callable[[int, str], None] | None = None

    attempts: list[Attempt] = []
    quirks: list[Quirk] = []
    started: float | None = None
    ended: float | None = None
    outcome: str = "running"
    cause: str = ""
    retrying_since: float | None = None
    tokens: Tokens | None = None

    @property
    def name(self) -> str:
        """The name in events, traces and logs: the alias, or the model's configured name."""
        return self.alias or self.model.name

    @property
    def usage(self) -> Mapping[str, Any] | None:
        """The usage that the upstream reported for the successful attempt, if any."""
        for attempt in self.attempts:
            if attempt.outcome == "ok":
                return attempt.usage
        return None
