"""Derive the form that the answer must keep from the request, and check answers against it."""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import Any, TypeVar

from runtime.budget import Budget, BudgetExceededError
from runtime.frozen import frozen
from runtime.workers import WorkerError, WorkerPool
from synth.contract.json_schema import MAX_FINDING_CHARS, find_mismatch, parse_json, strip_fence
from synth.contract.tool_calls import find_bad_call, list_calls
from synth.edits import (
    EditForm,
    EditStatus,
    Workspace,
    assemble_picks,
    detect_edit_form,
    read_workspace,
    try_edits,
)
from synth.edits.application import MAX_STEPS
from synth.normalize import Completion
from synth.request import ChatRequest, Message
from upstream.openai.tools import read_tool_choice


class Form(StrEnum):
    """The forms of an answer that the gateway can check."""

    PLAIN = "plain"
    JSON = "json"
    TOOLS = "tools"
    EDITS = "edits"
    CODE = "code"


INLINE_STEPS = 60_000
"""The budget of an answer in one turn of the event loop: at most about thirty milliseconds, usually far less."""

WORKER_MODULES = (__name__,)
"""The modules that a worker process for contracts imports before its first job."""

_WORKER_TIMEOUT_S = 5.0  # twice what the budget of steps takes: a worker may wait for a core
_NO_FILES = Workspace()
_MAX_COMPARED_CHARS = 100_000  # longer texts are the same only byte for byte
_UNTIDY = (" \n", "\t\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f")  # other line ends, spaces before one
_CHARS_PER_VALUE = 4
_MAX_CALLS = 1_000  # agents make some ten at once
_T = TypeVar("_T")


@frozen
class Reading:
    """An answer that was checked against a contract.

    `completion` is the answer as the client's parser expects it. `finding` states the defect that breaks the contract,
    None if there is no defect. `outcome` is equal for two answers with the same effect. `is_without_edits`: edits were
    requested, and the answer has none; it may still be right, for example a question.
    """

    completion: Completion
    finding: str | None
    outcome: Hashable
    is_without_edits: bool = False


