"""The front door: command line, .env, config -> make_app(config) -> run. Composition only."""

import argparse
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

from config import ConfigError, load
from config.settings import Settings, Weights
from handlers import logs, routes
from handlers.admission import ADMISSION
from handlers.generations import GENERATIONS, Generations
from handlers.reloading import Reloading
from handlers.serving import Signals, StartError, beside, listening
from handlers.state import State
from handlers.trace_store import TraceStore
from upstream.pool import Pool

if TYPE_CHECKING:
    from upstream.embedded import EmbeddedModels

_BAR_CHARS = 30
_LOOK_EVERY_S = 0.1
_LAST_PORT = 65535
EXIT_OK, EXIT_FAILED, EXIT_BAD_CONFIG = 0, 1, 2

Sleep = Callable[[float], Awaitable[None]]


def make_app(
    settings: Settings,
    *,
    models_dir: Path,
    trace_dir: Path | None = None,
    sleep: Sleep = asyncio.sleep,
    unix_time: Callable[[], float] = time.time,
) -> web.Application:
    """Return the whole gateway as an application; what it needs lives from its start-up to its clean-up.

    `sleep` is how retries pause, `unix_time` the time of day since the epoch, both in seconds. StartError at start-up
    where traces cannot be written to `trace_dir`.
    """
    app = web.Application(client_max_size=int(settings.server.max_body_mb * 2**20))
    app[HOUSE] = _House(models_dir, sleep, unix_time)
    app.cleanup_ctx.append(_running(settings, trace_dir))
    routes.add_to(app, unix_time)
    return app


class _House:
    """Makes the state of each configuration, and holds what outlives one: the children, and the traces."""

    def __init__(self, models_dir: Path, sleep: Sleep, unix_time: Callable[[], float]) -> None:
        self._models_dir = models_dir
        self._sleep = sleep
        self._unix_time = unix_time
        self._embedded: EmbeddedModels | None = None
        self._traces: TraceStore | None = None

    async def open(self, trace_dir: Path | None) -> None:
        if trace_dir is None:
            return
        store = TraceStore(trace_dir)
        try:
            await asyncio.to_thread(store.open)
        except OSError as error:
            raise StartError(
                f"cannot write traces to {trace_dir}: {error.strerror}; name another folder with --debug-requests DIR"
            ) from error
        self._traces = store

    async def state(self, settings: Settings, *others: State) -> State:
        """Return the state of new settings; the embedded models of `others` are kept beside its own."""
        if self._traces is not None:
            self._traces.hide(_secrets(settings))
        await self.keep(settings, *(other.settings for other in others))
        pool = Pool(
            settings.models,
            embedded=self._embedded,
            max_reply_bytes=int(settings.server.max_reply_mb * 2**20),
            max_upstream_concurrency=settings.server.max_upstream_concurrency,
            sleep=self._sleep,
        )
        return State(settings, pool, partial(self._reasons, _weights(settings)), self._unix_time, self._traces)

    async def keep(self, *in_use: Settings) -> None:
        """Have the embedded models of these settings running, and no others."""
        weights = [each for settings in in_use for each in _weights(settings)]
        if weights and self._embedded is None:
            from upstream.embedded import EmbeddedModels  # noqa: PLC0415 -- a gateway of hosted models starts without

            self._embedded = EmbeddedModels(
                (), models_dir=self._models_dir, environ=os.environ, on_progress=_progress_bar()
            )
        if self._embedded is not None:
            await self._embedded.keep(weights)

    async def close(self) -> None:
        await self.keep()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close)

    def _reasons(self, weights: Sequence[Weights]) -> list[str]:
        states = self._embedded.states(weights) if self._embedded else ()
        return [state.reason for state in states if state.phase != "ready"]


HOUSE = web.AppKey("house", _House)


def _running(settings: Settings, trace_dir: Path | None) -> Callable[[web.Application], AsyncGenerator[None]]:
    async def running(app: web.Application) -> AsyncGenerator[None]:
        house = app[HOUSE]

        async def end(state: State) -> None:
            await state.pool.close()
            await house.keep(*(other.settings for other in generations.alive))

        await house.open(trace_dir)
        app[GENERATIONS] = generations = Generations(await house.state(settings), end)
        yield
        await generations.close()
        await house.close()

    return running


async def reconfigure(app: web.Application, settings: Settings) -> None:
    """Put settings in force for new requests of a running application; those that run keep theirs."""
    generations = app[GENERATIONS]
    generations.replace(await app[HOUSE].state(settings, *generations.alive))
    app[ADMISSION].fill()


def _weights(settings: Settings) -> list[Weights]:
    return [model.weights for model in settings.models if model.weights is not None]


def _secrets(settings: Settings) -> list[str]:
    keys = [model.api_key.value for model in settings.models if model.api_key]
    headers = [secret.value for model in settings.models for secret in model.headers.values()]
    return [*keys, *headers, *(client.key.value for client in settings.server.api_keys)]


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


async def serve(settings: Settings, *, read: Callable[[], Settings], models_dir: Path, trace_dir: Path | None) -> int:
    """Serve until SIGINT or SIGTERM; return the process's exit code.

    On SIGHUP, and with `server.watch` on every change of the file, `read` gives the settings anew (in a thread).
    """
    app = make_app(settings, models_dir=models_dir, trace_dir=trace_dir)
    signals = Signals()
    reloading = Reloading(settings, read, partial(reconfigure, app))
    try:
        with signals.obeyed():
            async with listening(app, settings.server) as port:
                print(banner(settings, port), flush=True)
                async with beside(
                    _announce_readiness(app[GENERATIONS]), reloading.on(signals.hangup), reloading.watch()
                ):
                    await signals.stop.wait()
    except StartError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


async def _announce_readiness(generations: Generations) -> None:
    """Tell when the embedded models can be asked, where there are any to wait for."""
    if not generations.current.not_ready():
        return
    print("Getting the embedded models ready; GET /readyz tells how far they are.", flush=True)
    while generations.current.not_ready():  # noqa: ASYNC110 -- a printed word is not worth an event in every child
        await asyncio.sleep(_LOOK_EVERY_S)
    print("Ready.", flush=True)


def banner(settings: Settings, port: int) -> str:
    """Return what is printed at the start: where, which mixtures, and a request to paste."""
    host = settings.server.host
    lines = [f"Mixture-of-Models Gateway on http://{host}:{port}/v1"]
    for mixture in settings.mixtures:
        panel = ", ".join(proposer.name for proposer in mixture.panel)
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
    if options.check:
        print(banner(settings, settings.server.port))
        return EXIT_OK
    logs.configure(debug=options.debug)
    return asyncio.run(serve(settings, read=read, models_dir=_models_dir(), trace_dir=options.debug_requests))


def _with_dotenv(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment as the process was given it, and what the file has beyond it by now."""
    return {**{name: value for name, value in dotenv_values(path).items() if value is not None}, **environ}


def _models_dir() -> Path:
    return Path(os.environ.get("MOM_MODELS_DIR") or "~/.cache/mom-gateway/models").expanduser()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {_LAST_PORT}, is {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway.py", description="Mixture-of-Models Gateway")
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "config.yaml", metavar="F")
    parser.add_argument("--host", metavar="H", help="address to listen on, instead of server.host")
    parser.add_argument("--port", type=_port, metavar="P", help="port to listen on, instead of server.port; 0: any")
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
