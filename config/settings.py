"""The settings of the gateway: config.yaml, validated and frozen.

A field whose name is a key of the schema takes its value from there; its default is the key's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any, Literal

Capability = Literal["vision", "tools", "json_object", "json_schema", "logprobs"]
Mode = Literal["auto", "fuse", "select", "first", "direct"]
UpstreamApi = Literal["chat", "messages"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
EvidenceLevel = Literal["off", "shadow", "auto", "full"]
CostLimit = Literal["max_cost", "max_cost_per_day"]
Learning = Literal["off", "shadow", "on"]

DEFAULT_MIXTURE = "mom"
"""The name of the mixture that exists if config.yaml has no `mixtures`."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A key that no message, log line, trace or repr shows.

    `source` is its origin for error messages: the variable `OPENROUTER_API_KEY`, or a line of the file.
    """

    value: str
    source: str

    def __repr__(self) -> str:
        return f"Secret(from {self.source})"

    def __str__(self) -> str:
        return repr(self)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A client's key with its name for the log and its limits; None is no limit.

    `models` are the mixtures, models and aliases that it may name.
    """

    name: str
    key: Secret
    rate_per_minute: int | None = None
    tokens_per_day: int | None = None
    cost_per_day: Decimal | None = None
    models: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """How the gateway listens, and the limits that apply to all requests.

    Without `api_keys` no key is required. `allowed_hosts` are names without a port and `allowed_origins` as browsers
    send them, both in lower case. `max_concurrent_requests` chat requests run at once; `max_queued_requests` more wait
    for at most `max_queue_wait_s`. `watch` reloads the file when it changes. `ui` serves the trace pages and keeps
    traces in memory for them. `currency` is the label of all amounts of money; after `max_cost_per_day` is spent,
    requests are refused until midnight UTC. `unknown_model` decides about a model name that is not configured:
    reject the request, or answer it with the first mixture. `max_body_buffer_mb` is shared by all bodies until their
    requests run. `header_timeout_s` to `keepalive_timeout_s` are the deadlines of clients, `max_messages` to
    `max_json_values` the limits of one request. With `share_runs` identical requests share one run; its answer is given
    again for `replay_s` seconds.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    max_body_mb: float = 32.0
    shutdown_timeout_s: float = 10.0
    usage: Literal["answer", "total"] = "answer"
    streaming: Literal["allow", "reject"] = "allow"
    stream_heartbeat_s: float = 10.0
    json_heartbeat_s: float = 240.0
    messages_hold_s: float = 300.0
    api_keys: tuple[ApiKey, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_concurrent_requests: int = 256
    max_queued_requests: int = 256
    max_queue_wait_s: float = 10.0
    watch: bool = False
    currency: str = "USD"
    max_cost_per_day: Decimal | None = None
    max_reply_mb: float = 16.0
    max_upstream_concurrency: int = 256
    ui: bool = False
    unknown_model: Literal["reject", "default"] = "reject"
    max_body_buffer_mb: float = 256.0
    header_timeout_s: float = 10.0
    body_timeout_s: float = 120.0
    min_body_kb_per_s: float = 8.0
    write_timeout_s: float = 30.0
    keepalive_timeout_s: float = 75.0
    max_messages: int = 10_000
    max_parts: int = 10_000
    max_tools: int = 1_000
    max_tool_calls: int = 10_000
    max_json_values: int = 200_000
    share_runs: bool = True
    replay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Weights:
    """The GGUF file of an embedded model and how to run it. Models with equal weights share one child process.

    Exactly one of `name` (an entry of upstream/embedded/catalogue.toml) and `path` is set. `context_tokens` applies to
    each slot. `threads` None means a number that depends on the machine's cores.
    """

    name: str | None = None
    path: Path | None = None
    context_tokens: int = 8192
    slots: int = 2
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a million tokens in the server's currency; for tokens of the prompt cache None means as `input`.

    `cached_input` is for tokens that the upstream read from its cache, `cache_write` for those that it put there.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One entry under `models:`: an upstream, a model id there, its parameters.

    `base_url` has no trailing slash; it is "" for an embedded model, whose child process chooses its port.
    `api` is the protocol that the upstream speaks. `params` override the client's parameters; `drop` names parameters
    that are never sent, and `rename` maps parameters to the names that this upstream uses. `effort` has the parameters
    that are sent in place of a `reasoning_effort`, by its value.
    `timeout_s` bounds a whole attempt; within it `connect_timeout_s` bounds DNS, TCP and TLS, `first_byte_timeout_s`
    the time until the reply begins, and `idle_timeout_s` each pause after that; None is no bound. `retries` counts the
    attempts after the first. `hedge_after_s` starts a second attempt beside one that is still running; None is never.
    `context_tokens` is the context window, or None if unknown (never for embedded models). `price` is None if unknown
    (embedded models cost nothing).
    """

    name: str
    base_url: str
    provider: str | None
    api_key: Secret | None
    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    api: UpstreamApi = "chat"
    drop: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)
    effort: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
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
    """The critic of a mixture: `model`, then `fallbacks` in order. `prompt` None means the built-in prompt."""

    model: str
    fallbacks: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class BypassRule:
    """A kind of request that needs no panel: a request matches if it meets every condition that is set.

    `system` is a regular expression for the beginning of the instructions. `telltale` is a lower-case text that every
    match of `system` contains; searching for it first is cheaper. `last_message` is a regular expression for the
    beginning of a text in the last message; `json_fields` are all properties of the JSON schema that is asked for.
    """

    name: str
    system: str | None = None
    max_prompt_chars: int | None = None
    max_tokens_below: int | None = None
    last_message: str | None = None
    telltale: str = ""
    json_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bypass:
    """The rules for requests that need no panel, and the model that answers them (None: the critic's model)."""

    model: str | None = None
    built_in: bool = True
    rules: tuple[BypassRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposer:
    """A member of a panel: a model, with params that override the model's. Samples of one model are numbered from 1."""

    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    sample: int | None = None

    @property
    def name(self) -> str:
        """The name in events, traces and logs: `qwen`, or `qwen#2` for a sample; no model name contains a #."""
        return self.model if self.sample is None else f"{self.model}#{self.sample}"


@dataclass(frozen=True, slots=True)
class Verify:
    """The model that reviews a written answer for defects, with parameters for its calls."""

    model: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checker:
    """A command that tests a candidate's edits in a throw-away copy of the work tree `workdir`.

    Its environment is `env`, and a PATH of the system's programs if that has none. At most `limit` of them run at the
    same time, each for `timeout_s`. With `isolate` it runs in namespaces: without network, and without anything to
    write to but the copy.
    """

    workdir: Path
    command: tuple[str, ...]
    timeout_s: float = 60.0
    env: Mapping[str, Secret] = field(default_factory=dict)
    isolate: bool = True
    limit: int = 2


@dataclass(frozen=True, slots=True)
class Mixture:
    """A panel, a critic and a mode that clients ask for by name.

    - `name`: what clients ask for.
    - `panel`: the proposers, in the operator's ranking, best first.
    - `critic`: who picks or writes the answer; None: the order of the panel decides what evidence leaves open.
    - `mode`: how candidates become the answer.
    - `layers`: how often the panel is asked, each time with the candidates of the layer before.
    - `stages`: sizes of the groups of proposers that are asked one after the other until a stage settles the request;
      (): all at once.
    - `evidence`: where candidates may be run, and whether that decides.
    - `learn`: whether feedback on earlier answers changes the order of the panel; `shadow`: it is only recorded.
    - `checker`: a command that tests candidates of edits.
    - `repair`: how many more tries the best-ranked author has if all candidates fail the same example.
    - `verify`: the model that reviews an answer that a critic has written.
    - `orders`: in how many orders of the candidates a critic that picks is asked.
    - `verdict_max_tokens`: token limit of each pick.
    - `bypass`: which requests need no panel.
    - `deadline_s`: of the request.
    - `critic_reserve_s`: how long before that the panel's deadline is, but not before half of `deadline_s`.
    - `quorum`: after how many valid candidates the others have a grace period; None: all are awaited.
    - `grace_s`: that period.
    - `grace_ratio`: if set, the period is this multiple of the time until the quorum.
    - `retry_grace_s`: how long proposers that are being retried may delay the rest if there is a candidate.
    - `max_cost`: a request whose estimated cost exceeds it is refused; None: no limit.
    - `max_cost_per_day`: what all its requests of a day may cost together; None: no limit.
    - `show_reasoning`: pass on the author's reasoning.
    - `show_work`: report the panel's progress as reasoning.
    - `tools_fan_out`: on which turns of an agent's work with tools the panel is asked.
    - `tools_every_n`: the n of `every_n`.
    - `tools_advice`: what it reads there: a summary of the work in `prose`, or the `transcript` with tools in words.
    - `advice_max_tokens`: token limit of each member's advice.
    """

    name: str
    panel: tuple[Proposer, ...]
    critic: Critic | None
    mode: Mode = "auto"
    layers: int = 1
    stages: tuple[int, ...] = ()
    evidence: EvidenceLevel = "auto"
    learn: Learning = "shadow"
    checker: Checker | None = None
    repair: int = 0
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
    max_cost_per_day: Decimal | None = None
    show_reasoning: bool = False
    show_work: bool = False
    tools_fan_out: Literal["new_turns", "every_turn", "every_n", "stuck"] = "new_turns"
    tools_every_n: int | None = None
    tools_advice: Literal["prose", "transcript"] = "prose"
    advice_max_tokens: int = 600

    @property
    def panel_models(self) -> tuple[str, ...]:
        """The names of the panel's models, each once."""
        return tuple(dict.fromkeys(proposer.model for proposer in self.panel))

    @property
    def panel_summary(self) -> str:
        """The panel for people: each model, with the number of its samples if there are several: `qwen x4, sonnet`."""
        counts: dict[str, int] = {}
        for proposer in self.panel:
            counts[proposer.model] = counts.get(proposer.model, 0) + 1
        return ", ".join(f"{name} x{n}" if n > 1 else name for name, n in counts.items())

    @property
    def critics(self) -> tuple[str, ...]:
        """The names of the critic and its fallbacks, in the order in which they are asked; () without a critic."""
        return () if self.critic is None else (self.critic.model, *self.critic.fallbacks)

    @property
    def authors(self) -> tuple[str, ...]:
        """The names of the models that may answer alone, in order: the critics, or without a critic the panel's."""
        return self.critics or self.panel_models

    @property
    def author_params(self) -> Mapping[str, Any]:
        """The params that override those of an author's model."""
        return {} if self.critic is None else self.critic.params

    @property
    def used_models(self) -> frozenset[str]:
        """The names of all models that this mixture may call."""
        others = [self.bypass.model, self.verify.model if self.verify else None]
        return frozenset([*self.panel_models, *self.critics, *filter(None, others)])


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a mixture or a model. A `*` in `pattern` stands for any characters, also none."""

    pattern: str
    target: str

    @property
    def is_exact(self) -> bool:
        """Whether the pattern is a plain name."""
        return "*" not in self.pattern

    def matches(self, name: str) -> bool:
        """Whether the alias applies to a name. Upper and lower case differ."""
        return self.pattern == name if self.is_exact else fnmatchcase(name, self.pattern)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where spend, usage and feedback are kept: a Redis or Valkey server if `url` is set, else a SQLite file.

    While the store fails, `on_failure` decides about requests with a budget or a rate: `allow` counts them in the
    memory of each process, `refuse` refuses them.
    """

    url: Secret | None = None
    on_failure: Literal["allow", "refuse"] = "allow"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration. Every name in a panel or critic is one of `models`; alias targets exist."""

    path: Path
    server: Server
    models: tuple[Model, ...]
    mixtures: tuple[Mixture, ...]
    aliases: tuple[Alias, ...] = ()
    store: StoreSettings = StoreSettings()

    def resolve(self, name: str) -> str | None:
        """Return the mixture or model that a client's model name stands for, or None if it is unknown.

        In this order: a mixture or model of this name, an exact alias, the first matching pattern of the file, and
        with `server.unknown_model: default` the first mixture.
        """
        if name in {*(each.name for each in self.mixtures), *(each.name for each in self.models)}:
            return name
        alias = self.find_alias(name)
        if alias is not None:
            return alias.target
        return self.mixtures[0].name if self.server.unknown_model == "default" else None

    def find_alias(self, name: str) -> Alias | None:
        """Return the alias that applies to a name: an exact one, else the first matching pattern of the file."""
        for alias in sorted(self.aliases, key=lambda each: not each.is_exact):
            if alias.matches(name):
                return alias
        return None

    @property
    def used_models(self) -> frozenset[str]:
        """The names of all models that a mixture may call; the others answer only if they are asked by name."""
        return frozenset().union(*(mixture.used_models for mixture in self.mixtures))

    @property
    def has_daily_limits(self) -> bool:
        """Whether any request may be refused because of a budget of the day or a rate."""
        keys = [(key.rate_per_minute, key.tokens_per_day, key.cost_per_day) for key in self.server.api_keys]
        caps = [mixture.max_cost_per_day for mixture in self.mixtures]
        return any(limit is not None for limit in (self.server.max_cost_per_day, *caps, *chain.from_iterable(keys)))

    def find_cost_cap(self, model: str, limit: CostLimit) -> Mixture | None:
        """Return the mixture whose `limit` binds a model that is asked by its own name.

        It is the highest limit of the mixtures that use the model, or None if no mixture uses it or one has no limit.
        Otherwise a client could avoid a limit by asking the members of the mixture.
        """
        using = [mixture for mixture in self.mixtures if model in mixture.used_models]
        limits = {mixture.name: getattr(mixture, limit) for mixture in using}
        if None in limits.values():
            return None
        return max(using, key=lambda mixture: Decimal(limits[mixture.name]), default=None)

    def model(self, name: str) -> Model:
        """Return the configured model of this name. Raises KeyError if there is none."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    def mixture(self, name: str) -> Mixture:
        """Return the mixture of this name. Raises KeyError if there is none."""
        for mixture in self.mixtures:
            if mixture.name == name:
                return mixture
        raise KeyError(name)
