"""CallError, the exception of every failed call, and its kinds."""

from enum import StrEnum
from typing import Any

RETRYABLE_STATUSES = frozenset({408, 409, 425, 429, 500, 501, 502, 503, 504, *range(520, 530)})


class Kind(StrEnum):
    """Why an attempt failed. A call fails with the kind of its last attempt."""

    CONNECT = "connect"  # refused, DNS, TLS
    DISCONNECTED = "disconnected"  # closed before the first byte of a reply
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"  # 429
    AUTH = "auth"  # 401, 403
    CONTEXT_LENGTH = "context_length"  # the conversation does not fit the model
    REJECTED = "rejected"  # any other 4xx, and redirects, which are never followed
    SERVER_ERROR = "server_error"  # 5xx
    UNPARSABLE = "unparsable"  # not JSON, or JSON of another shape
    TRUNCATED = "truncated"  # the body or the stream ended early
    OVERSIZED = "oversized"
    EMPTY = "empty"  # a complete reply without content
    NOT_READY = "not_ready"  # an embedded model that is still being installed
    BROKEN_CONTRACT = "broken_contract"  # an answer in a form that the request does not allow
    BREAKER_OPEN = "breaker_open"  # not asked: too many calls to it have failed
    STRAGGLER = "straggler"  # cancelled: a quorum had answered, and the grace was over
    RETRYING = "retrying"  # cancelled: it was still retrying when every other proposer had settled


_RETRYABLE_KINDS = frozenset(
    {Kind.CONNECT, Kind.DISCONNECTED, Kind.TIMEOUT, Kind.UNPARSABLE, Kind.TRUNCATED},
)


class CallError(Exception):
    """The failure of an attempt or a call. `message` may be shown to a client: it contains no key and no prompt.

    `status` is the upstream's HTTP status, or the one in the error object of a reply with status 200; None without a
    reply. `retry_after_s` is the pause that the upstream asked for, in seconds from the reply. `body` is the error
    reply itself (a JSON value or a text), from which refused fields are read; it is never shown. `should_retry` is the
    upstream's advice (x-should-retry, or a quota that is used up), or None without any. The error `has_remedy` if it
    has taught how the request must differ for this model: then asking again at once may succeed.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        should_retry: bool | None = None,
        body: Any = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.should_retry = should_retry
        self.body = body
        self.has_remedy = False

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed if it is retried."""
        if self.kind is Kind.CONTEXT_LENGTH:
            return False
        if self.should_retry is not None:
            return self.should_retry
        if self.status is not None:
            return self.status in RETRYABLE_STATUSES
        return self.kind in _RETRYABLE_KINDS


def kind_of_status(status: int) -> Kind:
    """Return the kind of failure of a reply with this status, which is not 2xx."""
    if status in (401, 403):
        return Kind.AUTH
    if status == 429:  # noqa: PLR2004 -- RFC 6585
        return Kind.RATE_LIMITED
    if status in (408, 504, 522, 524):  # the last two are Cloudflare's
        return Kind.TIMEOUT
    return Kind.SERVER_ERROR if status >= 500 else Kind.REJECTED  # noqa: PLR2004
