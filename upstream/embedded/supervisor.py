"""Supervises the embedded models: installs their weights and keeps a llama.cpp child process running for each."""

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
from upstream.embedded.install import CATALOGUE, Weight, WeightsError, check_gguf, find_installed, install
from upstream.embedded.llama_process import PROGRAM, Launch, LaunchError, LlamaProcess, default_threads
from upstream.embedded.transfer import SpeedMeter, Transfer
from upstream.errors import CallError, Kind
from upstream.http.client import Endpoint

_log = structlog.get_logger(__name__)

Phase = Literal["installing", "loading", "ready", "restarting", "failed"]
Progress = Callable[[str, Transfer], None]

_LAUNCH_BASE_S, _LAUNCH_CAP_S = 0.5, 30.0
_INSTALL_BASE_S, _INSTALL_CAP_S = 15.0, 600.0
_MAX_FAILURES = 3  # consecutive failed launches, after which calls fail at once instead of waiting
_STABLE_S = 60.0  # a child that has run this long resets the count of failures
_LOG_EVERY_PERCENT = 10
_UNKNOWN_LEFT_S = 30.0  # the Retry-After while the speed of a download is unknown


class EmbeddedNotReadyError(CallError):
    """The model cannot be asked: its weights are being installed, or it failed to load. The message is the reason."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(Kind.NOT_READY, reason, retry_after_s=retry_after_s)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The status of one child. `reason` describes it for an operator, beginning with the model's name.

    `left_s` is the estimated time until it is installed, in seconds, or None if it is not known.
    """

    name: str
    phase: Phase
    reason: str
    left_s: float | None = None


# The children are processes, not threads or bindings: a crash or a long prompt of llama.cpp cannot stop the event loop,
# and the system frees all memory when a child ends. One task for each child runs a loop without an exit: install,
# launch, wait for its end, pause, again. All failures are handled inside that loop, so a full disk or a damaged file
# heals when the operator has fixed it. Readers see only `status` and `process`; `changed` wakes those that wait for
# either. A child never outlives the gateway: it exits when the pipe of its stdin closes, even after a SIGKILL.


