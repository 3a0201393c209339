"""Find evidence on a request's candidates: read the request, and prepare how to run them."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from config.settings import Checker
from runtime.sandbox.commands import run_in_copy
from runtime.sandbox.monty import NAME as MONTY
from runtime.sandbox.trials import Limits, Sandbox
from runtime.workers import WorkerPool
from synth.contract.contract import Contract, Form
from synth.evidence.checker import Checks, RunCommand
from synth.evidence.code_inquiry import Budget, CodeInquiry, Preparation, Task
from synth.evidence.code_task import CodeTask, read_code_task
from synth.evidence.computing import compute
from synth.evidence.edit_task import read_edit_task
from synth.evidence.examples import Example, has_pairs
from synth.request import ChatRequest, find_earlier_requests, find_last_request

_FULL = "full"
_REQUEST_S = 3.0
# The signs of a request that may want code. Every request is searched, and finding a word takes ten times as long as a
# character, so signs are looked for only behind their rarest character, and words in other scripts only in such texts.
_SIGNS = {"`": ("`",), ">": (">>>", "->", "=>"), "=": (" == ",)}
_WORDS = ("def ", "python", "function", "funktion", "fonction", "assert ", "should be", "should return", "input:")
_OTHER_WORDS = ("función", "函数", "関数")
# A call with its result, which needs none of these: "Write fib(n) with fib(10) = 55".
_RESULT_OF_CALL = re.compile(
    r"\)[ \t`]{0,3}(?:(?:(?:should|must|shall|will|would|has to|needs to|ought to) (?:\w{1,20} )?)?"
    r"(?:be|is|returns?|gives?|yields?|equals?|evaluates? to)[ \t:`]|=)[ \t:`=]{0,3}(?:an? empty |the )?"
    r"(?:[\[({\"'\d.-]|true\b|false\b|none\b|list|string|dict)"
    r"|\)[ \t`]{0,3}(?:(?:should|must|has to) )?raises? (?:an? )?`?\w{1,40}error"
)
_SEARCHED_CHARS = 50_000  # at each end of a long text


class Finder:
    """Implements EvidenceFinder with these sandboxes, the one that isolates by construction first.

    `limits` bound one candidate in one sandbox, `request_s` the seconds that all candidates of a request run together.
    Long texts are read in `workers`, or without them in a thread. `choose_examples` may leave some of a request's
    examples out, for a measurement of what they are worth; `run_command` runs a checker's command.
    """

    def __init__(
        self,
        sandboxes: Sequence[Sandbox],
        *,
        limits: Limits | None = None,
        request_s: float = _REQUEST_S,
        clock: Callable[[], float] = time.monotonic,
        choose_examples: Callable[[tuple[Example, ...]], tuple[Example, ...]] = lambda examples: examples,
        run_command: RunCommand = run_in_copy,
        workers: WorkerPool | None = None,
    ) -> None:
        self._workers = workers
        self._choose_examples = choose_examples
        self._checks = Checks(clock, run_command, workers)
        self._sandboxes = sandboxes
        self._limits = limits or Limits()
        self._request_s = request_s
        self._clock = clock

    async def inquire(
        self, request: ChatRequest, contract: Contract, level: str, deadline: float, checker: Checker | None = None
    ) -> CodeInquiry | None:
        """Return the inquiry into a request's candidates, which the caller closes, or None if nothing can be run."""
        text, earlier = find_last_request(request.messages), find_earlier_requests(request.messages)
        wants_code = _may_want_code(text, contract) or _may_want_code(earlier, contract)
        if checker is None and not wants_code:
            return None

        async def prepare(resources: AsyncExitStack) -> Preparation:
            # Let the panel's calls leave first: their tasks are ready by now, and reading a request takes longer than
            # sending it.
            await asyncio.sleep(0)
            task = await self._read_request(text, earlier, contract) if wants_code else CodeTask()
            check = None if checker is None else await self._checks.prepare(checker, contract, deadline)
            if task.examples:
                task = task.with_examples(self._choose_examples(task.examples))
            if not (task.is_open or task.learns_from_answers):
                return Preparation(task, (), check)
            usable = [box for box in self._sandboxes if level == _FULL or box.name == MONTY]
            sessions = [await resources.enter_async_context(box.session()) for box in usable]
            return Preparation(task, sessions, check)

        budget = Budget(self._limits, self._request_s, deadline, self._clock)
        return CodeInquiry(prepare, budget, self._workers)

    async def _read_request(self, text: str, earlier: str, contract: Contract) -> Task:
        """Read the messages of the user; an empty task if they cannot be read."""
        if contract.form is Form.EDITS and contract.edits is not None:
            n_chars = len(text) + contract.workspace.n_chars
            read = partial(read_edit_task, contract.edits, contract.workspace)
            return await compute(self._workers, read, text, n_chars=n_chars) or CodeTask()
        earlier = earlier[-_SEARCHED_CHARS:] if _mentions_code(earlier) else ""
        if not earlier and not (_mentions_code(text) and ("(" in text or has_pairs(text))):
            return CodeTask(is_for_code=True)
        read_code = partial(read_code_task, is_for_code=True)
        n_chars = len(text) + len(earlier)
        return await compute(self._workers, read_code, text, earlier, n_chars=n_chars) or CodeTask(is_for_code=True)


def _may_want_code(text: str, contract: Contract) -> bool:
    """Whether candidates for a request may hold Python, as far as a look at it shows."""
    if contract.form is Form.PLAIN:
        return _mentions_code(text)
    return contract.form is Form.CODE or (contract.form is Form.EDITS and contract.edits is not None)


def _mentions_code(text: str) -> bool:
    ends = text if len(text) <= 2 * _SEARCHED_CHARS else text[:_SEARCHED_CHARS] + text[-_SEARCHED_CHARS:]
    lowered = ends.lower()
    if any(character in lowered and any(sign in lowered for sign in signs) for character, signs in _SIGNS.items()):
        return True
    if any(map(lowered.__contains__, _WORDS if lowered.isascii() else _WORDS + _OTHER_WORDS)):
        return True
    return ")" in lowered and _RESULT_OF_CALL.search(lowered) is not None
