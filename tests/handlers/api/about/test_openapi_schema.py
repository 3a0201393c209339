"""The parts of an OpenAPI document are correct JSON Schema."""

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from handlers.api.about.openapi_schema import (
    API_ERRORS,
    INTEGER,
    NUMBER,
    STRING,
    Schema,
    array_schema,
    describe_api,
    errors,
    nullable,
    object_schema,
    ref,
)


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    [
        (object_schema({"a": STRING}, "a"), [{"a": ""}, {"a": "", "b": 1}], [{}, {"a": 1}, [], None]),
        (object_schema({"a": STRING}), [{}, {"a": ""}], [{"a": 1}]),
        (array_schema(INTEGER, minItems=1), [[1]], [[], ["a"], {}]),
        (nullable("integer", minimum=1), [None, 1], [0, "1"]),
        (NUMBER, [None, 1, 1.5], ["1"]),
    ],
)
def test_a_schema_accepts_valid_values_only(schema: Schema, valid: list[Any], invalid: list[Any]) -> None:
    """And nothing else."""
    validator = Draft202012Validator(schema)
    assert all(validator.is_valid(value) for value in valid)
    assert not any(validator.is_valid(value) for value in invalid)


def test_errors_are_described_by_status() -> None:
    """With the error object of the API that is meant."""
    described = errors("AnthropicError", _404="unknown model")
    assert list(described) == ["404"]
    assert described["404"]["description"] == "unknown model"
    assert described["404"]["content"]["application/json"]["schema"] == ref("AnthropicError")


def test_an_api_answers_as_json_and_as_a_stream() -> None:
    """Each status that it can have is described."""
    described = describe_api("Answer", "create", "Request", STRING, error="Mine")
    assert described["requestBody"]["content"]["application/json"]["schema"] == ref("Request")
    assert set(described["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert set(described["responses"]) == {"200"} | {status.removeprefix("_") for status in API_ERRORS}
    assert described["responses"]["502"]["content"]["application/json"]["schema"] == ref("Mine")
