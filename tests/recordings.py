"""Requests of real clients, recorded outside the project; and an upstream's answer that fits each of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes import Step, answer, tool_call
from tests.fakes.wire import Wire

FOLDER = Path(__file__).parents[2] / "shared" / "recordings"
CHAT = "/v1/chat/completions"
_OF_THE_CONNECTION = {"host", "connection", "content-length", "accept-encoding"}


@dataclass(frozen=True, slots=True)
class Recording:
    """One request. `body` is its JSON; a form's is in `form`."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    form: str | None

    @property
    def url(self) -> str:
        """The path, with the query where there is one."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The conversation."""
        return self.body.get("messages") or ()

    def content(self, **changed: Any) -> bytes | None:
        """Return the bytes of the body, with some fields changed."""
        if self.form is not None:
            return self.form.encode()
        return json.dumps({**self.body, **changed}).encode() if self.body else None


def load(path: Path) -> Recording:
    """Return the recording that a file holds."""
    request = json.loads(path.read_bytes())["request"]
    body = request["body"] or {}
    headers = {name: value for name, value in request["headers"].items() if name.lower() not in _OF_THE_CONNECTION}
    form = body.get("__raw__")
    return Recording(request["method"], request["path"], request["query"], headers, {} if form else body, form)


def obliging(text: str) -> Step:
    """Answer with `text`, or where the request demands JSON or a certain tool, with the least that fits its schema."""

    def step(request: Mapping[str, Any]) -> Wire:
        response_format, choice = request.get("response_format") or {}, request.get("tool_choice")
        if response_format.get("type") == "json_schema":
            schema = response_format["json_schema"]["schema"]
            return answer(json.dumps(_least(schema, schema)))(request)
        if response_format.get("type") == "json_object":
            return answer(json.dumps({"said": text}))(request)
        if isinstance(choice, Mapping):
            return answer(None, tool_calls=[_call(request, choice["function"]["name"])])(request)
        return answer(text)(request)

    return step


def _call(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    schema = next(tool["function"]["parameters"] for tool in request["tools"] if tool["function"]["name"] == name)
    return tool_call(name, json.dumps(_least(schema, schema)))


def _least(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return a value that fits a schema of the kinds that occur in recordings."""
    if "$ref" in schema:
        return _least(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    match schema["type"]:
        case "object":
            return {name: _least(schema["properties"][name], root) for name in schema.get("required", ())}
        case "array":
            return [_least(schema["items"], root)]
        case kind:
            return {"string": "s", "integer": 1, "number": 0.5, "boolean": True}[kind]
