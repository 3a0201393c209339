"""Which form the answer must keep, whether an answer keeps it, and when two answers are the same. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from synth.normalize import Completion
from synth.request import ChatRequest
from synth.schemas import MAX_FINDING_CHARS, mismatch, schema_problem

_OUTER_FENCE = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


class Form(StrEnum):
    """The forms that the gateway can check."""

    PLAIN = "plain"
    JSON = "json"
    TOOLS = "tools"


@dataclass(frozen=True, slots=True)
class Contract:
    """What a request demands of its answer.

    `json` where a text must be JSON, and `schema` the JSON Schema that it must fit, None for any object. `tools` are
    the tools that may be called, by name, each with what the request gives as the schema of its arguments (None: free
    text); `must_call` where a text alone will not do, `one_call` where more than one call is too much.
    """

    json: bool = False
    schema: Mapping[str, Any] | None = None
    tools: Mapping[str, Any] = field(default_factory=dict)
    must_call: bool = False
    one_call: bool = False

    @property
    def form(self) -> Form:
        """What decides how the answer is made: tools before JSON before plain text."""
        if self.tools:
            return Form.TOOLS
        return Form.JSON if self.json else Form.PLAIN


def contract_of(request: ChatRequest) -> Contract:
    """Return the contract of a request, from its parameters."""
    response_format = request.params.get("response_format") or {}
    schema = (response_format.get("json_schema") or {}).get("schema")
    tools, must_call = _chosen(_tools(request.params), request.params)
    return Contract(
        json=response_format.get("type") in ("json_object", "json_schema"),
        schema=schema if response_format.get("type") == "json_schema" else None,
        tools=tools,
        must_call=must_call,
        one_call=request.params.get("parallel_tool_calls") is False,
    )


def _tools(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the argument schemas of the offered tools, of all generations, by name."""
    offered = [tool.get(tool.get("type") or "function") for tool in params.get("tools") or ()]
    offered += params.get("functions") or ()
    return {
        tool["name"]: tool.get("parameters")
        for tool in offered
        if isinstance(tool, dict) and isinstance(tool.get("name"), str)
    }


def _chosen(tools: dict[str, Any], params: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the tools that `tool_choice` leaves, and whether one must be called."""
    choice = params.get("tool_choice") or params.get("function_call") or "auto"
    if isinstance(choice, str):
        return ({} if choice == "none" else tools), choice == "required" and bool(tools)
    kind = choice.get("type") or "function"
    if kind == "allowed_tools":
        allowed = choice.get("allowed_tools") or {}
        names = [(tool.get(tool.get("type")) or {}).get("name") for tool in allowed.get("tools") or ()]
        return {name: tools[name] for name in names if name in tools}, allowed.get("mode") == "required"
    name = (choice.get(kind) or choice).get("name")
    return {known: schema for known, schema in tools.items() if known == name}, name in tools


def cleaned(contract: Contract, completion: Completion) -> Completion:
    """Return the answer as the client's parser wants it: JSON without the fence around it. All else stays."""
    if not contract.json:
        return completion
    fenced = _OUTER_FENCE.fullmatch(completion.text)
    return replace(completion, text=fenced[1]) if fenced else completion


def finding(contract: Contract, completion: Completion) -> str | None:
    """Return the concrete way in which a cleaned answer breaks the contract, None where it keeps it."""
    calls = [*completion.tool_calls, *({"function": call} for call in (completion.function_call,) if call)]
    if contract.form is Form.TOOLS and (calls or contract.must_call):
        return _calls_finding(contract, calls)
    if contract.json and not completion.refusal:
        return _json_finding(contract, completion)
    return None


def _json_finding(contract: Contract, completion: Completion) -> str | None:
    try:
        value = _json_value(completion.text)
    except ValueError as error:
        return f"the answer is not JSON: {error}"[:MAX_FINDING_CHARS]
    if contract.schema is not None:
        missed = mismatch(value, contract.schema)
        return missed and f"the answer does not fit the schema {missed}"
    return None if isinstance(value, dict) else "the answer is JSON, but not an object"


def _calls_finding(contract: Contract, calls: Sequence[Mapping[str, Any]]) -> str | None:
    if not calls:
        return "the answer calls no tool, and the request demands a call"
    if contract.one_call and len(calls) > 1:
        return f"the answer makes {len(calls)} calls, and the request allows one at a time"
    return next((problem for problem in (_call_finding(contract, call) for call in calls) if problem), None)


def _call_finding(contract: Contract, call: Mapping[str, Any]) -> str | None:
    called = call.get("function") or call.get("custom") or {}
    name = str(called.get("name"))
    if name not in contract.tools:
        return f"the tool {name!r} is not among those that may be called: {', '.join(contract.tools)}"[
            :MAX_FINDING_CHARS
        ]
    if "function" not in call:
        return None
    try:
        arguments = _json_value(str(called.get("arguments")))
    except ValueError as error:
        return f"the arguments of {name} are not JSON: {error}"[:MAX_FINDING_CHARS]
    schema = contract.tools[name]
    if schema_problem(schema) is not None:  # then upstreams take it in their own way, and so do we
        return None
    missed = mismatch(arguments, schema)
    return missed and f"the arguments of {name} do not fit its schema {missed}"


def _json_value(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not a JSON value")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def all_equal(contract: Contract, candidates: Sequence[Completion]) -> bool:
    """Whether all candidates say the same, so that there is nothing for a critic to decide.

    Plain texts: the same lines, but for white space at line ends and around the whole. JSON: the same value.
    """
    return len({_essence(contract, candidate) for candidate in candidates}) == 1


def _essence(contract: Contract, candidate: Completion) -> str:
    if contract.form is Form.JSON:
        return json.dumps(_json_value(candidate.text), sort_keys=True)
    calls = [call.get("function") for call in candidate.tool_calls]
    lines = "\n".join(line.rstrip() for line in candidate.text.strip().splitlines())
    return repr((lines, calls, candidate.function_call, candidate.refusal))
