"""`--check`: what is configured, whether it works, and what to do where it does not, on the terminal."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from config.settings import Settings, Weights
from handlers.terminal.doctor_report import remarks, report, verdict
from upstream.doctor.probe import LIMIT_S, Checking
from upstream.pool import Pool
from upstream.redact import redact


@dataclass(frozen=True, slots=True)
class Screen:
    """Where the tables go, and where problems and warnings; in colours on a terminal, unless `plain`.

    None of the `secrets` is shown, wherever it got to: an operator's model id, an upstream's list of models.
    """

    out: TextIO
    err: TextIO
    plain: bool
    secrets: Sequence[str]

    def colours(self, stream: TextIO) -> bool:
        """Whether a stream shows colours."""
        return stream.isatty() and not self.plain

    def write(self, stream: TextIO, text: str) -> None:
        """Write lines at once."""
        stream.write(f"{redact(text, self.secrets)}\n")
        stream.flush()


def tell(settings: Settings, screen: Screen) -> None:
    """Write what is configured, without asking anybody."""
    screen.write(screen.out, report(settings, None, colours=screen.colours(screen.out)))


async def check(
    settings: Settings,
    pool: Pool,
    screen: Screen,
    *,
    loaded: Callable[[Weights], Awaitable[str]],
    proxies: Sequence[str],
) -> bool:
    """Ask every model for one token, write what came of it, and return whether all is well; see `Checking`."""
    if screen.err.isatty():
        screen.write(screen.err, f"Asking every model for one token, each for at most {LIMIT_S:g} s ...")
    asked = await Checking(pool, loaded=loaded, proxies=proxies).findings(settings.models)
    findings = {finding.name: finding for finding in asked}
    screen.write(screen.out, report(settings, findings, colours=screen.colours(screen.out)))
    for remark in remarks(findings, colours=screen.colours(screen.err)):
        screen.write(screen.err, remark)
    screen.write(screen.out, verdict(findings, colours=screen.colours(screen.out)))
    return not any(finding.problem for finding in asked)
