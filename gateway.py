"""The front door: command line, .env, config -> make_app(config) -> run. Composition only."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from dotenv import load_dotenv

from config import ConfigError, load
from config.settings import Settings
from handlers import logs, routes
from handlers.state import STATE, State
from handlers.trace_store import TraceStore
from upstream.pool import Pool

if TYPE_CHECKING:
    from upstream.embedded import EmbeddedModels

_log = structlog.get_logger(__name__)

_BAR_CHARS = 30
EXIT_OK, EXIT_FAILED, EXIT_BAD_CONFIG = 0, 1, 2


Sleep = Callable[[float], Awaitable[None]]


def make_app(
    settings: Settings, *, models_dir: Path, trace_dir: Path | None = None, sleep: Sleep = asyncio.sleep
) -> web.Application:
    """Return the whole gateway as an application; what it needs lives from its start-up to its clean-up.

    `sleep` is how retries pause, in seconds.
    """
    app = web.Application(client_max_size=int(settings.server.max_body_mb * 2**20))
    app.cleanup_ctx.append(_running(settings, models_dir, trace_dir, sleep))
    routes.add_to(app)
    return app


def _running(
    settings: Settings, models_dir: Path, trace_dir: Path | None, sleep: Sleep
) -> Callable[[web.Application], AsyncGenerator[None]]:
    async def running(app: web.Application) -> AsyncGenerator[None]:
        embedded = _embedded(settings, models_dir)
        pool = Pool(settings.models, embedded=embedded, sleep=sleep)
        traces = await _opened(trace_dir, settings)
        app[STATE] = State(settings, pool, lambda: _reasons(embedded), time.time, traces)
        if embedded is not None:
            await embedded.start()
        yield
        await pool.close()
        if embedded is not None:
            await embedded.close()
        if traces is not None:
            await asyncio.to_thread(traces.close)

    return running


async def _opened(folder: Path | None, settings: Settings) -> TraceStore | None:
    if folder is None:
        return None
    keys = [model.api_key.value for model in settings.models if model.api_key]
    headers = [secret.value for model in settings.models for secret in model.headers.values()]
    store = TraceStore(folder, secrets=keys + headers)
    await asyncio.to_thread(store.open)
    return store


def _embedded(settings: Settings, models_dir: Path) -> "EmbeddedModels | None":
    weights = [model.weights for model in settings.models if model.weights is not None]
    if not weights:
        return None
    from upstream.embedded import EmbeddedModels  # noqa: PLC0415 -- a gateway of hosted models starts without it

    return EmbeddedModels(weights, models_dir=models_dir, environ=os.environ, on_progress=_progress_bar())


def _progress_bar() -> Callable[[str, int, int], None] | None:
    """Return what draws the progress of an installation; None where nobody looks, and the log tells it."""
    if not sys.stderr.isatty():
        return None

    def draw(name: str, done: int, total: int) -> None:
        filled = _BAR_CHARS * done // total
        bar = "█" * filled + "░" * (_BAR_CHARS - filled)
        end = "\n" if done >= total else ""
        print(f"\r  {name} {bar} {done // 10**6} of {total // 10**6} MB", end=end, file=sys.stderr, flush=True)

    return draw


def _reasons(embedded: "EmbeddedModels | None") -> list[str]:
    return [state.reason for state in embedded.states() if state.phase != "ready"] if embedded else []


async def serve(settings: Settings, *, models_dir: Path, trace_dir: Path | None) -> int:
    """Serve until SIGINT or SIGTERM; return the process's exit code."""
    app = make_app(settings, models_dir=models_dir, trace_dir=trace_dir)
    server = settings.server
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=server.shutdown_timeout_s)
    await runner.setup()
    try:
        site = web.TCPSite(runner, server.host, server.port)
        try:
            await site.start()
        except OSError as error:
            print(f"cannot listen on {server.host}:{server.port}: {error.strerror}; {_REMEDY}", file=sys.stderr)
            return EXIT_FAILED
        print(banner(settings, runner.addresses[0][1]), flush=True)
        announcing = asyncio.create_task(_announce_readiness(app[STATE]))
        await _stopped()
        announcing.cancel()
    finally:
        await runner.cleanup()
    return EXIT_OK


async def _announce_readiness(state: State) -> None:
    """Tell when the embedded models can be asked, where there are any to wait for."""
    if not state.not_ready():
        return
    print("Getting the embedded models ready; GET /readyz tells how far they are.", flush=True)
    while state.not_ready():  # noqa: ASYNC110 -- a printed word is not worth an event in every child
        await asyncio.sleep(_LOOK_EVERY_S)
    print("Ready.", flush=True)


_LOOK_EVERY_S = 0.1
_REMEDY = "is another gateway running? Choose a port with --port N"


async def _stopped() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    for number in (signal.SIGINT, signal.SIGTERM):  # a second one ends the process at once
        loop.remove_signal_handler(number)
    _log.info("stopping")


def banner(settings: Settings, port: int) -> str:
    """Return what is printed at the start: where, which mixtures, and a request to paste."""
    host = settings.server.host
    lines = [f"Mixture-of-Models Gateway on http://{host}:{port}/v1"]
    for mixture in settings.mixtures:
        panel = ", ".join(mixture.panel)
        lines.append(f"  {mixture.name}: panel {panel}; critic {mixture.critic.model}; mode {mixture.mode}")
    if any(model.weights is not None for model in settings.models):
        lines.append(
            "  The embedded models are tiny, for a first look; put hosted ones into config.yaml for real work."
        )
    where = f":{port}" if host in ("127.0.0.1", "localhost") else f"{host}:{port}"
    message = '{"role":"user","content":"Reverse a string in Python"}'
    lines += ["Try:", f"  http {where}/v1/chat/completions model={settings.mixtures[0].name} messages:='[{message}]'"]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    load_dotenv(options.config.parent / ".env", override=False)
    try:
        settings = load(options.config, os.environ, host=options.host, port=options.port)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    if options.check:
        print(banner(settings, settings.server.port))
        return EXIT_OK
    logs.configure(debug=options.debug)
    return asyncio.run(serve(settings, models_dir=_models_dir(), trace_dir=options.debug_requests))


def _models_dir() -> Path:
    return Path(os.environ.get("MOM_MODELS_DIR") or "~/.cache/mom-gateway/models").expanduser()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway.py", description="Mixture-of-Models Gateway")
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "config.yaml", metavar="F")
    parser.add_argument("--host", metavar="H", help="address to listen on, instead of server.host")
    parser.add_argument("--port", type=int, metavar="P", help="port to listen on, instead of server.port; 0: any")
    parser.add_argument("--debug", action="store_true", help="log attempts, and what the embedded models say")
    parser.add_argument(
        "--debug-requests",
        type=Path,
        nargs="?",
        const=Path("debug-requests"),
        metavar="DIR",
        help="write one trace for each request to DIR (default: debug-requests)",
    )
    parser.add_argument("--check", action="store_true", help="check the configuration, and exit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
