"""GET /openapi.json: the HTTP API as an OpenAPI document (https://spec.openapis.org/oas/v3.1.0)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from handlers.api.chat.parse import MAX_CHOICES, ROLES

_Schema = dict[str, Any]


async def openapi(_: web.Request) -> web.Response:
    """Return the document."""
    return web.json_response(DOCUMENT)


def _object_schema(properties: Mapping[str, Any], *required: str) -> _Schema:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _array_schema(items: _Schema, **bounds: int) -> _Schema:
    return {"type": "array", "items": items, **bounds}


def _nullable(kind: str, **more: Any) -> _Schema:
    return {"type": [kind, "null"], **more}


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json_content(schema: _Schema) -> _Schema:
    return {"application/json": {"schema": schema}}


def _response(description: str, schema: _Schema) -> _Schema:
    return {"description": description, "content": _json_content(schema)}


def _errors(**reasons: str) -> _Schema:
    return {status.removeprefix("_"): _response(reason, _ref("Error")) for status, reason in reasons.items()}


def _exclude_types(*kinds: str) -> _Schema:
    """Return the schema of an object of any other `type`, which is passed on unchanged."""
    return _object_schema({"type": {"type": "string", "not": {"enum": list(kinds)}}}, "type")


_STRING: _Schema = {"type": "string"}
_INTEGER: _Schema = {"type": "integer"}
_NUMBER = _nullable("number")
_LIMIT = _nullable("integer", minimum=-1, description="-1: no limit. The limit of the configuration applies as well.")
_NAMED = _object_schema({"name": _STRING}, "name")
_REFUSED = _errors(
    _401="the API key is missing or wrong",
    _403="the Host or the Origin is not allowed",
)
_PART: _Schema = {
    "anyOf": [_object_schema({"type": {"const": "text"}, "text": _STRING}, "type", "text"), _exclude_types("text")]
}
_CONTENT: _Schema = {"anyOf": [_nullable("string"), _array_schema(_PART)]}
_TOOL: _Schema = {
    "anyOf": [
        _object_schema({"type": {"const": "function"}, "function": _NAMED}, "function"),
        _object_schema({"type": {"const": "custom"}, "custom": _NAMED}, "type", "custom"),
        _exclude_types("function", "custom"),
    ]
}
_CHOICE_OF_TOOL: _Schema = {"anyOf": [_nullable("string", examples=["none", "auto", "required"]), {"type": "object"}]}
_RESPONSE_FORMAT: _Schema = {
    "anyOf": [
        {"type": "null"},
        _exclude_types("json_schema"),
        _object_schema({"type": {"const": "json_schema"}, "json_schema": {"type": "object"}}, "type", "json_schema"),
    ]
}

_REQUEST = _object_schema(
    {
        "model": _nullable("string", description="a mixture or a model of GET /v1/models; default: the first mixture"),
        "messages": _array_schema(_ref("Message"), minItems=1),
        "stream": _nullable("boolean"),
        "stream_options": _nullable("object", properties={"include_usage": {"examples": [True]}}),
        "n": _nullable("integer", minimum=1, maximum=MAX_CHOICES),
        "max_tokens": _LIMIT,
        "max_completion_tokens": _LIMIT,
        **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), _NUMBER),
        "seed": _nullable("integer"),
        "stop": {"anyOf": [_nullable("string"), _array_schema(_STRING)]},
        "tools": {"anyOf": [{"type": "null"}, _array_schema(_TOOL)]},
        "tool_choice": _CHOICE_OF_TOOL,
        "parallel_tool_calls": _nullable("boolean"),
        "response_format": _RESPONSE_FORMAT,
        "logprobs": _nullable("boolean"),
        "logit_bias": _nullable("object"),
        "metadata": _nullable("object"),
        "user": _nullable("string"),
    },
    "messages",
) | {"description": "OpenAI's request. Fields that are not listed are passed on to the models unchanged."}

_COMPLETION = _object_schema(
    {
        "id": _STRING,
        "object": {"const": "chat.completion"},
        "created": _INTEGER,
        "model": _STRING,
        "choices": _array_schema(_ref("Choice"), minItems=1, maxItems=MAX_CHOICES),
        "usage": _ref("Usage"),
    },
    *("id", "object", "created", "model", "choices", "usage"),
)

_SCHEMAS: dict[str, _Schema] = {
    "ChatRequest": _REQUEST,
    "Message": _object_schema({"role": {"enum": list(ROLES)}, "content": _CONTENT}, "role"),
    "ChatCompletion": _COMPLETION,
    "Choice": _object_schema(
        {
            "index": _INTEGER,
            "message": _object_schema(
                {"role": {"const": "assistant"}, "content": _nullable("string")}, "role", "content"
            ),
            "finish_reason": _STRING,
        },
        *("index", "message", "finish_reason"),
    ),
    "Usage": _object_schema(
        {
            **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), _INTEGER),
            "mom": {"type": "object", "description": "the usage of the whole request, by model"},
        },
        *("prompt_tokens", "completion_tokens", "total_tokens", "mom"),
    ),
    "Model": _object_schema(
        {
            "id": _STRING,
            "object": {"const": "model"},
            "created": _INTEGER,
            "owned_by": _STRING,
            "capabilities": _array_schema(_STRING),
            "context_window": _nullable("integer"),
        },
        *("id", "object", "created", "owned_by"),
    ),
    "Models": _object_schema({"object": {"const": "list"}, "data": _array_schema(_ref("Model"))}, "object", "data"),
    "Readiness": _object_schema(
        {
            "status": {"enum": ["ready", "not ready", "stopping"]},
            "reasons": _array_schema(_STRING),
            "breakers": {"type": "object", "description": "the circuit breakers that are not closed"},
            "requests": _object_schema({"running": _INTEGER, "waiting": _INTEGER}, "running", "waiting"),
        },
        *("status", "breakers", "requests"),
    ),
    "Error": _object_schema(
        {
            "error": _object_schema(
                {
                    "message": _STRING,
                    "type": _STRING,
                    "param": _nullable("string", description="the path of the field at fault: messages[3].role"),
                    "code": _nullable("string"),
                    "causes": _array_schema(_object_schema({"model": _STRING, "kind": _STRING, "message": _STRING})),
                },
                *("message", "type", "param", "code"),
            )
        },
        "error",
    ),
}

_CHAT: _Schema = {
    "summary": "Answer a conversation by a mixture or a single model",
    "operationId": "chat",
    "requestBody": {"required": True, "content": _json_content(_ref("ChatRequest"))},
    "responses": {
        "200": {
            "description": "the answer; with `stream`, server-sent events that end with [DONE] or an error",
            "content": _json_content(_ref("ChatCompletion")) | {"text/event-stream": {}},
        },
        **_REFUSED,
        **_errors(
            _400="the request is invalid, or no model accepts it; `param` is the field at fault",
            _404="no mixture or model has this name",
            _413="the body is larger than server.max_body_mb",
            _415="the body is not JSON",
            _429="every model is rate-limited, or the client's own rate or budget is used up",
            _502="no model could answer; `causes` lists the reasons",
            _503="too many requests, the gateway is stopping, or its models are not ready",
            _504="no model answered in time",
        ),
    },
}

_IS_ID: _Schema = {"name": "id", "in": "path", "required": True, "schema": _STRING | {"minLength": 1}}
_HTML: _Schema = {"text/html": {"schema": _STRING}}


def _describe_page(summary: str, operation: str, *parameters: _Schema) -> _Schema:
    """Return the operation of a page for browsers, which exists if traces are kept."""
    missing = {
        "description": "the pages are off, or this one does not exist",
        "content": _json_content(_ref("Error")) | _HTML,
    }
    responses = {"200": {"description": "the page", "content": _HTML}, **_REFUSED, "404": missing}
    described = {"parameters": list(parameters)} if parameters else {}
    return {"get": {"summary": summary, "operationId": operation, **described, "responses": responses}}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Mixture-of-Models Gateway",
        "version": "1",
        "description": "A panel of models answers in parallel; a critic makes one answer of theirs.",
    },
    "paths": {
        "/v1/chat/completions": {"post": _CHAT},
        "/v1/models": {
            "get": {
                "summary": "List the names that `model` may have",
                "operationId": "list_models",
                "responses": {"200": _response("mixtures first, then models", _ref("Models")), **_REFUSED},
            }
        },
        "/v1/models/{id}": {
            "get": {
                "summary": "Show one mixture or model",
                "operationId": "show_model",
                "parameters": [_IS_ID],
                "responses": {
                    "200": _response("the entry", _ref("Model")),
                    **_REFUSED,
                    **_errors(_404="unknown name"),
                },
            }
        },
        "/healthz": {
            "get": {
                "summary": "Report that the process runs",
                "operationId": "healthz",
                "responses": {
                    "200": _response("the process runs", _object_schema({"status": {"const": "ok"}}, "status"))
                },
            }
        },
        "/readyz": {
            "get": {
                "summary": "Report whether models can be asked",
                "operationId": "readyz",
                "responses": {
                    "200": _response("ready", _ref("Readiness")),
                    "503": _response("not ready, for these reasons", _ref("Readiness")),
                },
            }
        },
        "/metrics": {
            "get": {
                "summary": "Show counters and histograms for Prometheus",
                "operationId": "metrics",
                "responses": {
                    "200": {
                        "description": "the metrics",
                        "content": {
                            "text/plain": {"schema": _STRING},
                            "application/openmetrics-text": {"schema": _STRING},
                        },
                    },
                    **_REFUSED,
                },
            }
        },
        "/ui": _describe_page("Show the newest requests", "ui"),
        "/ui/models": _describe_page("Show how each member of a panel performs", "ui_models"),
        "/ui/requests/{id}": _describe_page("Show one request", "ui_request", _IS_ID),
        "/ui/requests/{id}/download": _describe_page(
            "Download the page of one request as a file", "ui_download", _IS_ID
        ),
        "/openapi.json": {
            "get": {
                "summary": "This document",
                "operationId": "openapi",
                "responses": {"200": _response("the document", {"type": "object"}), **_REFUSED},
            }
        },
    },
    "components": {
        "schemas": _SCHEMAS,
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "if server.api_keys is set"}},
    },
    "security": [{}, {"key": []}],
}
