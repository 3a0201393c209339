"""Pieces of an OpenAPI document (https://spec.openapis.org/oas/v3.1.0). Pure."""

from collections.abc import Mapping
from typing import Any, get_args

from config.settings import Mode
from synth.request import Shown

Schema = dict[str, Any]


def object_schema(properties: Mapping[str, Any], *required: str) -> Schema:
    """Return the schema of an object with these properties."""
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def array_schema(items: Schema, **bounds: Any) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items, **bounds}


def nullable(kind: str, **more: Any) -> Schema:
    """Return the schema of a type that may be null."""
    return {"type": [kind, "null"], **more}


def ref(name: str) -> Schema:
    """Return a reference to a component schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_content(schema: Schema) -> Schema:
    """Return the content of a JSON body."""
    return {"application/json": {"schema": schema}}


def response(description: str, schema: Schema) -> Schema:
    """Return a response with a JSON body."""
    return {"description": description, "content": json_content(schema)}


def errors(name: str = "Error", **reasons: str) -> Schema:
    """Return error responses by status (`_400="why"`), with the error object of a client API."""
    return {status.removeprefix("_"): response(reason, ref(name)) for status, reason in reasons.items()}


STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER = nullable("number")
REFUSED = errors(
    _401="the API key is missing or wrong",
    _403="the Host or the Origin is not allowed",
)
IS_ID: Schema = {"name": "id", "in": "path", "required": True, "schema": STRING | {"minLength": 1}}

API_ERRORS = {
    "_400": "the request is invalid, or too long for every model",
    "_401": "the API key is missing or wrong",
    "_403": "the Host or the Origin is not allowed",
    "_404": "unknown model",
    "_413": "the body is too large",
    "_415": "the body is not JSON",
    "_429": "every model is rate-limited, or a budget is spent",
    "_502": "no model could answer",
    "_503": "the gateway is busy, or is shutting down",
    "_504": "every model timed out",
}


def describe_api(summary: str, operation: str, request: str, reply: Schema, *, error: str = "Error") -> Schema:
    """Return the operation of a client API, which answers as JSON or as server-sent events."""
    content = {**json_content(reply), "text/event-stream": {}}
    return {
        "summary": summary,
        "operationId": operation,
        "requestBody": {"required": True, "content": json_content(ref(request))},
        "responses": {"200": {"description": "the answer", "content": content}, **errors(error, **API_ERRORS)},
    }


_NAMES: Schema = {"anyOf": [array_schema(STRING, minItems=1, uniqueItems=True), {"const": False}, {"type": "null"}]}
STEERING = {
    **object_schema(
        {
            "mode": {"enum": [*get_args(Mode), None]},
            "panel": _NAMES | {"description": "names of models; false: the critic answers alone"},
            "critic": {"anyOf": [STRING | {"minLength": 1}, {"const": False}, {"type": "null"}]},
            "stages": {"anyOf": [array_schema(INTEGER | {"minimum": 1, "maximum": 1000}), {"type": "null"}]},
            "max_cost": nullable("number", exclusiveMinimum=0),
            "show": {"anyOf": [array_schema({"enum": [*get_args(Shown)]}), {"type": "null"}]},
        }
    ),
    "type": ["object", "null"],
    "additionalProperties": False,
    "description": "steers the mixture for this request, and goes before the header x-mom-mode; no model sees it",
}
REPORT: Schema = {
    **object_schema({"candidates": array_schema({"type": "object"}), "verdict": {"type": "object"}}),
    "description": "the parts that the request named in `mom.show`",
}
