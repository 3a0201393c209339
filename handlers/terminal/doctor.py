"""The doctor on the terminal: prints the configuration, whether each model works, and what to do if one does not."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from config.settings import Model, Settings, Weights
from handlers.terminal.doctor_report import format_remarks, format_summary, format_tables
from upstream.doctor.probe import LIMIT_S, Prober
from upstream.pool import Pool
from upstream.redact import redact


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
