"""Check the schemas of a request's tools before any model is asked."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from runtime import json_codec, json_steps
from runtime.time_slice import TimeSlice
from synth.contract.json_schema import find_schema_defect
from synth.preflight import RequestProblem

_MAX_KNOWN = 512

_known: OrderedDict[bytes, RequestProblem | None] = OrderedDict()
"""What was found about tools, by a digest of their JSON: an agent sends the same ones on every turn."""


async def find_tool_problem(
    params: Mapping[str, Any], time_slice: TimeSlice, *, is_large: bool = False
) -> RequestProblem | None:
    """Return the problem of the first tool whose schema is malformed, has a dangling reference, or costs too much.

    None if all can be used. With `is_large` the tools may be megabytes, and are encoded in steps. Other tasks run in
    between; each schema takes at most some ten milliseconds.
    """
    tools = [params.get("tools"), params.get("functions")]
    if not any(tools):
        return None
    pieces = await time_slice.run(json_steps.encode(tools)) if is_large else [json_codec.encode(tools)]
    digest = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        digest.update(piece)
    key = digest.digest()
    if key in _known:
        _known.move_to_end(key)
        return _known[key]
    problem = await _find_first(params, time_slice)
    _known[key] = problem
    if len(_known) > _MAX_KNOWN:
        _known.popitem(last=False)
    return problem


async def _find_first(params: Mapping[str, Any], time_slice: TimeSlice) -> RequestProblem | None:
    for path, function in _list_functions(params):
        await time_slice.give_way()
        schema = function.get("parameters")
        defect = None if schema is None else find_schema_defect(schema)
        if defect is not None:
            return RequestProblem(f"{path}.parameters", f"{defect} (of the tool {str(function.get('name'))[:64]})")
    return None


def _list_functions(params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for position, tool in enumerate(params.get("tools") or ()):
        if isinstance(tool.get("function"), dict):
            yield f"tools[{position}].function", tool["function"]
    for position, function in enumerate(params.get("functions") or ()):
        yield f"functions[{position}]", function
