"""The description of Responses in the OpenAPI document agrees with the parser."""

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from handlers.api.responses.api import ResponsesApi
from handlers.api.responses.openapi import PATHS, SCHEMAS
from handlers.errors import ApiError

REQUEST = Draft202012Validator(SCHEMAS["ResponsesRequest"])


@pytest.mark.parametrize(
    "body",
    [
        {"input": "hi"},
        {"input": [{"role": "user", "content": "hi"}], "instructions": None},
        {"input": [{"type": "message", "role": "developer", "content": "x"}, {"role": "user", "content": "hi"}]},
        {"input": "hi", "model": None, "stream": False, "temperature": 0, "top_p": None, "max_output_tokens": 9},
    ],
)
def test_documented_requests_are_accepted(body: dict[str, Any]) -> None:
    """A generated client that keeps to the document gets no 400."""
    assert REQUEST.is_valid(body)
    assert ResponsesApi().parse(body).chat.messages


@pytest.mark.parametrize("body", [{}, {"input": []}, {"input": 1}, {"input": "hi", "stream": "yes"}])
def test_refused_requests_are_documented_as_invalid(body: dict[str, Any]) -> None:
    """And the other way round."""
    assert not REQUEST.is_valid(body)
    with pytest.raises(ApiError):
        ResponsesApi().parse(body)


def test_operations_have_names_of_their_own() -> None:
    """Generators of clients make a method of each."""
    names = [operation["operationId"] for methods in PATHS.values() for operation in methods.values()]
    assert len(names) == len(set(names)) == 4
