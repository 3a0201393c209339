"""The sandboxes of the process, which run candidates: made when a configuration first asks for evidence."""

import asyncio
from typing import TYPE_CHECKING

import structlog

from config.settings import Settings
from runtime.sandbox.trials import Sandbox, SandboxError
from runtime.workers import WorkerPool
from synth.evidence.inquiry import EvidenceFinder

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger(__name__)


class Sandboxes:
    """Owns the sandboxes; they outlive a configuration, and start their processes with the first candidate.

    `workers` read long candidates.
    """

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self._made: dict[str, Sandbox | None] = {}

    async def build_finder(self, settings: Settings) -> EvidenceFinder | None:
        """Return the evidence finder for these settings, or None if no mixture asks for evidence.

        If this system lacks the namespaces of `evidence: full`, a warning says so, and candidates run in Monty alone:
        never under the kernel's limits alone.
        """
        levels = {mixture.evidence for mixture in settings.mixtures} - {"off"}
        if not levels:
            return None
        from runtime.sandbox.monty import MontySandbox  # noqa: PLC0415 -- most starts need none of it at once
        from synth.evidence.finder import Finder  # noqa: PLC0415

        sandboxes = [await self._make("monty", MontySandbox)]
        if "full" in levels:
            from runtime.sandbox.forks import ForkSandbox  # noqa: PLC0415

            sandboxes.append(await self._make("namespaces", ForkSandbox))
        return Finder([each for each in sandboxes if each is not None], workers=self._workers)

    async def _make(self, name: str, make: "Callable[[], Sandbox]") -> Sandbox | None:
        """Return a sandbox, made once in a thread, or None if this system cannot have it."""
        if name not in self._made:
            try:
                self._made[name] = await asyncio.to_thread(make)
            except SandboxError as error:
                _log.warning(
                    "a sandbox is not available; candidates run in the others", sandbox=name, reason=str(error)
                )
                self._made[name] = None
        return self._made[name]

    async def close(self) -> None:
        """End every process of the sandboxes."""
        for sandbox in self._made.values():
            if sandbox is not None:
                await sandbox.close()
        self._made.clear()
