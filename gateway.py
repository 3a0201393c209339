"""The front door: command line, .env, config -> make_app(config) -> run. Composition only."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from dotenv import dotenv_values, load_dotenv

from config import ConfigError, command_line, load
from config.settings import Settings, Weights
from handlers import routes
from handlers.context import Snapshot
from handlers.errors import StartError
from handlers.gate.admission import ADMISSION
from handlers.lifecycle.reload import RELOADER, Reloader
from handlers.lifecycle.serve import Signals, beside, listening
from handlers.lifecycle.snapshots import SNAPSHOTS, Snapshots
from handlers.telemetry import logs
from handlers.telemetry.otel_setup import set_up_otel
from handlers.terminal import progress
from handlers.terminal.banner import banner
from handlers.traces.folder_store import TraceFolder
from handlers.traces.memory_store import TraceMemory
from handlers.traces.store import TraceStore
from runtime.gc_tuning import tune
from upstream.pool import Pool

if TYPE_CHECKING:
    from upstream.embedded.supervisor import EmbeddedModels

_LOOK_EVERY_S = 0.1
_COLLECTOR_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXIT_OK, EXIT_FAILED, EXIT_BAD_CONFIG, EXIT_INTERRUPTED = 0, 1, 2, 130

Sleep = Callable[[float], Awaitable[None]]


def make_app(
    settings: Settings,
    *,
    models_dir: Path,
    trace_dir: Path | None = None,
    export_spans: bool = False,
    sleep: Sleep = asyncio.sleep,
    unix_time: Callable[[], float] = time.time,
) -> web.Application:
    """Return the whole gateway as an application; what it needs lives from its start-up to its clean-up.

    With `export_spans` an OpenTelemetry collector gets a span of each request (handlers/telemetry/otel_setup.py).
    `sleep` is how retries pause, `unix_time` the time of day since the epoch, both in seconds. StartError at start-up
    where traces cannot be written to `trace_dir`, and where the packages for spans are missing.
    """
    app = web.Application(client_max_size=int(settings.server.max_body_mb * 2**20))
    app[HOUSE] = _House(models_dir, sleep, unix_time)
    if export_spans:
        app.cleanup_ctx.append(set_up_otel)
    app.cleanup_ctx.append(_running(settings, trace_dir))
    routes.add_to(app, unix_time)
    return app


class _House:
    """Makes the snapshot of each configuration, and holds what outlives one: the children, and the traces.

    `elsewhere` is told how installing goes on where no terminal shows it; None: the log tells it.
    """

    def __init__(
        self,
        models_dir: Path,
        sleep: Sleep,
        unix_time: Callable[[], float],
        elsewhere: progress.Progress | None = None,
    ) -> None:
        self._elsewhere = elsewhere
        self._models_dir = models_dir
        self._sleep = sleep
        self._unix_time = unix_time
        self._embedded: EmbeddedModels | None = None
        self._folder: TraceFolder | None = None
        self._memory: TraceMemory | None = None

    async def open(self, trace_dir: Path | None) -> None:
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

    async def snapshot(self, settings: Settings, *others: Snapshot) -> Snapshot:
        """Return the snapshot of new settings; the embedded models of `others` are kept beside its own."""
        traces = self._traces(settings)
        await self.keep(settings, *(other.settings for other in others))
        pool = Pool(
            settings.models,
            embedded=self._embedded,
            max_reply_bytes=int(settings.server.max_reply_mb * 2**20),
            max_upstream_concurrency=settings.server.max_upstream_concurrency,
            sleep=self._sleep,
        )
        return Snapshot(settings, pool, partial(self._reasons, _weights(settings)), self._unix_time, traces)

    async def keep(self, *in_use: Settings) -> None:
        """Have the embedded models of these settings running, and no others."""
        weights = [each for settings in in_use for each in _weights(settings)]
        if weights and self._embedded is None:
            from upstream.embedded.supervisor import EmbeddedModels  # noqa: PLC0415 -- a gateway of hosted models starts without

            shown = progress.bar(sys.stderr) if sys.stderr.isatty() else self._elsewhere
            self._embedded = EmbeddedModels((), models_dir=self._models_dir, environ=os.environ, on_progress=shown)
        if self._embedded is not None:
            await self._embedded.keep(weights)

    async def close(self) -> None:
        await self.keep()
        for store in (self._folder, self._memory):
            if store is not None:
                await asyncio.to_thread(store.close)

    def _traces(self, settings: Settings) -> TraceStore | None:
        """Return where requests under these settings leave their traces, which hold none of their keys."""
        if self._memory is None and self._folder is None and settings.server.ui:
            self._memory = TraceMemory()
        for store in (self._folder, self._memory):
            if store is not None:
                store.hide(_secrets(settings))
        return self._folder or (self._memory if settings.server.ui else None)

    async def loaded(self, weights: Weights) -> str:
        """Return "" once an embedded model is ready, or why it cannot be; waits while it is installed and loads."""
        assert self._embedded is not None  # noqa: S101 -- `snapshot` has it running
        status = await self._embedded.settled(weights)
        return "" if status.phase == "ready" else status.reason.removeprefix(f"{status.name}: ")

    def _reasons(self, weights: Sequence[Weights]) -> list[str]:
        statuses = self._embedded.states(weights) if self._embedded else ()
        return [status.reason for status in statuses if status.phase != "ready"]


HOUSE = web.AppKey("house", _House)


def _running(settings: Settings, trace_dir: Path | None) -> Callable[[web.Application], AsyncGenerator[None]]:
    async def running(app: web.Application) -> AsyncGenerator[None]:
        house = app[HOUSE]

        async def end(snapshot: Snapshot) -> None:
            await snapshot.pool.close()
            await house.keep(*(other.settings for other in snapshots.alive))

        await house.open(trace_dir)
        app[SNAPSHOTS] = snapshots = Snapshots(await house.snapshot(settings), end)
        yield
        try:
            await snapshots.close()
        finally:  # what was traced by then is kept
            await house.close()

    return running


async def reconfigure(app: web.Application, settings: Settings) -> None:
    """Put settings in force for new requests of a running application; those that run keep theirs."""
    snapshots = app[SNAPSHOTS]
    snapshots.replace(await app[HOUSE].snapshot(settings, *snapshots.alive))
    app[ADMISSION].apply_limits(settings.server)


def _weights(settings: Settings) -> list[Weights]:
    return [model.weights for model in settings.models if model.weights is not None]


def _secrets(settings: Settings) -> list[str]:
    keys = [model.api_key.value for model in settings.models if model.api_key]
    headers = [secret.value for model in settings.models for secret in model.headers.values()]
    return [*keys, *headers, *(client.key.value for client in settings.server.api_keys)]


async def serve(settings: Settings, *, read: Callable[[], Settings], models_dir: Path, trace_dir: Path | None) -> int:
    """Serve until SIGINT or SIGTERM; return the process's exit code.

    On SIGHUP, and with `server.watch` on every change of the file, `read` gives the settings anew (in a thread).
    """
    export_spans = any(os.environ.get(name) for name in _COLLECTOR_VARIABLES)
    app = make_app(settings, models_dir=models_dir, trace_dir=trace_dir, export_spans=export_spans)
    signals = Signals()
    reloader = app[RELOADER] = Reloader(settings, read, partial(reconfigure, app))
    try:
        with signals.obeyed():
            async with listening(app, settings.server) as port:
                has_pages = trace_dir is not None or settings.server.ui
                print(banner(settings, port, has_pages=has_pages), flush=True)
                tune()
                async with beside(_announce_readiness(app[SNAPSHOTS]), reloader.on(signals.hangup), reloader.watch()):
                    await signals.stop.wait()
    except StartError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


async def _announce_readiness(snapshots: Snapshots) -> None:
    """Tell when the embedded models can be asked, where there are any to wait for."""
    if not snapshots.current.not_ready():
        return
    print("Getting the embedded models ready; GET /readyz tells how far they are.", flush=True)
    while snapshots.current.not_ready():  # noqa: ASYNC110 -- a printed word is not worth an event in every child
        await asyncio.sleep(_LOOK_EVERY_S)
    print("Ready.", flush=True)


async def check(settings: Settings, *, models_dir: Path, offline: bool) -> int:
    """Tell what is configured and, unless `offline`, ask every model; return the process's exit code."""
    from handlers.terminal import doctor  # noqa: PLC0415 -- a gateway that serves starts without

    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"  # https://no-color.org
    screen = doctor.Screen(sys.stdout, sys.stderr, plain, _secrets(settings))
    if offline:
        doctor.tell(settings, screen)
        return EXIT_OK
    house = _House(models_dir, asyncio.sleep, time.time, progress.lines(sys.stderr))
    snapshot = await house.snapshot(settings)
    try:
        is_well = await doctor.check(settings, snapshot.pool, screen, loaded=house.loaded, proxies=_proxies())
    finally:
        await snapshot.pool.close()
        await house.close()
    return EXIT_OK if is_well else EXIT_FAILED


