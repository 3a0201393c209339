"""What config.yaml says, validated and frozen: the only configuration the rest of the house sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

Capability = Literal["vision", "tools", "json_object", "json_schema", "logprobs"]
Mode = Literal["auto", "fuse", "select", "first", "direct"]


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A key that no message, log line, trace or repr shows.

    `source` says where it came from (`OPENROUTER_API_KEY`, or the place in the file), so that errors can
    name it.
    """

    value: str
    source: str

    def __repr__(self) -> str:
        return f"Secret(from {self.source})"

    def __str__(self) -> str:
        return repr(self)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that a client may show, under the name that the log has for it; None is no limit."""

    name: str
    key: Secret
    rate_per_minute: int | None = None
    tokens_per_day: int | None = None
    cost_per_day: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """How the gateway listens and replies, and to whom.

    Without `api_keys` nobody is asked for one. `allowed_hosts` are names without a port, `allowed_origins` as browsers
    send them, both in lower case. Beyond `max_concurrent_requests` chat requests, `max_queued_requests` wait for at
    most `max_queue_wait_s`. `watch` reads the file again whenever it changes.
    With `ui` the trace pages are shown, and traces kept in memory for them.
    `currency` is a label of all money; once `max_cost_per_day` of it is spent, no request begins until midnight UTC.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    max_body_mb: float = 32.0
    shutdown_timeout_s: float = 10.0
    usage: Literal["answer", "total"] = "answer"
    streaming: Literal["allow", "reject"] = "allow"
    stream_heartbeat_s: float = 10.0
    json_heartbeat_s: float = 240.0
    api_keys: tuple[ApiKey, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_concurrent_requests: int = 256
    max_queued_requests: int = 256
    max_queue_wait_s: float = 10.0
    watch: bool = False
    currency: str = "USD"
    max_cost_per_day: Decimal | None = None
    max_reply_mb: float = 32.0
    max_upstream_concurrency: int = 256
    ui: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """Which GGUF an embedded model runs, and how. Models with equal weights share one child process.

    Exactly one of `name` (a key of the catalogue in upstream/embedded/install.py) and `path` is set.
    `context_tokens` is what every slot gets; `threads` None means: chosen by the machine's cores.
    """

    name: str | None = None
    path: Path | None = None
    context_tokens: int = 8192
    slots: int = 2
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, in the server's currency; `cached_input` None is as much as `input`."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One entry under `models:`: an upstream, a model id there, its parameters.

    `base_url` has no trailing slash, and is "" for an embedded model, whose child process chooses its port.
    `timeout_s` bounds one attempt as a whole; within it `connect_timeout_s` bounds DNS, TCP and TLS,
    `first_byte_timeout_s` the time from its start to the first byte of a reply, `idle_timeout_s` every silence after
    that; None is no bound. `retries` counts further attempts after the first; `hedge_after_s` is when a second one
    starts beside an attempt that is still running, None for never.
    `context_tokens` is the context window where config.yaml gives it (for embedded models: always).
    `price` is None where config.yaml gives none (for embedded models: nothing is to be paid).
    """

    name: str
    base_url: str
    provider: str | None
    api_key: Secret | None
    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    timeout_s: float = 120.0
    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float | None = None
    idle_timeout_s: float | None = None
    retries: int = 2
    hedge_after_s: float | None = None
    max_concurrency: int = 32
    capabilities: frozenset[Capability] = frozenset()
    context_tokens: int | None = None
    weights: Weights | None = None
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Critic:
    """Who makes the answer: `model`, then `fallbacks` in order. `prompt` None means the built-in one."""

    model: str
    fallbacks: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class BypassRule:
    """Which requests need no panel: those that meet everything that is given here.

    `system` is a regular expression for the beginning of the instructions; what it matches holds the `telltale`, in
    lower case, which is cheaper to look for.
    """

    name: str
    system: str | None = None
    max_prompt_chars: int | None = None
    max_tokens_below: int | None = None
    telltale: str = ""


@dataclass(frozen=True, slots=True)
class Bypass:
    """Who answers requests that need no panel (None: the critic's model), and which they are."""

    model: str | None = None
    built_in: bool = True
    rules: tuple[BypassRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposer:
    """A place on a panel: a model, and params laid over the model's. One of several for the same model has a number."""

    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    sample: int | None = None

    @property
    def name(self) -> str:
        """What events, traces and logs call it: `qwen`, or `qwen#2`; no model's name has a # in it."""
        return self.model if self.sample is None else f"{self.model}#{self.sample}"


@dataclass(frozen=True, slots=True)
class Verify:
    """The model that looks for defects in an answer that was written, and parameters for its calls."""

    model: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a client asks for by name. `panel` is the operator's ranking, best first, asked in `layers` rounds at most.

    `critic_reserve_s` of `deadline_s` is kept for the critic: the panel's own deadline is that much earlier,
    but never earlier than half of `deadline_s`.
    Once `quorum` valid candidates are in (None: all of the panel), the others have `grace_s` more, or, where it is
    set, `grace_ratio` times what the quorum took. Once only proposers that are being tried again are left, they have
    `retry_grace_s`, if there is a candidate by then.
    A critic that chooses is asked in `orders` orders of the candidates, each time for `verdict_max_tokens` at most.
    A request that may cost more than `max_cost`, by an estimate beforehand, is not begun.
    """

    name: str
    panel: tuple[Proposer, ...]
    critic: Critic
    mode: Mode = "auto"
    layers: int = 1
    verify: Verify | None = None
    orders: int = 2
    verdict_max_tokens: int = 400
    bypass: Bypass = field(default_factory=Bypass)
    deadline_s: float = 300.0
    critic_reserve_s: float = 60.0
    quorum: int | None = None
    grace_s: float = 5.0
    grace_ratio: float | None = None
    retry_grace_s: float = 2.0
    max_cost: Decimal | None = None
    show_reasoning: bool = False
    show_work: bool = False
    tools_fan_out: Literal["new_turns", "every_turn"] = "new_turns"

    @property
    def panel_models(self) -> tuple[str, ...]:
        """The names of the panel's models, each once."""
        return tuple(dict.fromkeys(proposer.model for proposer in self.panel))


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration; every name in a panel or critic is one of `models`."""

    path: Path
    server: Server
    models: tuple[Model, ...]
    mixtures: tuple[Mixture, ...]

    def model(self, name: str) -> Model:
        """Return the configured model of this name; KeyError where there is none."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    def mixture(self, name: str) -> Mixture:
        """Return the mixture of this name; KeyError where there is none."""
        for mixture in self.mixtures:
            if mixture.name == name:
                return mixture
        raise KeyError(name)
