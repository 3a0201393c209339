"""What the handlers share: the running gateway under one configuration, which a request keeps to its end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from config.settings import Mixture, Model, Settings
from handlers.trace_store import TraceStore
from upstream.pool import Pool


class Readiness(Protocol):
    """Tells what keeps the gateway from serving."""

    def __call__(self) -> Sequence[str]:
        """Return one sentence for each reason, none when ready."""
        ...


@dataclass(slots=True)
class State:
    """The running gateway, its models and mixtures by name. `unix_time` gives seconds since the epoch."""

    settings: Settings
    pool: Pool
    not_ready: Readiness
    unix_time: Callable[[], float]
    traces: TraceStore | None = None
    models: Mapping[str, Model] = field(init=False)
    mixtures: Mapping[str, Mixture] = field(init=False)

    def __post_init__(self) -> None:
        """Find names once, rather than for each request."""
        self.models = {model.name: model for model in self.settings.models}
        self.mixtures = {mixture.name: mixture for mixture in self.settings.mixtures}