def _proxies() -> list[str]:
    return [name for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY") if os.environ.get(name)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = command_line.options(arguments, config=_shortest(Path(__file__).parent / "config.yaml"))
    environ = dict(os.environ)
    dotenv = options.config.parent / ".env"
    load_dotenv(dotenv, override=False)  # for the rest of the process, and what it starts

    def read() -> Settings:
        return load(options.config, _with_dotenv(dotenv, environ), host=options.host, port=options.port)

    try:
        settings = read()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    logs.configure(debug=options.debug, quiet=options.check)
    try:
        if options.check:
            return asyncio.run(check(settings, models_dir=_models_dir(), offline=options.offline))
        return asyncio.run(serve(settings, read=read, models_dir=_models_dir(), trace_dir=options.debug_requests))
    except KeyboardInterrupt:  # before or after `serve` obeys it, and in a check
        return EXIT_INTERRUPTED


def _with_dotenv(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment as the process was given it, and what the file has beyond it by now."""
    return {**{name: value for name, value in dotenv_values(path).items() if value is not None}, **environ}


def _shortest(path: Path) -> Path:
    """Return a path as it is said from here, for messages begin with it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _models_dir() -> Path:
    return Path(os.environ.get("MOM_MODELS_DIR") or "~/.cache/mom-gateway/models").expanduser()


if __name__ == "__main__":
    sys.exit(main())
