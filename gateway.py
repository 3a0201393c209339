"""The gateway's entry point: command line, .env, config.yaml -> make_app(settings) -> run. Composition only."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from aiohttp import web

from config import ConfigError, command_line, load, read_dotenv
from config.settings import Settings
from handlers import routes
from handlers.errors import StartError
from handlers.lifecycle.reload import RELOADER, Reloader
from handlers.lifecycle.resources import RESOURCES, Resources, Sleep, apply_settings, run_with_snapshots, secrets_of
from handlers.lifecycle.serve import Signals, listening, run_beside
from handlers.lifecycle.snapshots import SNAPSHOTS
from handlers.telemetry import logs
from handlers.telemetry.otel_setup import set_up_otel
from handlers.terminal import progress
from handlers.terminal.banner import announce_readiness, format_banner
from runtime.gc_tuning import tune

_COLLECTOR_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
EXIT_OK, EXIT_FAILED, EXIT_BAD_CONFIG, EXIT_INTERRUPTED = 0, 1, 2, 130


def make_app(
    settings: Settings,
    *,
    models_dir: Path,
    trace_dir: Path | None = None,
    export_spans: bool = False,
    sleep: Sleep = asyncio.sleep,
    unix_time: Callable[[], float] = time.time,
) -> web.Application:
    """Return the whole gateway as an application; its resources live from start-up to clean-up.

    With `export_spans` each request is exported as OpenTelemetry spans (handlers/telemetry/otel_setup.py). `sleep` is
    the pause between retries, `unix_time` the time of day since the epoch, both in seconds. Start-up raises StartError
    if traces cannot be written to `trace_dir` or the packages for spans are missing.
    """
    app = web.Application(client_max_size=int(settings.server.max_body_mb * 2**20))
    app[RESOURCES] = Resources(models_dir, sleep=sleep, unix_time=unix_time, environ=os.environ)
    if export_spans:
        app.cleanup_ctx.append(set_up_otel)
    app.cleanup_ctx.append(run_with_snapshots(settings, trace_dir))
    routes.add_to(app, unix_time)
    return app


async def serve(settings: Settings, *, read: Callable[[], Settings], models_dir: Path, trace_dir: Path | None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code. StartError if that is impossible.

    SIGHUP, and with `server.watch` every change of the file, reloads the settings with `read`, which runs in a thread.
    """
    export_spans = any(os.environ.get(name) for name in _COLLECTOR_VARIABLES)
    app = make_app(settings, models_dir=models_dir, trace_dir=trace_dir, export_spans=export_spans)
    signals = Signals()
    reloader = app[RELOADER] = Reloader(settings, read, partial(apply_settings, app))
    with signals.handled():
        async with listening(app, settings.server) as port:
            has_pages = trace_dir is not None or settings.server.ui
            print(format_banner(settings, port, has_pages=has_pages), flush=True)
            tune()
            readiness = announce_readiness(sys.stdout, partial(_list_not_ready, app))
            async with run_beside(readiness, reloader.reload_on(signals.hangup), reloader.watch()):
                await signals.stop.wait()
    return EXIT_OK


async def run_doctor(settings: Settings, *, models_dir: Path, offline: bool) -> int:
    """Print the configuration and, unless `offline`, ask every model; return the exit code."""
    from handlers.terminal import doctor  # noqa: PLC0415 -- a serving gateway does not need it

    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"  # https://no-color.org
    screen = doctor.Screen(sys.stdout, sys.stderr, is_plain, secrets_of(settings))
    if offline:
        doctor.print_configuration(settings, screen)
        return EXIT_OK
    resources = Resources(
        models_dir,
        sleep=asyncio.sleep,
        unix_time=time.time,
        environ=os.environ,
        on_progress=progress.lines(sys.stderr),
    )
    snapshot = await resources.build_snapshot(settings)
    proxies = [name for name in _PROXY_VARIABLES if os.environ.get(name)]
    try:
        is_healthy = await doctor.examine(
            settings, snapshot.pool, screen, wait_until_loaded=resources.wait_until_loaded, proxies=proxies
        )
    finally:
        await snapshot.pool.close()
        await resources.close()
    return EXIT_OK if is_healthy else EXIT_FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = command_line.parse_options(arguments, config=_relative_to_here(Path(__file__).parent / "config.yaml"))
    environ = dict(os.environ)

    def read() -> Settings:
        variables = {**read_dotenv(options.config.parent / ".env"), **environ}
        settings = load(options.config, variables, host=options.host, port=options.port)
        for name in variables.keys() - os.environ.keys():  # for libraries that read the environment themselves
            os.environ[name] = variables[name]
        return settings

    try:
        settings = read()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    logs.configure(debug=options.debug, quiet=options.doctor)
    try:
        if options.doctor:
            return asyncio.run(run_doctor(settings, models_dir=_models_dir(), offline=options.offline))
        return asyncio.run(serve(settings, read=read, models_dir=_models_dir(), trace_dir=options.debug_requests))
    except StartError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:  # before and after `serve` handles SIGINT, and in the doctor
        return EXIT_INTERRUPTED


def _list_not_ready(app: web.Application) -> Sequence[str]:
    return app[SNAPSHOTS].current.not_ready()


def _relative_to_here(path: Path) -> Path:
    """Return a path relative to the current folder if possible, because messages begin with it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _models_dir() -> Path:
    return Path(os.environ.get("MOM_MODELS_DIR") or "~/.cache/mom-gateway/models").expanduser()


if __name__ == "__main__":
    sys.exit(main())
