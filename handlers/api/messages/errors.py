"""Errors in the shape of Anthropic's Messages: https://docs.anthropic.com/en/api/errors. Pure."""

from collections.abc import Mapping
from typing import Any

from handlers.errors import ApiError

_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(error: ApiError, request_id: str = "") -> dict[str, Any]:
    """Return the `error` object of Anthropic's Messages."""
    message = error.message
    if error.code == "context_length_exceeded":
        message = f"prompt is too long: {message}"
    kind = _TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")  # noqa: PLR2004
    body: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": message}}
    return {**body, "request_id": request_id} if request_id else body
