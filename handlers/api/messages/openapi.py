"""Anthropic's Messages in the OpenAPI document. Pure."""

from handlers.api.about.openapi_schema import (
    API_ERRORS,
    INTEGER,
    NUMBER,
    REPORT,
    STEERING,
    STRING,
    Schema,
    array_schema,
    describe_api,
    errors,
    json_content,
    nullable,
    object_schema,
    ref,
    response,
)

_TEXT_BLOCKS = array_schema(object_schema({"type": {"const": "text"}, "text": STRING}, "type", "text"))
_CONTENT: Schema = {"anyOf": [STRING, _TEXT_BLOCKS]}
_MESSAGE = object_schema({"role": {"enum": ["user", "assistant", "system"]}, "content": _CONTENT}, "role", "content")
_TOOL = object_schema({"name": STRING, "input_schema": {"type": "object"}}, "name", "input_schema")

SCHEMAS: dict[str, Schema] = {
    "MessagesRequest": object_schema(
        {
            "mom": STEERING,
            "model": nullable("string", description="a mixture or a model of /v1/models; default: the first mixture"),
            "messages": array_schema(
                _MESSAGE,
                minItems=1,
                contains={"properties": {"role": {"const": "user"}}, "required": ["role"]},
            ),
            "system": {"anyOf": [STRING, _TEXT_BLOCKS, {"type": "null"}]},
            "max_tokens": nullable("integer", minimum=1),
            "stream": nullable("boolean"),
            "temperature": NUMBER,
            "top_p": NUMBER,
            "top_k": NUMBER,
            "stop_sequences": {"anyOf": [array_schema(STRING), {"type": "null"}]},
            "tools": {"anyOf": [array_schema(_TOOL), {"type": "null"}]},
        },
        "messages",
    ),
    "AnthropicError": object_schema(
        {
            "type": {"const": "error"},
            "error": object_schema({"type": STRING, "message": STRING}, "type", "message"),
            "request_id": STRING,
        },
        "type",
        "error",
    ),
}
_COUNT_ERRORS = ("_400", "_401", "_403", "_404", "_413", "_415")
PATHS: dict[str, Schema] = {
    "/v1/messages": {
        "post": describe_api(
            "Answer as Anthropic's Messages",
            "create_message",
            "MessagesRequest",
            object_schema(
                {"mom": REPORT, "type": {"const": "message"}, "content": array_schema({"type": "object"})},
                "type",
                "content",
            ),
            error="AnthropicError",
        )
    },
    "/v1/messages/count_tokens": {
        "post": {
            "summary": "Estimate the input tokens of a Messages request",
            "operationId": "count_tokens",
            "requestBody": {"required": True, "content": json_content(ref("MessagesRequest"))},
            "responses": {
                "200": response("an estimate", object_schema({"input_tokens": INTEGER}, "input_tokens")),
                **errors("AnthropicError", **{status: API_ERRORS[status] for status in _COUNT_ERRORS}),
            },
        }
    },
}
