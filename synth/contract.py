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

    `schema` is the JSON Schema that a JSON answer must fit, None for any object. `tools` are what the request gives as
    the schemas of the arguments of the tools that may be called, by name; `must_call` where a text alone will not do.
    """

    form: Form = Form.PLAIN
    schema: Mapping[str, Any] | None = None
    tools: Mapping[str, Any] = field(default_factory=dict)
    must_call: bool = False


def contract_of(request: ChatRequest) -> Contract:
    """Return the contract of a request, from its parameters."""
    tools = _tools(request.params)
    choice = request.params.get("tool_choice", request.params.get("function_call"))
    if tools and choice != "none":
        return Contract(Form.TOOLS, tools=tools, must_call=choice not in (None, "auto"))
    response_format = request.params.get("response_format") or {}
    if response_format.get("type") == "json_object":
        return Contract(Form.JSON)
    if response_format.get("type") == "json_schema":
        return Contract(Form.JSON, schema=(response_format.get("json_schema") or {}).get("schema"))
    return Contract()


def _tools(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the argument schemas of the offered tools, of both generations, by name."""
    functions = [tool.get("function") for tool in params.get("tools") or () if isinstance(tool, dict)]
    functions += params.get("functions") or ()
    return {
        function["name"]: function.get("parameters")
        for function in functions
        if isinstance(function, dict) and isinstance(function.get("name"), str)
    }


def cleaned(contract: Contract, completion: Completion) -> Completion:
    """Return the answer as the client's parser wants it: JSON without the fence around it. All else stays."""
    if contract.form is not Form.JSON:
        return completion
    fenced = _OUTER_FENCE.fullmatch(completion.text)
    return replace(completion, text=fenced[1]) if fenced else completion


def finding(contract: Contract, completion: Completion) -> str | None:
    """Return the concrete way in which a cleaned answer breaks the contract, None where it keeps it."""
    if contract.form is Form.JSON and not completion.refusal:
        return _json_finding(contract, completion)
    if contract.form is Form.TOOLS:
        return _tools_finding(contract, completion)
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


def _tools_finding(contract: Contract, completion: Completion) -> str | None:
    calls = [call.get("function") or {} for call in completion.tool_calls]
    if completion.function_call:
        calls.append(completion.function_call)
    if contract.must_call and not calls:
        return "the answer calls no tool, and the request demands a call"
    return next((problem for problem in (_call_finding(contract, call) for call in calls) if problem), None)


def _call_finding(contract: Contract, call: Mapping[str, Any]) -> str | None:
    name = str(call.get("name"))
    if name not in contract.tools:
        return f"the tool {name!r} was not offered; there is {', '.join(contract.tools)}"[:MAX_FINDING_CHARS]
    try:
        arguments = _json_value(str(call.get("arguments") or "{}"))
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
