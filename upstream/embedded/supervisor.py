"""The embedded models: weights installed, and a llama.cpp server in a child process for each, kept alive."""

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import structlog

from config.settings import Secret, Weights
from upstream.embedded.install import CATALOGUE, Weight, WeightsError, check_gguf, install, installed
from upstream.embedded.llama_process import PROGRAM, Launch, LaunchError, LlamaProcess, default_threads
from upstream.errors import CallError, Kind
from upstream.http.client import Endpoint

_log = structlog.get_logger(__name__)

Phase = Literal["installing", "loading", "ready", "restarting", "failed"]
Progress = Callable[[str, int, int], None]

_LAUNCH_BASE_S, _LAUNCH_CAP_S = 0.5, 30.0
_INSTALL_BASE_S, _INSTALL_CAP_S = 15.0, 600.0
_PATIENCE = 3  # failed launches in a row, after which calls are refused rather than kept waiting
_STEADY_S = 60.0  # a child that has served this long starts again with a clean record
_LOG_EVERY_PERCENT = 10


class EmbeddedNotReadyError(CallError):
    """The model's weights are being installed, or it can't be had; the message is the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(Kind.NOT_READY, reason)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How one child is. `reason` says it in words for an operator, and names the model."""

    name: str
    phase: Phase
    reason: str


