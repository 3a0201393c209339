"""The operator's checker: a command that runs in a copy of their work tree with a candidate's edit applied."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import structlog

from config.settings import Checker
from runtime.sandbox.commands import Command, Finished
from runtime.sandbox.trials import SandboxError
from runtime.sandbox.work_tree import matches
from runtime.workers import WorkerPool
from synth.contract.contract import Contract, Form
from synth.edits import EditForm, EditStatus, Workspace, apply_edits
from synth.evidence.behaviour import Checked
from synth.evidence.computing import compute

_log = structlog.get_logger(__name__)

# Summaries of test runners: pytest and Jest ("2 failed"), unittest ("failures=1, errors=2"), Rust ("3 failed;"), RSpec
# ("2 failures"), TAP ("# fail 2"), Go ("--- FAIL:"). Each pattern is bounded, and reads the last lines alone.
_COUNTS = (
    re.compile(r"\b(\d{1,6}) (?:failed|failures?|errors?)\b"),
    re.compile(r"\b(?:failures|errors)=(\d{1,6})\b"),
    re.compile(r"^# fail (\d{1,6})$", re.MULTILINE),
)
_GO_FAILURE = re.compile(r"^[ \t]{0,8}--- FAIL: ", re.MULTILINE)
_SUMMARY_LINES = 15


RunCommand = Callable[[Command, Mapping[str, str | None]], Awaitable[Finished]]
"""Runs a command in a copy of its work tree with these files in it. Raises SandboxError if it cannot run."""


class Checks:
    """Makes the check of each request. Commands for one work tree run side by side up to the checker's limit."""

    def __init__(self, clock: Callable[[], float], run_command: RunCommand, workers: WorkerPool | None = None) -> None:
        self._workers = workers
        self._clock = clock
        self._run_command = run_command
        self._slots: dict[tuple[str, int], asyncio.Semaphore] = {}

    async def prepare(self, checker: Checker, contract: Contract, deadline: float) -> "EditCheck | None":
        """Return the check for a request; None unless it asks for edits of files that equal those of the work tree."""
        if contract.form is not Form.EDITS or contract.edits is None:
            return None
        if not await asyncio.to_thread(matches, checker.workdir, contract.workspace.files):
            _log.debug("the files that are shown are not those of the checker's work tree; it is not used")
            return None
        command = make_command(checker)

        async def run(changed: Mapping[str, str | None]) -> Checked | None:
            return await self._run(checker, command, changed, deadline)

        return EditCheck(contract.edits, contract.workspace, run, self._workers)

    async def _run(
        self, checker: Checker, command: Command, changed: Mapping[str, str | None], deadline: float
    ) -> Checked | None:
        slots = self._slots.setdefault((str(checker.workdir), checker.limit), asyncio.Semaphore(checker.limit))
        async with slots:
            timeout_s = min(command.timeout_s, deadline - self._clock())
            if timeout_s <= 0:
                return Checked()
            try:
                finished = await self._run_command(replace(command, timeout_s=timeout_s), changed)
            except SandboxError as error:
                _log.warning("the checker does not run; its candidates count as unknown", reason=str(error))
                return None
        return read_outcome(finished)


class EditCheck:
    """Checks the candidates of one request; `run` runs the command on the files that a candidate changes."""

    def __init__(
        self,
        form: EditForm,
        workspace: Workspace,
        run: Callable[[Mapping[str, str | None]], Awaitable[Checked | None]],
        workers: WorkerPool | None = None,
    ) -> None:
        self._workers = workers
        self._form = form
        self._workspace = workspace
        self._run = run

    async def check(self, text: str) -> Checked | None:
        """Run the checker on an answer's edits, or None if there are no edits or the checker cannot run."""
        changed = await compute(
            self._workers,
            _find_changes,
            self._form,
            self._workspace,
            text,
            n_chars=len(text) + self._workspace.n_chars,
        )
        return await self._run(changed) if changed else None


def _find_changes(form: EditForm, workspace: Workspace, text: str) -> dict[str, str | None]:
    """Return the files that an answer's edits change, None for each removed one; {} if the edits are unsound."""
    applied = apply_edits(form, workspace, text)
    if applied.status is not EditStatus.SOUND:
        return {}
    paths = dict.fromkeys([*workspace.files, *applied.files])
    return {path: applied.files.get(path) for path in paths if workspace.files.get(path) != applied.files.get(path)}


def make_command(checker: Checker) -> Command:
    """Return the command that a checker runs."""
    env = tuple((name, secret.value) for name, secret in checker.env.items())
    return Command(checker.workdir, checker.command, checker.timeout_s, env, isolate=checker.isolate)


def read_outcome(finished: Finished) -> Checked:
    """Return the checker's result from a finished command."""
    if finished.exit_code is None:
        return Checked(None, None, finished.output)
    passed = finished.exit_code == 0
    return Checked(passed, None if passed else count_failures(finished.output), finished.output)


def count_failures(output: str) -> int | None:
    """Return the number of failed tests in the summary at the end of an output, or None without a summary."""
    summary = "\n".join(output.splitlines()[-_SUMMARY_LINES:])
    counted = [int(number) for pattern in _COUNTS for number in pattern.findall(summary)]
    if counted:
        return sum(counted)
    return len(_GO_FAILURE.findall(output)) or None
