"""Every error becomes OpenAI's error body here, and only here."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from synth.events import Cause, SynthesisError
from upstream.errors import Kind

MAX_RETRY_AFTER_S = 60
INSUFFICIENT_QUOTA = "insufficient_quota"  # OpenAI's word for it, as code and as type
_CONTEXT_WORDS = "This model's maximum context length is"


class StartError(Exception):
    """The gateway cannot start; the message names the cause and the remedy."""


class ApiError(Exception):
    """A request that gets an error reply. `param` is the path of the field at fault (`messages[3].role`)."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        causes: Sequence[Cause] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers or {}
        self.causes = tuple(causes)

    def body(self) -> dict[str, Any]:
        """Return the error in OpenAI's shape, with each upstream's cause where there is any."""
        error: dict[str, Any] = {
            "message": self._said(self.message),
            "type": INSUFFICIENT_QUOTA if self.code == INSUFFICIENT_QUOTA else _type_of(self.status),
            "param": self.param,
            "code": self.code,
        }
        if self.causes:
            error["causes"] = [
                {
                    "model": cause.model,
                    "kind": str(cause.error.kind),
                    "status": cause.error.status,
                    "message": self._said(cause.error.message),
                }
                for cause in self.causes
            ]
        return {"error": error}

    def _said(self, message: str) -> str:
        return _tame(message) if self.status == HTTPStatus.BAD_REQUEST else message

    def response(self) -> web.Response:
        """Return the JSON reply."""
        return web.json_response(self.body(), status=self.status, headers=self.headers)

    def sse(self) -> bytes:
        """Return the error as the event that ends a stream."""
        return b"data: " + json.dumps(self.body()).encode("ascii") + b"\n\n"


def from_synthesis(error: SynthesisError) -> ApiError:
    """Return what the client is told when no model has an answer: one error that lists each cause."""
    status, code = _verdict(error.causes)
    listed = "; ".join(dict.fromkeys(f"{cause.model}: {cause.error.message}" for cause in error.causes))
    headers = {"x-should-retry": "false"}
    if error.interrupted:
        message = f"the answer broke off: {listed}"
    elif code == "context_length_exceeded":
        message = listed if _CONTEXT_WORDS in listed else f"{_CONTEXT_WORDS} exceeded by this conversation. {listed}"
    else:
        message = f"no model could answer. {listed}"
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers.update(_retry_after(error.causes))
    return ApiError(status, message, code=code, headers=headers, causes=error.causes)


_VERDICTS: Mapping[Kind, tuple[int, str]] = {
    Kind.RATE_LIMITED: (429, "rate_limit_exceeded"),
    Kind.TIMEOUT: (504, "upstream_timeout"),
    Kind.NOT_READY: (503, "model_not_ready"),
    Kind.BROKEN_CONTRACT: (502, "invalid_answer"),
    Kind.BREAKER_OPEN: (503, "upstream_unavailable"),
}


def _verdict(causes: Sequence[Cause]) -> tuple[int, str]:
    """Return status and code: the kind's own where all causes are alike, else 4xx where the client is at fault."""
    kinds = {cause.error.kind for cause in causes}
    if len(kinds) == 1 and kinds <= _VERDICTS.keys():
        return _VERDICTS[kinds.pop()]
    if Kind.CONTEXT_LENGTH in kinds and kinds <= {Kind.CONTEXT_LENGTH, Kind.REJECTED}:
        return 400, "context_length_exceeded"
    if causes and all(cause.error.kind is Kind.REJECTED and cause.error.status in (400, 422) for cause in causes):
        return 400, "rejected_by_upstreams"
    return 502, "upstream_error"


def _retry_after(causes: Sequence[Cause]) -> dict[str, str]:
    asked = [cause.error.retry_after_s for cause in causes if cause.error.retry_after_s is not None]
    if not asked:
        return {}
    return {"Retry-After": str(min(MAX_RETRY_AFTER_S, max(1, round(min(asked)))))}


def from_http_exception(error: web.HTTPException, request: web.Request) -> ApiError:
    """Return aiohttp's own refusals (no such path, wrong method, body too large) in OpenAI's shape."""
    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    if isinstance(error, web.HTTPNotFound):
        message, code = f"there is no {request.path}; try POST /v1/chat/completions", "not_found"
    elif isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message, code = f"{request.path} takes {allowed}, not {request.method}", "method_not_allowed"
    elif isinstance(error, web.HTTPRequestEntityTooLarge):
        message, code = "the request body is larger than server.max_body_mb allows", "request_too_large"
    else:
        message, code = error.reason, None
    return ApiError(error.status, message, code=code, headers=allow)


def unexpected() -> ApiError:
    """Return the reply to a fault of our own, of which the log holds the traceback and the client learns nothing."""
    return ApiError(500, "the gateway failed; its log holds the cause under this x-request-id", code="internal_error")


def _tame(message: str) -> str:
    """Take out of a 400 the words by which some clients would think it a 429, and repeat the request for ever."""
    return re.sub(r"\d*429\d*", "(a number)", re.sub(r"rate.?limit", "limit", message, flags=re.IGNORECASE))


def _type_of(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "authentication_error"
    return "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
