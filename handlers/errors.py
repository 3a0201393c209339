"""Translate every error of the gateway into OpenAI's error object: status, code, headers and causes."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from handlers.json_reply import respond_json
from synth.events import Cause, SynthesisError
from upstream.errors import Kind

MAX_RETRY_AFTER_S = 60
_MAX_NAME_CHARS = 128  # the longest name that config.yaml allows
_LOGGED_NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,31}")  # shorter than most keys, which might stand in its place
INSUFFICIENT_QUOTA = "insufficient_quota"  # as in OpenAI's errors: both the code and the type
_NOT_READY = "model_not_ready"
_CONTEXT_PHRASE = "This model's maximum context length is"


class StartError(Exception):
    """The gateway cannot start; the message names the cause and the remedy."""


class ApiError(Exception):
    """An error reply. `param` is the path of the field at fault (`messages[3].role`).

    `logged` is the cause as the log may have it: without text of the request.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        causes: Sequence[Cause] = (),
        logged: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers or {}
        self.causes = tuple(causes)
        self.logged = logged

    def body(self) -> dict[str, Any]:
        """Return the error object in OpenAI's shape, with the cause of each upstream if there are any."""
        error: dict[str, Any] = {
            "message": self._sanitize(self.message),
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
                    "message": self._sanitize(cause.error.message),
                }
                for cause in self.causes
            ]
        return {"error": error}

    def _sanitize(self, message: str) -> str:
        return _avoid_retry_words(message) if self.status == HTTPStatus.BAD_REQUEST else message

    def response(self) -> web.Response:
        """Return the JSON reply."""
        return respond_json(self.body(), status=self.status, headers=self.headers)

    def sse(self) -> bytes:
        """Return the error as the last server-sent event of a stream."""
        return b"data: " + json.dumps(self.body()).encode("ascii") + b"\n\n"


def from_synthesis(error: SynthesisError, *, keeps_status: bool = False) -> ApiError:
    """Return the error reply for a request that no model could answer: one error that lists each cause.

    With `keeps_status`, for a single model that was asked by its own name, the upstream's status is kept if the client
    can act upon it; the causes of a panel differ, and none of them is the client's fault.
    """
    for cause in error.causes:
        _drop_tracebacks(cause.error)
    status, code = _status_and_code(error.causes)
    if keeps_status and status == HTTPStatus.BAD_GATEWAY and len(error.causes) == 1:
        stated = error.causes[0].error.status or status
        status, code = (stated, _KEPT_STATUSES[stated]) if stated in _KEPT_STATUSES else (status, code)
    listed = "; ".join(dict.fromkeys(map(_describe_cause, error.causes)))
    headers = {"x-should-retry": "false"}
    if error.interrupted and error.causes[-1].error.kind is Kind.BROKEN_CONTRACT:
        message = f"the answer was sent, but does not keep the requested form: {listed}"
    elif error.interrupted:
        message = f"the answer broke off: {listed}"
    elif code == "context_length_exceeded":
        message = listed if _CONTEXT_PHRASE in listed else f"{_CONTEXT_PHRASE} exceeded by this conversation. {listed}"
    else:
        message = f"no model could answer. {listed}"
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers.update(_retry_after(error.causes))
    if code == _NOT_READY and "Retry-After" in headers:
        del headers["x-should-retry"]  # the model will answer then
    return ApiError(status, message, code=code, headers=headers, causes=error.causes)


def _describe_cause(cause: Cause) -> str:
    """Return the model and the message; only the message if it names its model already."""
    name = cause.model.partition("#")[0]
    return (
        cause.error.message if cause.error.message.startswith(f"{name}: ") else f"{cause.model}: {cause.error.message}"
    )


_KEPT_STATUSES: Mapping[int, str] = {
    401: "invalid_api_key",
    402: INSUFFICIENT_QUOTA,
    403: "permission_denied",
    404: "model_not_found",
    413: "request_too_large",
    429: "rate_limit_exceeded",
}
_STATUS_BY_KIND: Mapping[Kind, tuple[int, str]] = {
    Kind.RATE_LIMITED: (429, "rate_limit_exceeded"),
    Kind.TIMEOUT: (504, "upstream_timeout"),
    Kind.NOT_READY: (503, _NOT_READY),
    Kind.BROKEN_CONTRACT: (502, "invalid_answer"),
    Kind.BREAKER_OPEN: (503, "upstream_unavailable"),
}