class EmbeddedModels:
    """The children of all embedded models, one for each different `Weights`.

    `on_progress` is told (name, bytes there, bytes in all) while weights are installed; None: the log tells it.
    Of `environ` the children get what a process needs, and no more. `catalogue`, `program`, `sleep` (seconds),
    `random` (floats in [0, 1)) and `clock` (seconds) are replaceable for tests. Whoever calls `start` calls `close`.
    """

    def __init__(
        self,
        weights: Iterable[Weights],
        *,
        models_dir: Path,
        on_progress: Progress | None = None,
        environ: Mapping[str, str] = MappingProxyType({}),
        catalogue: Mapping[str, Weight] = MappingProxyType(CATALOGUE),
        program: Sequence[str] = PROGRAM,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._surroundings = _Surroundings(
            models_dir=models_dir,
            on_progress=on_progress,
            environ=environ,
            catalogue=catalogue,
            program=program,
            sleep=sleep,
            random=random,
            clock=clock,
        )
        self._children = {each: _Child(each, self._surroundings) for each in dict.fromkeys(weights)}

    async def start(self) -> None:
        """Begin to install, load and watch; return at once."""
        for child in self._children.values():
            child.start()

    async def keep(self, weights: Iterable[Weights]) -> None:
        """Begin with those that are new, as `start` does, and end all others; returns when these are gone."""
        kept = dict.fromkeys(weights)
        ended = [self._children.pop(each) for each in tuple(self._children) if each not in kept]
        for each in kept:
            if each not in self._children:
                self._children[each] = _Child(each, self._surroundings)
                self._children[each].start()
        await asyncio.gather(*(child.close() for child in ended))

    async def endpoint(self, weights: Weights) -> Endpoint:
        """Return where the child listens. Waits while it loads or restarts, for as long as the caller lets it.

        EmbeddedNotReadyError at once while its weights are being installed or can't be, and after repeated failures
        to launch, though both are tried again all the while.
        """
        child = self._children[weights]
        while (process := child.process) is None:
            if child.state.phase in ("installing", "failed"):
                raise EmbeddedNotReadyError(child.state.reason)
            await child.changed.wait()
        return Endpoint(f"http://127.0.0.1:{process.port}/v1", Secret(process.api_key, "made for this run"))

    async def settled(self, weights: Weights) -> ModelStatus:
        """Return how a child is once it is ready or has failed; waits while it is installed, loads and restarts."""
        child = self._children[weights]
        while child.state.phase not in ("ready", "failed"):
            await child.changed.wait()
        return child.state

    def states(self, weights: Iterable[Weights] | None = None) -> tuple[ModelStatus, ...]:
        """Return how each child is, in the order in which they were given; or only how those for `weights` are."""
        asked = self._children if weights is None else dict.fromkeys(weights)
        return tuple(self._children[each].state for each in asked)

    async def close(self) -> None:
        """End every child, and whatever is being installed; what was fetched is kept for the next start."""
        await asyncio.gather(*(child.close() for child in self._children.values()))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Surroundings:
    """What all children share. They install one after the other, each with the whole bandwidth."""

    models_dir: Path
    on_progress: Progress | None
    environ: Mapping[str, str]
    catalogue: Mapping[str, Weight]
    program: Sequence[str]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    clock: Callable[[], float]
    installing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def back_off(self, failures: int, base_s: float, cap_s: float) -> None:
        """Sleep min(cap_s, base_s * 2 ** (failures - 1)), less up to half of it by chance."""
        await self.sleep(min(cap_s, base_s * 2 ** min(failures - 1, 16)) * (1 - self.random() / 2))


class _Child:
    def __init__(self, weights: Weights, surroundings: _Surroundings) -> None:
        self._weights = weights
        self._around = surroundings
        self._name = weights.name or str(weights.path)
        self._task: asyncio.Task[None] | None = None
        self._logged_percent = 0
        self.process: LlamaProcess | None = None
        self.changed = asyncio.Event()
        self.state = ModelStatus(self._name, "loading", f"{self._name}: loading")

    def start(self) -> None:
        self._task = asyncio.create_task(self._supervise(), name=f"embedded {self._name}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _enter(self, phase: Phase, what: str) -> None:
        self.state = ModelStatus(self._name, phase, f"{self._name}: {what}")
        self.changed.set()  # wakes who waits now
        self.changed = asyncio.Event()

    async def _supervise(self) -> None:
        try:
            await self._keep_running()
        except Exception as error:  # noqa: BLE001 -- nobody awaits this task: who asks for the model is told
            _log.exception("an embedded model is given up", model=self._name)
            self._enter("failed", f"given up after an unexpected {type(error).__name__}")

    async def _keep_running(self) -> None:
        failures = 0
        while True:
            path = await self._weights_path()
            if failures < _PATIENCE:
                self._enter("restarting" if failures else "loading", "loading")
            started = self._around.clock()
            reason = await self._run(path)
            failures = 1 if self._around.clock() - started > _STEADY_S else failures + 1
            _log.warning("an embedded model is not running", model=self._name, reason=reason, failures=failures)
            phase: Phase = "failed" if failures >= _PATIENCE else "restarting"
            self._enter(phase, f"{reason}; being restarted, after {failures} failures in a row")
            await self._around.back_off(failures, _LAUNCH_BASE_S, _LAUNCH_CAP_S)

    async def _weights_path(self) -> Path:
        """Return the path of the weights, checked before each launch; tries until they can be had."""
        failures = 0
        while True:
            try:
                return await (self._from_catalogue() if self._weights.path is None else self._own(self._weights.path))
            except WeightsError as error:
                reason = str(error).removeprefix(f"{self._name}: ")
            _log.error("weights can't be had", model=self._name, reason=reason)
            self._enter("failed", reason)
            failures += 1
            await self._around.back_off(failures, _INSTALL_BASE_S, _INSTALL_CAP_S)

    async def _own(self, path: Path) -> Path:
        await asyncio.to_thread(check_gguf, path)
        return path

    async def _from_catalogue(self) -> Path:
        weight = self._around.catalogue[self._name]
        path = await installed(weight, self._around.models_dir)
        if path is None:
            self._enter("installing", "waiting to be installed")
            self._logged_percent = 0
            async with self._around.installing:
                path = await install(weight, self._around.models_dir, on_progress=self._progress)
        return path

    def _progress(self, done: int, total: int) -> None:
        percent = 100 * done // total
        self._enter("installing", f"downloading, {percent} % of {total // 10**6} MB")
        if self._around.on_progress is not None:
            self._around.on_progress(self._name, done, total)
        elif percent >= self._logged_percent:
            _log.info("downloading weights", model=self._name, percent=percent, of_mb=total // 10**6)
            self._logged_percent = percent - percent % _LOG_EVERY_PERCENT + _LOG_EVERY_PERCENT

    async def _run(self, path: Path) -> str:
        """Serve until the child has ended; return why it did. Cancelling ends it."""
        launch = Launch(
            name=self._weights.name or path.stem,
            path=str(path),
            context_tokens=self._weights.context_tokens,
            slots=self._weights.slots,
            threads=self._weights.threads or default_threads(),
        )
        try:
            process = await LlamaProcess.launch(launch, program=self._around.program, environ=self._around.environ)
        except (LaunchError, OSError) as error:
            return str(error)
        try:
            self.process = process
            self._enter("ready", "ready")
            _log.info("an embedded model is ready", model=self._name, pid=process.pid, port=process.port)
            return await process.ended()
        finally:
            self.process = None
            self._enter("restarting", "its process has ended")
            await process.close()
