"""Derive the form that the answer must keep from the request, and check answers against it."""

import asyncio
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import Any

from runtime.budget import BudgetExceededError
from runtime.frozen import frozen
from synth.contract.json_schema import MAX_FINDING_CHARS, find_mismatch, parse_json, strip_fence
from synth.contract.tool_calls import find_bad_call, list_calls, read_tool_choice
from synth.edits import EditForm, EditStatus, Workspace, apply_edits, detect_edit_form, read_workspace
from synth.normalize import Completion
from synth.request import ChatRequest, Message


class Form(StrEnum):
    """The forms of an answer that the gateway can check."""

    PLAIN = "plain"
    JSON = "json"
    TOOLS = "tools"
    EDITS = "edits"
    CODE = "code"


_NO_FILES = Workspace()
_MAX_COMPARED_CHARS = 200_000  # longer texts are the same only byte for byte


@frozen
class Reading:
    """An answer that was checked against a contract.

    `completion` is the answer as the client's parser expects it. `finding` says concretely how it breaks the contract;
    None if it does not. `outcome` is equal for two answers with the same effect. `in_words` marks an answer without any
    edit although edits were asked for; it may be right, for example a question.
    """

    completion: Completion
    finding: str | None
    outcome: Hashable
    in_words: bool = False


@frozen
class Contract:
    """What a request demands of its answer.

    `json`: a text must be JSON, and fit the JSON Schema `schema` (None: any object). `tools` are the tools that may be
    called, by name, each with the request's schema of its arguments (None: free text). `must_call`: a text alone
    is not enough; `one_call`: at most one call. `edits` is the form of the code or edits that the instructions
    demand, and `workspace` the files that the conversation shows.
    """

    json: bool = False
    schema: Mapping[str, Any] | None = None
    tools: Mapping[str, Any] = field(default_factory=dict)
    must_call: bool = False
    one_call: bool = False
    edits: EditForm | None = None
    workspace: Workspace = field(default_factory=Workspace)

    @property
    def form(self) -> Form:
        """The form by which the answer is made: tools before JSON before edits before code before plain text."""
        if self.tools:
            return Form.TOOLS
        if self.json:
            return Form.JSON
        if self.edits is not None:
            return Form.CODE if self.edits is EditForm.CODE else Form.EDITS
        return Form.PLAIN

    def read(self, completion: Completion) -> Reading:
        """Check an answer: the text for the client, whether it keeps the contract, and its outcome."""
        calls = list_calls(completion)
        if calls or (self.tools and self.must_call):
            return Reading(completion, self._find_call_defect(len(calls), completion), _text_outcome(completion))
        if self.json and not completion.refusal:
            return self._check_json(completion)
        if self.edits is not None and not self.tools:
            return self._check_edits(completion, self.edits)
        return Reading(completion, None, _text_outcome(completion))

    async def read_aside(self, completion: Completion) -> Reading:
        """Check an answer without blocking the event loop: applying edits to long files takes time."""
        return self.read(completion) if self.edits is None else await asyncio.to_thread(self.read, completion)

    def _find_call_defect(self, n_calls: int, completion: Completion) -> str | None:
        if not n_calls:
            return "the answer calls no tool, and the request demands a call"
        if self.one_call and n_calls > 1:
            return f"the answer makes {n_calls} calls, and the request allows one at a time"
        if not self.tools:
            return "the answer calls a tool, and the request allows none"
        return find_bad_call(self.tools, list_calls(completion))

    def _check_json(self, completion: Completion) -> Reading:
        cleaned = replace(completion, text=strip_fence(completion.text))
        try:
            value = parse_json(cleaned.text)
        except ValueError as error:
            problem = f"the answer is not JSON: {error}"[:MAX_FINDING_CHARS]
            return Reading(cleaned, problem, _text_outcome(cleaned))
        outcome = ("json", json.dumps(value, sort_keys=True))
        if self.schema is not None:
            missed = find_mismatch(value, self.schema)
            return Reading(cleaned, missed and f"the answer does not fit the schema {missed}", outcome)
        return Reading(cleaned, None if isinstance(value, dict) else "the answer is JSON, but not an object", outcome)

    def _check_edits(self, completion: Completion, form: EditForm) -> Reading:
        made = apply_edits(form, self.workspace, completion.text)
        finding = next(iter(made.findings), None)
        if completion.finish_reason == "length":
            finding = "truncated: the answer reached its token limit"
        return Reading(completion, finding, made.outcome, in_words=made.status is EditStatus.NONE)


_NONE = Contract()
_BINDING = frozenset({"response_format", "tools", "functions", "parallel_tool_calls"})


def derive_contract(request: ChatRequest, *, of_edits: bool = True) -> Contract:
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


def _text_outcome(completion: Completion) -> Hashable:
    """Return the answer without white space at line ends and around the text; indentation counts, it may be code."""
    lines: Hashable = completion.text
    if len(completion.text) <= _MAX_COMPARED_CHARS:
        lines = tuple([line.rstrip() for line in completion.text.strip().splitlines()])
    said = ""
    if completion.tool_calls or completion.function_call:
        calls = [completion.tool_calls, completion.function_call]
        said = json.dumps(calls, sort_keys=True, default=repr)
    return ("said", lines, said, completion.refusal)
