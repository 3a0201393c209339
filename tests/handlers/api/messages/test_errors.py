"""Errors in the shape of Anthropic's Messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.api.messages.errors import error_body
from handlers.errors import ApiError


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_each_status_has_its_type(status: int, kind: str) -> None:
    """SDKs choose the class of an exception by them."""
    assert error_body(ApiError(status, "why")) == {"type": "error", "error": {"type": kind, "message": "why"}}


@given(st.integers(400, 599))
def test_every_error_has_a_type(status: int) -> None:
    """The client's fault is never called the API's, nor the other way round."""
    kind = error_body(ApiError(status, "why"))["error"]["type"]
    assert (kind == "invalid_request_error") <= (status < 500)
    assert (kind in ("api_error", "overloaded_error", "timeout_error")) == (status >= 500)


def test_a_conversation_that_is_too_long_has_the_words_that_clients_search_for() -> None:
    """Claude Code shortens a conversation after "prompt is too long"."""
    error = ApiError(400, "9 tokens, 8 allowed", code="context_length_exceeded")
    assert error_body(error)["error"]["message"] == "prompt is too long: 9 tokens, 8 allowed"


def test_the_request_is_named_if_it_is_known() -> None:
    """An event in a stream has no id of its own."""
    assert error_body(ApiError(500, "why"), "req-1")["request_id"] == "req-1"
    assert "request_id" not in error_body(ApiError(500, "why"))
