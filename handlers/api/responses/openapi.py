"""OpenAI's Responses in the OpenAPI document. Pure."""

from handlers.api.about.openapi_schema import (
    IS_ID,
    NUMBER,
    REFUSED,
    REPORT,
    STEERING,
    STRING,
    Schema,
    array_schema,
    describe_api,
    errors,
    nullable,
    object_schema,
)

_ITEM = object_schema(
    {
        "type": {"const": "message"},
        "role": {"enum": ["user", "assistant", "system", "developer"]},
        "content": STRING,
    },
    "role",
    "content",
)


def _describe_refusal(verb: str) -> Schema:
    return {
        "summary": f"Refuse to {verb} a stored response",
        "operationId": f"{verb}_response",
        "parameters": [IS_ID],
        "responses": {**REFUSED, **errors(_404="the gateway stores no responses")},
    }


SCHEMAS: dict[str, Schema] = {
    "ResponsesRequest": object_schema(
        {
            "mom": STEERING,
            "model": nullable("string", description="a mixture or a model of /v1/models; default: the first mixture"),
            "input": {"anyOf": [STRING, array_schema(_ITEM, minItems=1)]},
            "instructions": nullable("string"),
            "max_output_tokens": nullable("integer"),
            "stream": nullable("boolean"),
            "temperature": NUMBER,
            "top_p": NUMBER,
        },
        "input",
    )
}
PATHS: dict[str, Schema] = {
    "/v1/responses": {
        "post": describe_api(
            "Answer as OpenAI's Responses, without storing anything",
            "create_response",
            "ResponsesRequest",
            object_schema(
                {"mom": REPORT, "object": {"const": "response"}, "output": array_schema({"type": "object"})},
                "object",
                "output",
            ),
        ),
        "get": {
            "summary": "Refuse a WebSocket",
            "operationId": "refuse_websocket",
            "responses": {**REFUSED, **errors(_426="there is none; use POST")},
        },
    },
    "/v1/responses/{id}": {"get": _describe_refusal("show"), "delete": _describe_refusal("delete")},
}
