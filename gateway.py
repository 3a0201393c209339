"""The gateway's entry point: command line, .env, config.yaml -> make_app(settings) -> run. Composition only."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from aiohttp import web

from config import ConfigError, load, locations, read_dotenv
from config.settings import Settings
from handlers import routes
from handlers.errors import StartError
from handlers.lifecycle.reload import RELOADER, Reloader
from handlers.lifecycle.resources import RESOURCES, Resources, Sleep, apply_settings, run_with_snapshots
from handlers.lifecycle.serve import Signals, listening, run_beside
from handlers.lifecycle.snapshots import SNAPSHOTS
from handlers.telemetry import logs
from handlers.telemetry.otel_setup import set_up_otel
from handlers.terminal import commands
from handlers.terminal.banner import announce_readiness, format_banner
from runtime.gc_tuning import tune

_COLLECTOR_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def make_app(
    settings: Settings,
    *,
    models_dir: Path,
    trace_dir: Path | None = None,
    state_dir: Path | None = None,
    export_spans: bool = False,
    sleep: Sleep = asyncio.sleep,
    unix_time: Callable[[], float] = time.time,
) -> web.Application:
    """Return the whole gateway as an application; its resources live from start-up to clean-up.

    `state_dir` is the folder of the SQLite store (None: it is in memory, and ends with the application). With
    `export_spans` each request is exported as OpenTelemetry spans (handlers/telemetry/otel_setup.py). `sleep` is
    the pause between retries, `unix_time` the time of day since the epoch, both in seconds. Start-up raises StartError
    if traces cannot be written to `trace_dir` or the packages for spans are missing.
    """
    app = web.Application(client_max_size=int(settings.server.max_body_mb * 2**20))
    app[RESOURCES] = Resources(models_dir, sleep=sleep, unix_time=unix_time, environ=os.environ, state_dir=state_dir)
    if export_spans:
        app.cleanup_ctx.append(set_up_otel)
    app.cleanup_ctx.append(run_with_snapshots(settings, trace_dir))
    routes.add_to(app)
    return app


async def serve(
    settings: Settings, *, read: Callable[[], Settings], models_dir: Path, trace_dir: Path | None, state_dir: Path
) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code. Raises StartError if that is impossible.

    SIGHUP, and with `server.watch` every change of the file, reloads the settings with `read`, which runs in a thread.
    """
    export_spans = any(os.environ.get(name) for name in _COLLECTOR_VARIABLES)
    app = make_app(settings, models_dir=models_dir, trace_dir=trace_dir, state_dir=state_dir, export_spans=export_spans)
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
    return commands.EXIT_OK


def main(arguments: Sequence[str] | None = None, *, is_installed: bool = False) -> int:
    """Run the command line; return the exit code.

    `is_installed`: the gateway runs from an installed package (mom_gateway/__main__.py), not from a checkout.
    """
    command, options = commands.parse_arguments(arguments, program="mom-gateway" if is_installed else "gateway.py")
    environ = dict(os.environ)
    shipped = Path(__file__).parent / locations.FILE_NAME
    config = _relative_to_here(options.config or locations.find_config(shipped, environ, is_installed=is_installed))

    def read() -> Settings:
        variables = {**read_dotenv(config.parent / ".env"), **environ}
        settings = load(config, variables, host=getattr(options, "host", None), port=getattr(options, "port", None))
        for name in variables.keys() - os.environ.keys():  # for libraries that read the environment
            os.environ[name] = variables[name]
        return settings

    is_plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"  # https://no-color.org
    logs.configure(debug=getattr(options, "debug", False), quiet=command is not commands.SERVE, plain=is_plain)
    is_shipped = is_installed and config.resolve() == shipped.resolve()
    models_dir = locations.models_folder(environ)
    invocation = commands.Invocation(options, config, os.environ, read, models_dir, is_shipped=is_shipped)
    try:
        return command.load().run(invocation) if command is not commands.SERVE else _run_serve(invocation)
    except ConfigError as error:
        print(error, file=sys.stderr)
        if is_installed and options.config is None:  # it may be another program's config.yaml in the current folder
            print(f"{config} was found automatically; name another with --config FILE", file=sys.stderr)
        return commands.EXIT_BAD_CONFIG
    except StartError as error:
        print(error, file=sys.stderr)
        return commands.EXIT_FAILED
    except KeyboardInterrupt:  # before and after `serve` handles SIGINT, and in other commands
        return commands.EXIT_INTERRUPTED


def _run_serve(invocation: commands.Invocation) -> int:
    settings = invocation.read_settings()
    if invocation.is_shipped:
        print(f"No config.yaml was found; using {invocation.config}. `mom-gateway init` writes one.", flush=True)
    trace_dir = invocation.options.debug_requests
    return asyncio.run(
        serve(
            settings,
            read=invocation.read_settings,
            models_dir=invocation.models_dir,
            trace_dir=trace_dir,
            state_dir=locations.state_folder(os.environ),
        )
    )


def _list_not_ready(app: web.Application) -> Sequence[str]:
    return app[SNAPSHOTS].current.not_ready()


def _relative_to_here(path: Path) -> Path:
    """Return a path relative to the current folder if possible, because messages begin with it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


if __name__ == "__main__":
    sys.exit(main())
