"""GET /openapi.json: the HTTP API as an OpenAPI document (https://spec.openapis.org/oas/v3.1.0)."""

from typing import Any

from aiohttp import web

from handlers.api.about.openapi_schema import (
    INTEGER,
    IS_ID,
    NUMBER,
    REFUSED,
    REPORT,
    STEERING,
    STRING,
    Schema,
    array_schema,
    errors,
    json_content,
    nullable,
    object_schema,
    ref,
    response,
)
from handlers.api.chat.parse import MAX_CHOICES, ROLES
from handlers.api.messages import openapi as messages
from handlers.api.responses import openapi as responses


async def openapi(_: web.Request) -> web.Response:
    """Return the document."""
    return web.json_response(DOCUMENT)


def _exclude_types(*kinds: str) -> Schema:
    """Return the schema of an object of any other `type`, which is passed on unchanged."""
    return object_schema({"type": {"type": "string", "not": {"enum": list(kinds)}}}, "type")


_LIMIT = nullable("integer", minimum=-1, description="-1: no limit. The limit of the configuration applies as well.")
_NAMED = object_schema({"name": STRING}, "name")
_PART: Schema = {
    "anyOf": [object_schema({"type": {"const": "text"}, "text": STRING}, "type", "text"), _exclude_types("text")]
}
_CONTENT: Schema = {"anyOf": [nullable("string"), array_schema(_PART)]}
_TOOL: Schema = {
    "anyOf": [
        object_schema({"type": {"const": "function"}, "function": _NAMED}, "function"),
        object_schema({"type": {"const": "custom"}, "custom": _NAMED}, "type", "custom"),
        _exclude_types("function", "custom"),
    ]
}
_CHOICE_OF_TOOL: Schema = {"anyOf": [nullable("string", examples=["none", "auto", "required"]), {"type": "object"}]}
_RESPONSE_FORMAT: Schema = {
    "anyOf": [
        {"type": "null"},
        _exclude_types("json_schema"),
        object_schema({"type": {"const": "json_schema"}, "json_schema": {"type": "object"}}, "type", "json_schema"),
    ]
}

_REQUEST = object_schema(
    {
        "model": nullable("string", description="a mixture or a model of GET /v1/models; default: the first mixture"),
        "messages": array_schema(ref("Message"), minItems=1),
        "stream": nullable("boolean"),
        "stream_options": nullable("object", properties={"include_usage": {"examples": [True]}}),
        "n": nullable("integer", minimum=1, maximum=MAX_CHOICES),
        "max_tokens": _LIMIT,
        "max_completion_tokens": _LIMIT,
        **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), NUMBER),
        "seed": nullable("integer"),
        "stop": {"anyOf": [nullable("string"), array_schema(STRING)]},
        "tools": {"anyOf": [{"type": "null"}, array_schema(_TOOL)]},
        "tool_choice": _CHOICE_OF_TOOL,
        "parallel_tool_calls": nullable("boolean"),
        "response_format": _RESPONSE_FORMAT,
        "logprobs": nullable("boolean"),
        "logit_bias": nullable("object"),
        "metadata": nullable("object"),
        "user": nullable("string"),
        "mom": ref("Steering"),
    },
    "messages",
) | {"description": "OpenAI's request. Fields that are not listed are passed on to the models unchanged."}

_COMPLETION = object_schema(
    {
        "id": STRING,
        "object": {"const": "chat.completion"},
        "created": INTEGER,
        "model": STRING,
        "choices": array_schema(ref("Choice"), minItems=1, maxItems=MAX_CHOICES),
        "usage": ref("Usage"),
        "mom": ref("Report"),
    },
    *("id", "object", "created", "model", "choices", "usage"),
)

_SCHEMAS: dict[str, Schema] = {
    "ChatRequest": _REQUEST,
    "Steering": STEERING,
    "Report": REPORT,
    "Message": object_schema({"role": {"enum": list(ROLES)}, "content": _CONTENT}, "role"),
    "ChatCompletion": _COMPLETION,
    "Choice": object_schema(
        {
            "index": INTEGER,
            "message": object_schema(
                {"role": {"const": "assistant"}, "content": nullable("string")}, "role", "content"
            ),
            "finish_reason": STRING,
        },
        *("index", "message", "finish_reason"),
    ),
    "Usage": object_schema(
        {
            **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), INTEGER),
            "mom": {"type": "object", "description": "the usage of the whole request, by model"},
        },
        *("prompt_tokens", "completion_tokens", "total_tokens", "mom"),
    ),
    "Model": object_schema(
        {
            "id": STRING,
            "object": {"const": "model"},
            "created": INTEGER,
            "owned_by": STRING,
            "capabilities": array_schema(STRING),
            "context_window": nullable("integer"),
            "alias_of": {**STRING, "description": "the mixture or model that an alias stands for"},
        },
        *("id", "object", "created", "owned_by"),
    ),
    "Models": object_schema({"object": {"const": "list"}, "data": array_schema(ref("Model"))}, "object", "data"),
    "Readiness": object_schema(
        {
            "status": {"enum": ["ready", "not ready", "stopping"]},
            "reasons": array_schema(STRING),
            "breakers": {"type": "object", "description": "the circuit breakers that are not closed"},
            "requests": object_schema(
                dict.fromkeys(("receiving", "waiting", "running"), INTEGER), "receiving", "waiting", "running"
            ),
            "store": object_schema({"state": {"enum": ["ok", "failed"]}, "reason": STRING, "effect": STRING}, "state"),
        },
        *("status", "breakers", "requests", "store"),
    ),
    "Error": object_schema(
        {
            "error": object_schema(
                {
                    "message": STRING,
                    "type": STRING,
                    "param": nullable("string", description="the path of the field at fault: messages[3].role"),
                    "code": nullable("string"),
                    "causes": array_schema(object_schema({"model": STRING, "kind": STRING, "message": STRING})),
                },
                *("message", "type", "param", "code"),
            )
        },
        "error",
    ),
}

