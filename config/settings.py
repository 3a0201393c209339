"""What config.yaml says, validated and frozen: the only configuration the rest of the house sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Capability = Literal["vision", "tools", "json_object", "json_schema", "logprobs"]
Mode = Literal["fuse"]


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
class Server:
    """How the gateway listens and replies."""

    host: str = "127.0.0.1"
    port: int = 8000
    max_body_mb: float = 32.0
    shutdown_timeout_s: float = 10.0
    usage: Literal["answer", "total"] = "answer"
    streaming: Literal["allow", "reject"] = "allow"
    stream_heartbeat_s: float = 10.0
    json_heartbeat_s: float = 240.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Which GGUF an embedded model runs, and how. Models with equal weights share one child process.

    Exactly one of `name` (a key of the catalogue in upstream/weights.py) and `path` is set.
    `context_tokens` is what every slot gets; `threads` None means: chosen by the machine's cores.
    """

    name: str | None = None
    path: Path | None = None
    context_tokens: int = 8192
    slots: int = 2
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One entry under `models:`: an upstream, a model id there, its parameters.

    `base_url` has no trailing slash, and is "" for an embedded model, whose child process chooses its port.
    `timeout_s` bounds one attempt; `retries` counts further attempts after the first.
    `context_tokens` is the context window where config.yaml gives it (for embedded models: always).
    """

    name: str
    base_url: str
    provider: str | None
    api_key: Secret | None
    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    timeout_s: float = 120.0
    retries: int = 2
    max_concurrency: int = 32
    capabilities: frozenset[Capability] = frozenset()
    context_tokens: int | None = None
    weights: Weights | None = None


@dataclass(frozen=True, slots=True)
class Critic:
    """Who makes the answer: `model`, then `fallbacks` in order. `prompt` None means the built-in one."""

    model: str
    fallbacks: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a client asks for by name. `panel` is the operator's ranking, best first.

    `critic_reserve_s` of `deadline_s` is kept for the critic: the panel's own deadline is that much earlier,
    but never earlier than half of `deadline_s`.
    """

    name: str
    panel: tuple[str, ...]
    critic: Critic
    mode: Mode = "fuse"
    deadline_s: float = 300.0
    critic_reserve_s: float = 60.0
    show_reasoning: bool = False
    show_work: bool = False
    tools_fan_out: Literal["new_turns", "every_turn"] = "new_turns"


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
