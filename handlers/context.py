"""The context of a request: the configuration it started with, its id, its record, its trace."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from config.settings import ApiKey, CostLimit, Mixture, Model, Settings
from handlers.api.runs.shared_runs import SharedRuns
from handlers.feedback_loop import FeedbackLoop
from handlers.request_record import RequestRecord
from handlers.traces.collector import TraceCollector
from handlers.traces.store import TraceStore
from runtime.workers import WorkerPool
from store.guarded_store import GuardedStore
from synth.evidence.inquiry import EvidenceFinder
from upstream.pool import Pool


class Readiness(Protocol):
    """Lists the reasons why the gateway is not ready."""

    def __call__(self) -> Sequence[str]:
        """Return one sentence for each reason; empty if it is ready."""
        ...


@dataclass(slots=True)
class Snapshot:
    """A configuration in force: settings, connection pool, models and mixtures by name.

    `cost_caps` are the mixtures whose `max_cost` binds a model that is asked by its own name, by model, and `day_caps`
    those whose `max_cost_per_day` does.
    `unix_time` gives seconds since the epoch. `evidence` runs candidates, or None if no mixture asks for it.
    `workers` check answers that are too large for a turn of the event loop, None: they are checked in it. `store` keeps
    spend, usage and feedback, and `feedback` learns from it; None in tools that serve no requests.
    `runs` are those that identical requests share.
    """

    settings: Settings
    pool: Pool
    not_ready: Readiness
    unix_time: Callable[[], float]
    traces: TraceStore | None = None
    evidence: EvidenceFinder | None = None
    workers: WorkerPool | None = None
    store: GuardedStore | None = None
    feedback: FeedbackLoop | None = None
    runs: SharedRuns = field(default_factory=SharedRuns)
    models: Mapping[str, Model] = field(init=False)
    mixtures: Mapping[str, Mixture] = field(init=False)
    cost_caps: Mapping[str, Mixture] = field(init=False)
    day_caps: Mapping[str, Mixture] = field(init=False)

    def __post_init__(self) -> None:
        """Find names and caps once, rather than for each request."""
        self.models = {model.name: model for model in self.settings.models}
        self.mixtures = {mixture.name: mixture for mixture in self.settings.mixtures}
        self.cost_caps = self._find_caps("max_cost")
        self.day_caps = self._find_caps("max_cost_per_day")

    def _find_caps(self, limit: CostLimit) -> Mapping[str, Mixture]:
        caps = {name: self.settings.find_cost_cap(name, limit) for name in self.models}
        return {name: cap for name, cap in caps.items() if cap is not None}


@dataclass(slots=True)
class RequestContext:
    """The context of one request, kept under CONTEXT.

    `snapshot` is the configuration that was in force when the request arrived; a reload applies to later ones. `key` is
    the client's, or None if no keys are configured. `body` is the decoded body of a chat request. `trace` is None if no
    traces are kept.
    """

    snapshot: Snapshot
    request_id: str
    record: RequestRecord
    key: ApiKey | None = None
    body: bytes = b""
    trace: TraceCollector | None = None


CONTEXT = web.RequestKey("context", RequestContext)