_CHAT: Schema = {
    "summary": "Answer a conversation by a mixture or a single model",
    "operationId": "chat",
    "requestBody": {"required": True, "content": json_content(ref("ChatRequest"))},
    "responses": {
        "200": {
            "description": "the answer; with `stream`, server-sent events that end with [DONE] or an error",
            "content": json_content(ref("ChatCompletion")) | {"text/event-stream": {}},
        },
        **REFUSED,
        **errors(
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

_HTML: Schema = {"text/html": {"schema": STRING}}


def _describe_page(summary: str, operation: str, *parameters: Schema) -> Schema:
    """Return the operation of a page for browsers, which exists if traces are kept."""
    missing = {
        "description": "the pages are off, or this one does not exist",
        "content": json_content(ref("Error")) | _HTML,
    }
    responses = {"200": {"description": "the page", "content": _HTML}, **REFUSED, "404": missing}
    described = {"parameters": list(parameters)} if parameters else {}
    return {"get": {"summary": summary, "operationId": operation, **described, "responses": responses}}


_LEAD_TO_PAGES: Schema = {
    "get": {
        "summary": "Lead a browser to the pages",
        "operationId": "root",
        "responses": {
            "302": {"description": "the pages, for a client that accepts HTML"},
            **REFUSED,
            "404": response("the pages are off, or the client is not a browser", ref("Error")),
        },
    }
}


def _describe_ask(summary: str, operation: str, not_found: str) -> Schema:
    """Return the operation that answers a question with a stream of the run."""
    return {
        "summary": summary,
        "operationId": operation,
        "requestBody": {"required": True, "content": json_content(ref("ChatRequest"))},
        "responses": {
            **_CHAT["responses"],
            "200": {"description": "the run as server-sent events", "content": {"text/event-stream": {}}},
            "404": response(not_found, ref("Error")),
        },
    }


_ASK = _describe_ask(
    "Answer a question, and show the run: each member's text while it is written, then the answer",
    "ask",
    "no mixture or model has this name",
)
_ASK_FROM_PAGE = _describe_ask(
    "Answer a question of the page /ui/ask",
    "ask_from_page",
    "the pages are off, or no mixture or model has this name",
)

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Mixture-of-Models Gateway",
        "version": "1",
        "description": "A panel of models answers in parallel; a critic makes one answer from theirs.",
    },
    "paths": {
        "/v1/chat/completions": {"post": _CHAT},
        **messages.PATHS,
        **responses.PATHS,
        "/v1/ask": {"post": _ASK},
        "/v1/models": {
            "get": {
                "summary": "List the names that `model` may have",
                "operationId": "list_models",
                "responses": {"200": response("mixtures first, then models", ref("Models")), **REFUSED},
            }
        },
        "/v1/models/{id}": {
            "get": {
                "summary": "Show one mixture or model",
                "operationId": "show_model",
                "parameters": [IS_ID],
                "responses": {
                    "200": response("the entry", ref("Model")),
                    **REFUSED,
                    **errors(_404="unknown name"),
                },
            }
        },
        "/healthz": {
            "get": {
                "summary": "Report that the process runs",
                "operationId": "healthz",
                "responses": {
                    "200": response("the process runs", object_schema({"status": {"const": "ok"}}, "status"))
                },
            }
        },
        "/readyz": {
            "get": {
                "summary": "Report whether models can be asked",
                "operationId": "readyz",
                "responses": {
                    "200": response("ready", ref("Readiness")),
                    "503": response("not ready, for these reasons", ref("Readiness")),
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
                            "text/plain": {"schema": STRING},
                            "application/openmetrics-text": {"schema": STRING},
                        },
                    },
                    **REFUSED,
                },
            }
        },
        "/": _LEAD_TO_PAGES,
        "/ui": _describe_page("Show the newest requests", "ui"),
        "/ui/ask": {**_describe_page("Show the form for a question", "ui_ask"), "post": _ASK_FROM_PAGE},
        "/ui/models": _describe_page("Show how each member of a panel performs", "ui_models"),
        "/ui/usage": _describe_page("Show the usage of clients and models", "ui_usage"),
        "/ui/requests/{id}": _describe_page("Show one request", "ui_request", IS_ID),
        "/ui/requests/{id}/download": _describe_page(
            "Download the page of one request as a file", "ui_download", IS_ID
        ),
        "/openapi.json": {
            "get": {
                "summary": "This document",
                "operationId": "openapi",
                "responses": {"200": response("the document", {"type": "object"}), **REFUSED},
            }
        },
    },
    "components": {
        "schemas": {**_SCHEMAS, **messages.SCHEMAS, **responses.SCHEMAS},
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "if server.api_keys is set"}},
    },
    "security": [{}, {"key": []}],
}
