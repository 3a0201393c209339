"""CallError: its kinds, and which failures may be retried."""

import pytest

from upstream.errors import CallError, Kind, kind_of_status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.REJECTED),
        (401, Kind.AUTH),
        (402, Kind.REJECTED),
        (403, Kind.AUTH),
        (404, Kind.REJECTED),
        (408, Kind.TIMEOUT),
        (429, Kind.RATE_LIMITED),
        (500, Kind.SERVER_ERROR),
        (501, Kind.SERVER_ERROR),
        (504, Kind.TIMEOUT),
        (524, Kind.TIMEOUT),
        (529, Kind.SERVER_ERROR),
    ],
)
def test_a_status_has_a_kind(status: int, kind: Kind) -> None:
    """Including those of Cloudflare (52x) and Anthropic (529)."""
    assert kind_of_status(status) is kind


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 501, 502, 503, 504, *range(520, 530)])
def test_temporary_failures_are_retried(status: int) -> None:
    """They may pass."""
    assert CallError(kind_of_status(status), "x", status=status).retryable


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 451, 505])
def test_permanent_failures_are_not_retried(status: int) -> None:
    """The same request would get the same reply."""
    assert not CallError(kind_of_status(status), "x", status=status).retryable


@pytest.mark.parametrize("kind", sorted(Kind))
def test_failures_without_a_status_are_retried_by_their_kind(kind: Kind) -> None:
    """If the connection or the reply broke, or was late."""
    expected = {Kind.CONNECT, Kind.DISCONNECTED, Kind.TIMEOUT, Kind.UNPARSABLE, Kind.TRUNCATED}
    assert CallError(kind, "x").retryable == (kind in expected)


@pytest.mark.parametrize("should_retry", [True, False])
def test_the_upstream_s_word_counts_more_than_the_status(*, should_retry: bool) -> None:
    """As `x-should-retry` does in the OpenAI SDKs."""
    for status in (400, 500):
        error = CallError(kind_of_status(status), "x", status=status, should_retry=should_retry)
        assert error.retryable == should_retry