class EmbeddedModels:
    """The children of all embedded models, one for each distinct `Weights`.

    `on_progress` is called with (name, state of the download) while weights are installed; None: progress is logged.
    The children get only the variables of `environ` that a process needs. `catalogue`, `program`, `sleep` (seconds),
    `random` (floats in [0, 1)) and `clock` (seconds) can be replaced by tests. After `start` or `keep`, call `close`.
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
        self._shared = _Shared(
            models_dir=models_dir,
            on_progress=on_progress,
            environ=environ,
            catalogue=catalogue,
            program=program,
            sleep=sleep,
            random=random,
            clock=clock,
        )
        self._children = {each: _Child(each, self._shared) for each in dict.fromkeys(weights)}
        self._on_demand: frozenset[Weights] = frozenset()

    async def start(self) -> None:
        """Start to install, load and supervise; return at once."""
        for child in self._children.values():
            child.start()

    async def keep(self, weights: Iterable[Weights], *, on_demand: Iterable[Weights] = ()) -> None:
        """Start the children that are new, as `start` does, and end all others; return when these have ended.

        Children for `on_demand` start when `endpoint` is first called for them, and keep running if they do already.
        """
        kept = dict.fromkeys(weights)
        self._on_demand = frozenset(on_demand) - kept.keys()
        others = [each for each in self._children if each not in kept and each not in self._on_demand]
        ended = [self._children.pop(each) for each in others]
        for each in kept:
            self._start_child(each)
        await asyncio.gather(*(child.close() for child in ended))

    def _start_child(self, weights: Weights) -> None:
        if weights not in self._children:
            self._children[weights] = _Child(weights, self._shared)
            self._children[weights].start()

    async def endpoint(self, weights: Weights) -> Endpoint:
        """Return the endpoint of the child; wait while it loads or restarts, until the caller cancels.

        EmbeddedNotReadyError at once while weights are being installed, and after failures to install or launch it,
        which are retried in the background.
        """
        if weights in self._on_demand:
            self._start_child(weights)
        child = self._children[weights]
        while (process := child.process) is None:
            if child.status.phase == "installing":
                raise EmbeddedNotReadyError(child.status.reason, child.status.left_s or _UNKNOWN_LEFT_S)
            if child.status.phase == "failed":
                raise EmbeddedNotReadyError(child.status.reason)
            await child.changed.wait()
        return Endpoint(f"http://127.0.0.1:{process.port}/v1", Secret(process.api_key, "generated for this process"))

    async def wait_until_settled(self, weights: Weights) -> ModelStatus:
        """Return the status when the child is ready or has failed; wait while it is installed, loads or restarts."""
        child = self._children[weights]
        while child.status.phase not in ("ready", "failed"):
            await child.changed.wait()
        return child.status

    def list_statuses(self, weights: Iterable[Weights] | None = None) -> tuple[ModelStatus, ...]:
        """Return the status of each child in the order of their start, or of the children for `weights`."""
        selected = self._children if weights is None else dict.fromkeys(weights)
        return tuple(self._children[each].status for each in selected)

    async def close(self) -> None:
        """End every child and every installation; partial downloads are kept for the next start."""
        await asyncio.gather(*(child.close() for child in self._children.values()))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shared:
    """Settings and the lock that all children share: they install one after the other, to use the whole bandwidth."""

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
        """Sleep min(cap_s, base_s * 2 ** (failures - 1)), minus a random part of up to half of it."""
        await self.sleep(min(cap_s, base_s * 2 ** min(failures - 1, 16)) * (1 - self.random() / 2))


class _Child:
    """One child and the task that supervises it."""

    def __init__(self, weights: Weights, shared: _Shared) -> None:
        self._weights = weights
        self._shared = shared
        self._name = weights.name or str(weights.path)
        self._task: asyncio.Task[None] | None = None
        self._logged_percent = 0
        self._logged_reason = ""
        self._meter = SpeedMeter(shared.clock)
        self.process: LlamaProcess | None = None
        self.changed = asyncio.Event()
        self.status = ModelStatus(self._name, "loading", f"{self._name}: loading")

    def start(self) -> None:
        self._task = asyncio.create_task(self._supervise(), name=f"embedded {self._name}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _set_status(self, phase: Phase, what: str, left_s: float | None = None) -> None:
        self.status = ModelStatus(self._name, phase, f"{self._name}: {what}", left_s)
        self.changed.set()  # wakes those that wait now
        self.changed = asyncio.Event()

    async def _supervise(self) -> None:
        try:
            await self._run_forever()
        except Exception as error:  # noqa: BLE001 -- nobody awaits this task; calls for the model report it
            _log.exception("embedded model failed unexpectedly", model=self._name)
            self._set_status("failed", f"failed with an unexpected {type(error).__name__}")

    async def _run_forever(self) -> None:
        failures = 0
        while True:
            path = await self._find_weights()
            if failures < _MAX_FAILURES:
                self._set_status("restarting" if failures else "loading", "loading")
            started = self._shared.clock()
            reason = await self._run_child(path)
            failures = 1 if self._shared.clock() - started > _STABLE_S else failures + 1
            _log.warning("embedded model is not running", model=self._name, reason=reason, failures=failures)
            phase: Phase = "failed" if failures >= _MAX_FAILURES else "restarting"
            self._set_status(phase, f"{reason}; restarting after {failures} consecutive failures")
            await self._shared.back_off(failures, _LAUNCH_BASE_S, _LAUNCH_CAP_S)

    async def _find_weights(self) -> Path:
        """Return the path of the weights, verified before each launch; retry until they are available."""
        failures = 0
        while True:
            try:
                return await (
                    self._install() if self._weights.path is None else self._check_own_file(self._weights.path)
                )
            except WeightsError as error:
                reason = str(error).removeprefix(f"{self._name}: ")
            log = _log.debug if reason == self._logged_reason else _log.error  # once, not at each attempt
            log("weights are not available", model=self._name, reason=reason)
            self._logged_reason = reason
            self._set_status("failed", reason)
            failures += 1
            await self._shared.back_off(failures, _INSTALL_BASE_S, _INSTALL_CAP_S)

    async def _check_own_file(self, path: Path) -> Path:
        await asyncio.to_thread(check_gguf, path)
        return path

    async def _install(self) -> Path:
        weight = self._shared.catalogue[self._name]
        path = await find_installed(weight, self._shared.models_dir)
        if path is None:
            self._set_status("installing", "waiting to be installed")
            self._logged_percent = 1  # a source that cannot be reached begins as well
            async with self._shared.installing:
                path = await install(weight, self._shared.models_dir, on_progress=self._report_progress)
        return path

    def _report_progress(self, done: int, total: int, step: str) -> None:
        transfer = self._meter.measure(done, total, step)
        self._set_status(
            "installing",
            f"downloading, {transfer.percent} % of {total // 10**6} MB{transfer.describe()}",
            transfer.left_s,
        )
        if self._shared.on_progress is not None:
            self._shared.on_progress(self._name, transfer)
        elif transfer.percent >= self._logged_percent:
            self._log_progress(transfer)

    def _log_progress(self, transfer: Transfer) -> None:
        speed, left_s, percent = transfer.bytes_per_s, transfer.left_s, transfer.percent
        _log.info(
            "downloading weights",
            model=self._name,
            percent=percent,
            of_mb=transfer.total // 10**6,
            mb_per_s=None if speed is None else round(speed / 10**6, 1),
            left_s=None if left_s is None else round(left_s),
            step=transfer.step or None,
        )
        self._logged_percent = percent - percent % _LOG_EVERY_PERCENT + _LOG_EVERY_PERCENT

    async def _run_child(self, path: Path) -> str:
        """Run the child until it ends; return the reason. Cancellation ends it."""
        launch = Launch(
            name=self._weights.name or path.stem,
            path=str(path),
            context_tokens=self._weights.context_tokens,
            slots=self._weights.slots,
            threads=self._weights.threads or default_threads(),
        )
        try:
            process = await LlamaProcess.launch(launch, program=self._shared.program, environ=self._shared.environ)
        except (LaunchError, OSError) as error:
            return str(error)
        try:
            self.process = process
            self._set_status("ready", "ready")
            _log.info("embedded model ready", model=self._name, pid=process.pid, port=process.port)
            return await process.wait_until_ended()
        finally:
            self.process = None
            self._set_status("restarting", "its process has ended")
            await process.close()
