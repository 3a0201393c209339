"""/openapi.json: what the gateway takes and gives, for tools that read OpenAPI (https://spec.openapis.org/oas/v3.1.0)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from handlers.api.chat.parse import MAX_CHOICES, ROLES

_Schema = dict[str, Any]


async def openapi(_: web.Request) -> web.Response:
    """Give the document."""
    return web.json_response(DOCUMENT)


def _object(properties: Mapping[str, Any], *required: str) -> _Schema:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _array(items: _Schema, **bounds: int) -> _Schema:
    return {"type": "array", "items": items, **bounds}


def _or_null(kind: str, **more: Any) -> _Schema:
    return {"type": [kind, "null"], **more}


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: _Schema) -> _Schema:
    return {"application/json": {"schema": schema}}


def _gives(description: str, schema: _Schema) -> _Schema:
    return {"description": description, "content": _json(schema)}


def _fails(**reasons: str) -> _Schema:
    return {status.removeprefix("_"): _gives(reason, _ref("Error")) for status, reason in reasons.items()}


def _other_than(*kinds: str) -> _Schema:
    """Return the schema of what is of another type: it is passed on as it is."""
    return _object({"type": {"type": "string", "not": {"enum": list(kinds)}}}, "type")


_STRING: _Schema = {"type": "string"}
_INTEGER: _Schema = {"type": "integer"}
_NUMBER = _or_null("number")
_LIMIT = _or_null("integer", minimum=-1, description="-1 is no limit. The configuration's own limit counts as well.")
_NAMED = _object({"name": _STRING}, "name")
_REFUSED = _fails(
    _401="a key is asked for, and none or a wrong one was shown",
    _403="a Host or an Origin that is not allowed",
)
_PART: _Schema = {"anyOf": [_object({"type": {"const": "text"}, "text": _STRING}, "type", "text"), _other_than("text")]}
_CONTENT: _Schema = {"anyOf": [_or_null("string"), _array(_PART)]}
_TOOL: _Schema = {
    "anyOf": [
        _object({"type": {"const": "function"}, "function": _NAMED}, "function"),
        _object({"type": {"const": "custom"}, "custom": _NAMED}, "type", "custom"),
        _other_than("function", "custom"),
    ]
}
_CHOICE_OF_TOOL: _Schema = {"anyOf": [_or_null("string", examples=["none", "auto", "required"]), {"type": "object"}]}
_RESPONSE_FORMAT: _Schema = {
    "anyOf": [
        {"type": "null"},
        _other_than("json_schema"),
        _object({"type": {"const": "json_schema"}, "json_schema": {"type": "object"}}, "type", "json_schema"),
    ]
}

_REQUEST = _object(
    {
        "model": _or_null("string", description="a mixture or a model of GET /v1/models; left out: the first mixture"),
        "messages": _array(_ref("Message"), minItems=1),
        "stream": _or_null("boolean"),
        "stream_options": _or_null("object", properties={"include_usage": {"examples": [True]}}),
        "n": _or_null("integer", minimum=1, maximum=MAX_CHOICES),
        "max_tokens": _LIMIT,
        "max_completion_tokens": _LIMIT,
        **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), _NUMBER),
        "seed": _or_null("integer"),
        "stop": {"anyOf": [_or_null("string"), _array(_STRING)]},
        "tools": {"anyOf": [{"type": "null"}, _array(_TOOL)]},
        "tool_choice": _CHOICE_OF_TOOL,
        "parallel_tool_calls": _or_null("boolean"),
        "response_format": _RESPONSE_FORMAT,
        "logprobs": _or_null("boolean"),
        "logit_bias": _or_null("object"),
        "metadata": _or_null("object"),
        "user": _or_null("string"),
    },
    "messages",
) | {"description": "OpenAI's request. Fields that are not listed are passed on to the models as they are."}

_COMPLETION = _object(
    {
        "id": _STRING,
        "object": {"const": "chat.completion"},
        "created": _INTEGER,
        "model": _STRING,
        "choices": _array(_ref("Choice"), minItems=1, maxItems=MAX_CHOICES),
        "usage": _ref("Usage"),
    },
    *("id", "object", "created", "model", "choices", "usage"),
)

_SCHEMAS: dict[str, _Schema] = {
    "ChatRequest": _REQUEST,
    "Message": _object({"role": {"enum": list(ROLES)}, "content": _CONTENT}, "role"),
    "ChatCompletion": _COMPLETION,
    "Choice": _object(
        {
            "index": _INTEGER,
            "message": _object({"role": {"const": "assistant"}, "content": _or_null("string")}, "role", "content"),
            "finish_reason": _STRING,
        },
        *("index", "message", "finish_reason"),
    ),
    "Usage": _object(
        {
            **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), _INTEGER),
            "mom": {"type": "object", "description": "what the whole request used, by model"},
        },
        *("prompt_tokens", "completion_tokens", "total_tokens", "mom"),
    ),
    "Model": _object(
        {
            "id": _STRING,
            "object": {"const": "model"},
            "created": _INTEGER,
            "owned_by": _STRING,
            "capabilities": _array(_STRING),
            "context_window": _or_null("integer"),
        },
        *("id", "object", "created", "owned_by"),
    ),
    "Models": _object({"object": {"const": "list"}, "data": _array(_ref("Model"))}, "object", "data"),
    "Readiness": _object(
        {
            "status": {"enum": ["ready", "not ready", "stopping"]},
            "reasons": _array(_STRING),
            "breakers": {"type": "object", "description": "the circuit breakers that are not closed"},
            "requests": _object({"running": _INTEGER, "waiting": _INTEGER}, "running", "waiting"),
        },
        *("status", "breakers", "requests"),
    ),
    "Error": _object(
        {
            "error": _object(
                {
                    "message": _STRING,
                    "type": _STRING,
                    "param": _or_null("string", description="the path of the field at fault: messages[3].role"),
                    "code": _or_null("string"),
                    "causes": _array(_object({"model": _STRING, "kind": _STRING, "message": _STRING})),
                },
                *("message", "type", "param", "code"),
            )
        },
        "error",
    ),
}

_CHAT: _Schema = {
    "summary": "Have a mixture, or a single model, answer a conversation",
    "operationId": "chat",
    "requestBody": {"required": True, "content": _json(_ref("ChatRequest"))},
    "responses": {
        "200": {
            "description": "the answer; with `stream` as server-sent events, the last of which is [DONE] or an error",
            "content": _json(_ref("ChatCompletion")) | {"text/event-stream": {}},
        },
        **_REFUSED,
        **_fails(
            _400="the request cannot be read, or no model takes it; `param` is the field at fault",
            _404="there is no mixture and no model of this name",
            _413="the body is larger than server.max_body_mb",
            _415="the body is not JSON",
            _429="every model is rate-limited, or the client has used up what it may",
            _502="no model could answer; `causes` lists why",
            _503="too many requests, or the gateway stops, or its models are not ready",
            _504="no model answered in time",
        ),
    },
}

_IS_ID: _Schema = {"name": "id", "in": "path", "required": True, "schema": _STRING | {"minLength": 1}}
_HTML: _Schema = {"text/html": {"schema": _STRING}}


def _page(summary: str, operation: str, *parameters: _Schema) -> _Schema:
    """Return a page for browsers, which is there where traces are kept."""
    missing = {"description": "the pages are off, or there is no such page", "content": _json(_ref("Error")) | _HTML}
    responses = {"200": {"description": "the page", "content": _HTML}, **_REFUSED, "404": missing}
    described = {"parameters": list(parameters)} if parameters else {}
    return {"get": {"summary": summary, "operationId": operation, **described, "responses": responses}}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Mixture-of-Models Gateway",
        "version": "1",
        "description": "A panel of models answers in parallel, a critic makes one answer of theirs.",
    },
    "paths": {
        "/v1/chat/completions": {"post": _CHAT},
        "/v1/models": {
            "get": {
                "summary": "List what `model` may name",
                "operationId": "list_models",
                "responses": {"200": _gives("mixtures first, then models", _ref("Models")), **_REFUSED},
            }
        },
        "/v1/models/{id}": {
            "get": {
                "summary": "Show one mixture or model",
                "operationId": "show_model",
                "parameters": [_IS_ID],
                "responses": {
                    "200": _gives("the entry", _ref("Model")),
                    **_REFUSED,
                    **_fails(_404="there is none of this name"),
                },
            }
        },
        "/healthz": {
            "get": {
                "summary": "Say that the process runs",
                "operationId": "healthz",
                "responses": {"200": _gives("it does", _object({"status": {"const": "ok"}}, "status"))},
            }
        },
        "/readyz": {
            "get": {
                "summary": "Say whether models can be asked",
                "operationId": "readyz",
                "responses": {
                    "200": _gives("they can", _ref("Readiness")),
                    "503": _gives("they cannot, for these reasons", _ref("Readiness")),
                },
            }
        },
        "/metrics": {
            "get": {
                "summary": "Show counters and times for Prometheus",
                "operationId": "metrics",
                "responses": {
                    "200": {
                        "description": "they are these",
                        "content": {
                            "text/plain": {"schema": _STRING},
                            "application/openmetrics-text": {"schema": _STRING},
                        },
                    },
                    **_REFUSED,
                },
            }
        },
        "/ui": _page("Show the newest requests", "ui"),
        "/ui/models": _page("Show what each member of a panel is worth", "ui_models"),
        "/ui/requests/{id}": _page("Show one request", "ui_request", _IS_ID),
        "/ui/requests/{id}/download": _page("Give the page of one request as a file", "ui_download", _IS_ID),
        "/openapi.json": {
            "get": {
                "summary": "This document",
                "operationId": "openapi",
                "responses": {"200": _gives("it", {"type": "object"}), **_REFUSED},
            }
        },
    },
    "components": {
        "schemas": _SCHEMAS,
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "where server.api_keys is set"}},
    },
    "security": [{}, {"key": []}],
}
