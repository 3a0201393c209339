"""Resources that outlive a configuration: embedded models, sandboxes, workers, traces, store. Builds a `Snapshot`."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from config.settings import Settings, StoreSettings, Weights
from handlers.context import Snapshot
from handlers.errors import StartError
from handlers.feedback_loop import FeedbackLoop
from handlers.gate.admission import ADMISSION
from handlers.gate.spending import SPENDING, Spending
from handlers.lifecycle.sandboxes import Sandboxes
from handlers.lifecycle.snapshots import SNAPSHOTS, Snapshots
from handlers.terminal import progress
from handlers.traces.folder_store import TraceFolder
from handlers.traces.memory_store import TraceMemory
from handlers.traces.store import TraceStore
from runtime.background import Background
from runtime.workers import WorkerPool
from store.calendar import Calendar
from store.choice import make_store
from store.guarded_store import GuardedStore
from store.recorder import Recorder
from store.store import StoreError
from synth.contract import contract
from synth.evidence import computing
from upstream import redact
from upstream.http.exchange import Exchange
from upstream.http.exchange_choice import choose_exchange
from upstream.openai.quirks import QuirkMemory
from upstream.pool import Pool

if TYPE_CHECKING:
    from upstream.embedded.supervisor import EmbeddedModels

EXCHANGE_VARIABLE = "MOM_HTTP_EXCHANGE"

Sleep = Callable[[float], Awaitable[None]]

_BACKGROUND_TIMEOUT_S = 5.0


class Resources:
    """Owns embedded models, sandboxes, workers, traces and the store, and builds a `Snapshot` for each configuration.

    `environ` is the environment of the process, of which embedded models get a part; MOM_HTTP_EXCHANGE in it names the
    HTTP client for hosted models. `state_dir` is the folder of the SQLite store; None: it is in memory. `on_progress`
    reports the progress of installing weights if stderr is not a terminal; None: it is logged. Call `open` and
    `open_store` first and `close` at the end.
    """

    def __init__(
        self,
        models_dir: Path,
        *,
        sleep: Sleep,
        unix_time: Callable[[], float],
        environ: Mapping[str, str],
        state_dir: Path | None = None,
        on_progress: progress.Progress | None = None,
    ) -> None:
        self._on_progress = on_progress
        self._models_dir = models_dir
        self._sleep = sleep
        self._quirks = QuirkMemory()  # kept over reloads: the models still refuse it
        self._workers = WorkerPool(preload=contract.WORKER_MODULES + computing.WORKER_MODULES)  # started on demand
        self._unix_time = unix_time
        self._environ = environ
        self.changing = asyncio.Lock()
        """Held while the configurations in use change, so that starting and ending embedded models agree on them."""
        self._sandboxes = Sandboxes(self._workers)
        self._embedded: EmbeddedModels | None = None
        self._folder: TraceFolder | None = None
        self._memory: TraceMemory | None = None
        self._state_dir = state_dir
        self._calendar = Calendar(unix_time)
        self.background = Background()
        self._store: GuardedStore | None = None
        self._recorder: Recorder | None = None
        self._feedback: FeedbackLoop | None = None

    async def open_store(self, settings: StoreSettings) -> Spending:
        """Open the store, or keep retrying, and return its spending. Raises StartError if its package is missing."""
        try:
            store = make_store(settings, self._state_dir)
        except StoreError as error:
            raise StartError(str(error)) from error
        refuses = settings.on_failure == "refuse"
        self._store = GuardedStore(store, self._calendar, self.background, refuses=refuses, sleep=self._sleep)
        await self._store.open()
        self._recorder = Recorder(self._store, self._calendar, self.background)
        self._feedback = FeedbackLoop(self._store, self.background, unix_time=self._unix_time)
        return Spending(self._store, self._recorder, self._calendar)

    async def open(self, trace_dir: Path | None) -> None:
        """Open the folder for traces, if any. Raises StartError if it cannot be written to."""
        if trace_dir is None:
            return
        store = TraceFolder(trace_dir)
        try:
            await asyncio.to_thread(store.open)
        except OSError as error:
            raise StartError(
                f"cannot write traces to {trace_dir}: {error.strerror}; name another folder with --debug-requests DIR"
            ) from error
        self._folder = store

    async def build_snapshot(self, settings: Settings, *others: Snapshot) -> Snapshot:
        """Return the snapshot of new settings. Embedded models of `others`, which are still in use, keep running.

        Raises StartError if the environment names an unknown HTTP client.
        """
        traces = self._choose_trace_store(settings)
        await self.keep_embedded(settings, *(other.settings for other in others))
        evidence = await self._sandboxes.build_finder(settings)
        pool = Pool(  # nothing is awaited from here on: a build that is cancelled leaves no pool that nobody closes
            settings.models,
            embedded=self._embedded,
            max_reply_bytes=int(settings.server.max_reply_mb * 2**20),
            max_upstream_concurrency=settings.server.max_upstream_concurrency,
            quirks=self._quirks,
            exchange=_choose_exchange(self._environ),
            sleep=self._sleep,
        )
        if self._store is not None:
            self._store.refuses = settings.store.on_failure == "refuse"
        not_ready = partial(self._list_not_ready, settings)
        return Snapshot(
            settings,
            pool,
            not_ready,
            self._unix_time,
            traces,
            evidence,
            self._workers,
            self._store,
            self._feedback,
        )

    async def keep_embedded(self, *in_use: Settings) -> None:
        """Start the embedded models that mixtures of these settings use, and end those that are not configured.

        A model that no mixture uses is loaded by the first request for it: it may be an unused entry of hundreds of
        megabytes, left in the file after hosted models have replaced it.
        """
        weights = [each for settings in in_use for each in used_weights(settings)]
        configured = [each for settings in in_use for each in configured_weights(settings)]
        if configured and self._embedded is None:
            from upstream.embedded.supervisor import EmbeddedModels  # noqa: PLC0415 -- hosted models need none of it

            on_progress = progress.bar(sys.stderr) if sys.stderr.isatty() else self._on_progress
            self._embedded = EmbeddedModels(
                (), models_dir=self._models_dir, environ=self._environ, on_progress=on_progress
            )
        if self._embedded is not None:
            await self._embedded.keep(weights, on_demand=configured)

    async def wait_until_loaded(self, weights: Weights) -> str:
        """Return "" when an embedded model is ready, or the reason why it cannot be loaded."""
        assert self._embedded is not None  # noqa: S101 -- `build_snapshot` has started it
        status = await self._embedded.wait_until_settled(weights)
        return "" if status.phase == "ready" else status.reason.removeprefix(f"{status.name}: ")

    async def close(self) -> None:
        """End workers, embedded models and sandboxes, then traces and the store, after writing their pending data."""
        await self._workers.close()
        await self.keep_embedded()
        await self._sandboxes.close()
        for store in (self._folder, self._memory):
            if store is not None:
                await asyncio.to_thread(store.close)
        await self._close_store()

    async def _close_store(self) -> None:
        if self._feedback is not None:
            await self._feedback.close()
        await self.background.finish(_BACKGROUND_TIMEOUT_S)
        if self._store is not None and self._recorder is not None:
            await self._recorder.close()
            await self._store.close()

    def _choose_trace_store(self, settings: Settings) -> TraceStore | None:
        """Return the store for traces under these settings; its traces will show none of their keys."""
        if self._memory is None and self._folder is None and settings.server.ui:
            self._memory = TraceMemory()
        for store in (self._folder, self._memory):
            if store is not None:
                store.hide(secrets_of(settings))
        return self._folder or (self._memory if settings.server.ui else None)

    def _list_not_ready(self, settings: Settings) -> list[str]:
        statuses = self._embedded.list_statuses(used_weights(settings)) if self._embedded else ()
        reasons = [status.reason for status in statuses if status.phase != "ready"]
        if self._store is not None and self._store.problem and self._store.refuses and settings.has_daily_limits:
            reasons.append("the store fails, and store.on_failure is refuse: requests with a budget or a rate fail")
        return reasons


RESOURCES = web.AppKey("resources", Resources)


def run_with_snapshots(settings: Settings, trace_dir: Path | None) -> Callable[[web.Application], AsyncGenerator[None]]:
    """Return a clean-up context that opens app[RESOURCES] and keeps app[SNAPSHOTS] from start-up to clean-up."""

    async def run(app: web.Application) -> AsyncGenerator[None]:
        resources = app[RESOURCES]

        async def end(snapshot: Snapshot) -> None:
            await snapshot.pool.close()
            async with resources.changing:
                await resources.keep_embedded(*(other.settings for other in snapshots.alive))

        await resources.open(trace_dir)
        app[SPENDING] = await resources.open_store(settings.store)
        app[SNAPSHOTS] = snapshots = Snapshots(await resources.build_snapshot(settings), end)
        yield
        try:
            await snapshots.close()
        finally:
            await resources.close()

    return run


async def apply_settings(app: web.Application, settings: Settings) -> None:
    """Use new settings for new requests of a running application; running requests keep their snapshot."""
    # While a snapshot is built it is not among those alive, so one that ends meanwhile would end its embedded models.
    snapshots, resources = app[SNAPSHOTS], app[RESOURCES]
    async with resources.changing:
        snapshots.replace(await resources.build_snapshot(settings, *snapshots.alive))
    app[ADMISSION].apply_limits(settings.server)


def configured_weights(settings: Settings) -> list[Weights]:
    """Return the weights of all embedded models."""
    return [model.weights for model in settings.models if model.weights is not None]


def used_weights(settings: Settings) -> list[Weights]:
    """Return the weights of the embedded models that a mixture may call."""
    used = settings.used_models
    return [model.weights for model in settings.models if model.weights is not None and model.name in used]


def secrets_of(settings: Settings) -> list[str]:
    """Return every key and secret header value of a configuration, for redaction."""
    keys = [client.key.value for client in settings.server.api_keys]
    if settings.store.url is not None:
        keys.append(settings.store.url.value)
    return [*keys, *chain.from_iterable(map(redact.secrets_of, settings.models))]


def _choose_exchange(environ: Mapping[str, str]) -> type[Exchange]:
    try:
        return choose_exchange(environ.get(EXCHANGE_VARIABLE))
    except ValueError as error:
        raise StartError(f"{EXCHANGE_VARIABLE}: {error}") from None
