"""The command `doctor`: prints the configuration, whether each model works, and the remedy if one does not."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from config.command_line import add_address
from config.settings import Model, Settings, Weights
from handlers.lifecycle.resources import Resources, secrets_of
from handlers.terminal import progress
from handlers.terminal.banner import find_local_host, join_host_port
from handlers.terminal.commands import EXIT_FAILED, EXIT_OK, Invocation
from handlers.terminal.doctor_report import format_cache_warnings, format_remarks, format_summary, format_tables
from upstream.doctor.probe import LIMIT_S, Prober
from upstream.gateway_client import GatewayClient, GatewayError
from upstream.pool import Pool
from upstream.redact import redact

_RUNNING_S = 3.0
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    add_address(parser)
    parser.add_argument("--offline", action="store_true", help="ask no model")
    parser.add_argument("--debug", action="store_true", help="log each attempt and the output of embedded models")


def run(invocation: Invocation) -> int:
    """Examine the configuration; exit code 1 if a model does not answer."""
    settings = invocation.read_settings()
    models_dir, environ = invocation.models_dir, invocation.environ
    return asyncio.run(run_doctor(settings, environ, models_dir=models_dir, offline=invocation.options.offline))


async def run_doctor(settings: Settings, environ: Mapping[str, str], *, models_dir: Path, offline: bool) -> int:
    """Print the configuration and, unless `offline`, ask every model; return the exit code.

    If a gateway of this configuration is running, it also warns of models that do not use a prompt cache there.
    """
    is_plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"  # https://no-color.org
    screen = Screen(sys.stdout, sys.stderr, is_plain, secrets_of(settings))
    if offline:
        print_configuration(settings, screen)
        return EXIT_OK
    resources = Resources(
        models_dir,
        sleep=asyncio.sleep,
        unix_time=time.time,
        environ=environ,
        on_progress=progress.lines(sys.stderr),
    )
    snapshot = await resources.build_snapshot(settings)
    proxies = [name for name in _PROXY_VARIABLES if environ.get(name)]
    try:
        is_healthy = await examine(
            settings, snapshot.pool, screen, wait_until_loaded=resources.wait_until_loaded, proxies=proxies
        )
        await warn_of_unused_caches(settings, screen)
    finally:
        await snapshot.pool.close()
        await resources.close()
    return EXIT_OK if is_healthy else EXIT_FAILED


@dataclass(frozen=True, slots=True)
class Screen:
    """The streams for tables (`out`) and for problems and warnings (`err`), in colour if they are terminals.

    `plain` turns colours off. `secrets` are redacted wherever they occur: in a model id of the operator's, in an
    upstream's list of models.
    """

    out: TextIO
    err: TextIO
    plain: bool
    secrets: Sequence[str]

    def has_colours(self, stream: TextIO) -> bool:
        """Whether to write colours to a stream."""
        return stream.isatty() and not self.plain

    def write(self, stream: TextIO, text: str) -> None:
        """Write lines and flush them."""
        stream.write(f"{redact(text, self.secrets)}\n")
        stream.flush()


def print_configuration(settings: Settings, screen: Screen) -> None:
    """Print the mixtures and models without asking any of them."""
    screen.write(screen.out, format_tables(settings, None, colours=screen.has_colours(screen.out)))


def _is_idle(model: Model, settings: Settings) -> bool:
    """Whether a model is embedded and no mixture uses it: the gateway would not load it either."""
    return model.weights is not None and model.name not in settings.used_models


async def examine(
    settings: Settings,
    pool: Pool,
    screen: Screen,
    *,
    wait_until_loaded: Callable[[Weights], Awaitable[str]],
    proxies: Sequence[str],
) -> bool:
    """Ask every model, print the results, and return whether all models work. Arguments as `Prober`."""
    if screen.err.isatty():
        screen.write(screen.err, f"Asking every model twice, each time for at most {LIMIT_S:g} s ...")
    prober = Prober(pool, wait_until_loaded=wait_until_loaded, proxies=proxies)
    results = await prober.probe_all(model for model in settings.models if not _is_idle(model, settings))
    by_name = {result.name: result for result in results}
    screen.write(screen.out, format_tables(settings, by_name, colours=screen.has_colours(screen.out)))
    for remark in format_remarks(settings, by_name, colours=screen.has_colours(screen.err)):
        screen.write(screen.err, remark)
    screen.write(screen.out, format_summary(by_name, colours=screen.has_colours(screen.out)))
    return not any(result.problem for result in results)


async def warn_of_unused_caches(settings: Settings, screen: Screen) -> None:
    """Warn of models whose upstream reports no cached tokens to the running gateway, if one runs.

    A single question cannot show the use of a cache, so this takes the count of a gateway that has seen conversations.
    """
    server = settings.server
    if not server.port:
        return
    try:
        url = f"http://{join_host_port(find_local_host(server.host), server.port)}"
        async with asyncio.timeout(_RUNNING_S), GatewayClient(url) as gateway:
            uncached = (await gateway.fetch_readiness()).get("uncached")
    except (GatewayError, TimeoutError):
        return  # no gateway is running here, or another program is
    for line in format_cache_warnings(settings, uncached, colours=screen.has_colours(screen.err)):
        screen.write(screen.err, line)