def _status_and_code(causes: Sequence[Cause]) -> tuple[int, str]:
    """Return status and code: those of the kind if all causes share one; 4xx if the client is at fault; else 502."""
    kinds = {cause.error.kind for cause in causes}
    if len(kinds) == 1 and kinds <= _STATUS_BY_KIND.keys():
        return _STATUS_BY_KIND[kinds.pop()]
    if Kind.CONTEXT_LENGTH in kinds and kinds <= {Kind.CONTEXT_LENGTH, Kind.REJECTED}:
        return 400, "context_length_exceeded"
    if causes and all(cause.error.kind is Kind.REJECTED and cause.error.status in (400, 422) for cause in causes):
        return 400, "rejected_by_upstreams"
    return 502, "upstream_error"


def _drop_tracebacks(error: BaseException | None) -> None:
    """Release the frames of an expected failure: they hold the request, and often the failure itself, in a cycle."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _retry_after(causes: Sequence[Cause]) -> dict[str, str]:
    asked = [cause.error.retry_after_s for cause in causes if cause.error.retry_after_s is not None]
    if not asked:
        return {}
    return {"Retry-After": str(min(MAX_RETRY_AFTER_S, max(1, round(min(asked)))))}


def from_http_exception(error: web.HTTPException, request: web.Request) -> ApiError:
    """Translate aiohttp's own refusals (unknown path, wrong method, body too large) into an ApiError."""
    allow, hint = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}, None
    if isinstance(error, web.HTTPNotFound):
        hint, code = _hint_at_path(request), "not_found"
        message = f"unknown path {request.path}; {hint or 'try POST /v1/chat/completions'}"
    elif isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message, code = f"{request.path} accepts {allowed}, not {request.method}", "method_not_allowed"
    elif isinstance(error, web.HTTPRequestEntityTooLarge):
        message, code = (
            "the request body is larger than server.max_body_mb; send less, or raise the limit",
            "request_too_large",
        )
    else:
        message, code = error.reason, None
    return ApiError(error.status, message, code=code, headers=allow, logged=hint)


def _hint_at_path(request: web.Request) -> str | None:
    """Return a hint at the right path, or None: most often the client's base URL lacks /v1, or has it twice."""
    path = request.path.rstrip("/")
    known = {resource.canonical for resource in request.app.router.resources()}
    for guess in (path, f"/v1{path}", path.replace("/v1/v1/", "/v1/"), path.removeprefix("/api"), f"/v1{path[3:]}"):
        if guess in known and guess != request.path:
            is_twice = path.startswith("/v1/v1/")
            why = "this client adds /v1 to its base URL itself" if is_twice else "a client's base URL ends in /v1"
            return f"use {guess}: {why}"
    return None


def unknown_model(name: str, known: Iterable[str], param: str = "model") -> ApiError:
    """Return the 404 for a name that the client may not use in its field `param`, with the names that it may."""
    at = "" if param == "model" else f"{param}: "
    shown = name if len(name) <= _MAX_NAME_CHARS else f"{name[:_MAX_NAME_CHARS]}…"
    message = f"{at}unknown model {shown!r}; available: {', '.join(known) or 'none'}"
    logged = f"unknown model {name}" if _LOGGED_NAME.fullmatch(name) else None
    return ApiError(404, message, param=param, code="model_not_found", logged=logged)


def unexpected() -> ApiError:
    """Return the reply to a bug of our own. The traceback goes only into the log."""
    message = "internal error in the gateway; search its log for this reply's x-request-id"
    return ApiError(500, message, code="internal_error")


def _avoid_retry_words(message: str) -> str:
    """Remove from a 400 the words that make some clients take it for a 429 and repeat the request forever."""
    return re.sub(r"\d*429\d*", "(a number)", re.sub(r"rate.?limit", "limit", message, flags=re.IGNORECASE))


def _type_of(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "authentication_error"
    return "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