@frozen
class Contract:
    """The demands of a request on its answer.

    `json`: a text must be JSON, and fit the JSON Schema `schema` (None: any object). `tools` are the tools that may be
    called, by name, each with the request's schema of its arguments (None: free text). `must_call`: a text alone
    is not enough; `one_call`: at most one call. `edits` is the form of the code or edits that the instructions
    demand, and `workspace` the files that the conversation shows. `workers` check answers too large for the event loop.
    """

    json: bool = False
    schema: Mapping[str, Any] | None = None
    tools: Mapping[str, Any] = field(default_factory=dict)
    must_call: bool = False
    one_call: bool = False
    edits: EditForm | None = None
    workspace: Workspace = field(default_factory=Workspace)
    workers: WorkerPool | None = None
    form: Form = field(init=False)
    """The form by which the answer is made: tools before JSON before edits before code before plain text."""

    def __post_init__(self) -> None:
        """Find the form once, because every step of a request asks for it."""
        object.__setattr__(self, "form", self._find_form())

    def _find_form(self) -> Form:
        if self.tools:
            return Form.TOOLS
        if self.json:
            return Form.JSON
        if self.edits is not None:
            return Form.CODE if self.edits is EditForm.CODE else Form.EDITS
        return Form.PLAIN

    def read(self, completion: Completion) -> Reading:
        """Check an answer: the text for the client, whether it keeps the contract, and its outcome.

        May take some seconds; an answer that takes longer is broken.
        """
        try:
            return self.read_within(completion, Budget(MAX_STEPS))
        except BudgetExceededError:
            return _fail_to_check(completion)

    async def read_async(self, completion: Completion) -> Reading:
        """Check an answer without blocking the event loop. Cancelling it stops the work."""
        try:
            return await self._compute(Contract.read_within, completion)
        except (BudgetExceededError, WorkerError):
            return _fail_to_check(completion)

    async def assemble(self, picks: Sequence[tuple[str, int]]) -> str | None:
        """Return the answer made of hunks of several answers, each pick (an answer's text, the number of a hunk).

        None if a hunk does not exist, if two conflict, or if finding that out takes too long. Does not block.
        """
        try:
            return await self._compute(_assemble, picks)
        except (BudgetExceededError, WorkerError):
            return None

    async def _compute(self, function: Callable[["Contract", Any, Budget], _T], argument: Any) -> _T:
        """Return the function's result, computed here if it takes few steps, otherwise in a worker process."""
        # A budget is cheap to exceed, since it is spent before the work is done: the attempt is not worth avoiding.
        try:
            return function(self, argument, Budget(INLINE_STEPS))
        except BudgetExceededError:
            if self.workers is None:
                return function(self, argument, Budget(MAX_STEPS))
        plain = replace(self, workers=None)
        return await self.workers.run(_run_within, function, plain, argument, MAX_STEPS, timeout_s=_WORKER_TIMEOUT_S)

    def read_within(self, completion: Completion, budget: Budget) -> Reading:
        """Check an answer as `read` does, but raise BudgetExceededError if that takes more steps than there are."""
        budget.spend_chars(len(completion.text))
        calls = list_calls(completion)
        if len(calls) > _MAX_CALLS:
            finding = f"the answer makes {len(calls)} calls, more than {_MAX_CALLS}"
            return Reading(completion, finding, ("calls", len(calls), completion.text))
        if calls or (self.tools and self.must_call):
            return Reading(completion, self._find_call_defect(calls, budget), _text_outcome(completion))
        if self.json and not completion.refusal:
            return self._check_json(completion, budget)
        if self.edits is not None and not self.tools:
            return self._check_edits(completion, self.edits, budget)
        return Reading(completion, None, _text_outcome(completion))

    def _find_call_defect(self, calls: Sequence[Mapping[str, Any]], budget: Budget) -> str | None:
        if not calls:
            return "the answer calls no tool, and the request demands a call"
        if self.one_call and len(calls) > 1:
            return f"the answer makes {len(calls)} calls, and the request allows one at a time"
        if not self.tools:
            return "the answer calls a tool, and the request allows none"
        return find_bad_call(self.tools, calls, budget)

    def _check_json(self, completion: Completion, budget: Budget) -> Reading:
        cleaned = replace(completion, text=strip_fence(completion.text))
        budget.spend(len(cleaned.text) // _CHARS_PER_VALUE)
        try:
            value = parse_json(cleaned.text)
        except ValueError as error:
            problem = f"the answer is not JSON: {error}"[:MAX_FINDING_CHARS]
            return Reading(cleaned, problem, _text_outcome(cleaned))
        outcome = _json_outcome(value, cleaned.text)
        if self.schema is not None:
            missed = find_mismatch(value, self.schema, budget)
            return Reading(cleaned, missed and f"the answer does not fit the schema {missed}", outcome)
        return Reading(cleaned, None if isinstance(value, dict) else "the answer is JSON, but not an object", outcome)

    def _check_edits(self, completion: Completion, form: EditForm, budget: Budget) -> Reading:
        made = try_edits(form, self.workspace, completion.text, budget)
        finding = next(iter(made.findings), None)
        if completion.finish_reason == "length":
            finding = "truncated: the answer reached its token limit"
        return Reading(completion, finding, made.outcome, is_without_edits=made.status is EditStatus.NONE)


def _assemble(contract: Contract, picks: Sequence[tuple[str, int]], budget: Budget) -> str | None:
    return None if contract.edits is None else assemble_picks(contract.edits, contract.workspace, picks, budget)


def _run_within(function: Callable[[Contract, Any, Budget], _T], contract: Contract, argument: Any, steps: int) -> _T:
    return function(contract, argument, Budget(steps))


def _fail_to_check(completion: Completion) -> Reading:
    return Reading(completion, "the answer is too complex to be checked", ("unchecked", completion.text))


_NONE = Contract()
_BINDING = frozenset({"response_format", "tools", "functions", "parallel_tool_calls"})


def derive_contract(request: ChatRequest, *, of_edits: bool = True, workers: WorkerPool | None = None) -> Contract:
    """Return the contract of a request: from its parameters and, if `of_edits`, from its instructions."""
    edits, shown = _read_edits(request.messages) if of_edits else (None, _NO_FILES)
    if edits is None and _BINDING.isdisjoint(request.params):
        return _NONE
    response_format = request.params.get("response_format") or {}
    schema = (response_format.get("json_schema") or {}).get("schema")
    tools, must_call = read_tool_choice(request.params)
    return Contract(
        json=response_format.get("type") in ("json_object", "json_schema"),
        schema=schema if response_format.get("type") == "json_schema" else None,
        tools=tools,
        must_call=must_call,
        one_call=request.params.get("parallel_tool_calls") is False,
        edits=edits,
        workspace=shown,
        workers=workers,
    )


def _read_edits(messages: Sequence[Message]) -> tuple[EditForm | None, Workspace]:
    """Return the edit form that the answer must keep, and the files that it edits; no form if those cannot be read."""
    form = detect_edit_form(messages)
    if form is None:
        return None, _NO_FILES
    try:
        return form, read_workspace(messages)
    except BudgetExceededError:
        return None, _NO_FILES


def _json_outcome(value: Any, text: str) -> Hashable:
    try:
        return ("json", json.dumps(value, sort_keys=True))
    except RecursionError:
        return ("json", text)


def _text_outcome(completion: Completion) -> Hashable:
    """Return the answer without white space at line ends and around the text; indentation counts, it may be code."""
    text = completion.text if len(completion.text) > _MAX_COMPARED_CHARS else _tidy(completion.text)
    said = ""
    if completion.tool_calls or completion.function_call:
        calls = [completion.tool_calls, completion.function_call]
        said = json.dumps(calls, sort_keys=True, default=repr)
    return ("said", text, said, completion.refusal)


def _tidy(text: str) -> str:
    """Return a text without white space around it and at the ends of its lines, which end in a line feed."""
    text = text.strip()
    if text.isascii() and not any(map(text.__contains__, _UNTIDY)):
        return text  # most are, and to split one into its lines takes three times as long as to find that out
    return "\n".join([line.rstrip() for line in text.splitlines()])
