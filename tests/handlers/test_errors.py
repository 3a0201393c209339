"""Every error in OpenAI's shape, with a status derived from its causes."""

from http import HTTPStatus

import pytest

from handlers.errors import ApiError, from_synthesis
from synth.events import Cause, SynthesisError
from upstream.errors import CallError, Kind, kind_of_status


def cause(kind: Kind, message: str = "m", status: int | None = None, retry_after_s: float | None = None) -> Cause:
    return Cause(kind.value, CallError(kind, message, status=status, retry_after_s=retry_after_s))


@pytest.mark.parametrize(
    ("causes", "status", "code"),
    [
        ([cause(Kind.RATE_LIMITED), cause(Kind.RATE_LIMITED)], 429, "rate_limit_exceeded"),
        ([cause(Kind.RATE_LIMITED), cause(Kind.TIMEOUT)], 502, "upstream_error"),
        ([cause(Kind.TIMEOUT)], 504, "upstream_timeout"),
        ([cause(Kind.NOT_READY)], 503, "model_not_ready"),
        ([cause(Kind.BROKEN_CONTRACT)], 502, "invalid_answer"),
        ([cause(Kind.CONTEXT_LENGTH), cause(Kind.REJECTED, status=400)], 400, "context_length_exceeded"),
        ([cause(Kind.REJECTED, status=400), cause(Kind.REJECTED, status=422)], 400, "rejected_by_upstreams"),
        ([cause(Kind.REJECTED, status=404)], 502, "upstream_error"),
        ([cause(Kind.CONNECT)], 502, "upstream_error"),
        ([], 502, "upstream_error"),
    ],
)
def test_the_causes_give_the_status(causes: list[Cause], status: int, code: str) -> None:
    """The kind's own where all are alike, 4xx where the client is at fault, else 502."""
    error = from_synthesis(SynthesisError(causes))
    assert (error.status, error.code) == (status, code)
    assert error.headers["x-should-retry"] == "false"


def test_samples_that_fail_alike_are_listed_once() -> None:
    """If the message names the model itself; each cause is still there."""
    error = from_synthesis(
        SynthesisError([Cause(f"tiny#{n}", CallError(Kind.NOT_READY, "tiny: downloading, 3 %")) for n in (1, 2, 3)])
    )
    assert error.message == "no model could answer. tiny: downloading, 3 %"
    assert len(error.causes) == 3


def test_a_model_that_is_being_installed_may_be_asked_again() -> None:
    """If the time is known: the header against it is left out."""
    error = from_synthesis(SynthesisError([cause(Kind.NOT_READY, retry_after_s=40.2)]))
    assert error.headers == {"Retry-After": "40"}


def test_the_smallest_retry_after_counts() -> None:
    """Of all that were stated, in whole seconds, between one and sixty."""
    causes = [cause(Kind.RATE_LIMITED, retry_after_s=seconds) for seconds in (None, 30.4, 12.6)]
    assert from_synthesis(SynthesisError(causes)).headers["Retry-After"] == "13"
    at_once = [cause(Kind.RATE_LIMITED, retry_after_s=0)]
    assert from_synthesis(SynthesisError(at_once)).headers["Retry-After"] == "1"
    assert "Retry-After" not in from_synthesis(SynthesisError([cause(Kind.RATE_LIMITED)])).headers


def test_an_answer_that_was_sent_is_not_said_to_break_off() -> None:
    """Whether it is complete depends on how its author failed."""
    broken, cut = cause(Kind.BROKEN_CONTRACT, "no block"), cause(Kind.TRUNCATED, "gone")
    sent = from_synthesis(SynthesisError([broken], interrupted=True)).message
    assert sent == "the answer was sent, but does not keep the requested form: broken_contract: no block"
    assert from_synthesis(SynthesisError([broken, cut], interrupted=True)).message.startswith("the answer broke off: ")


def test_a_context_overflow_always_has_the_known_words() -> None:
    """The upstream's own words are replaced."""
    error = from_synthesis(SynthesisError([cause(Kind.CONTEXT_LENGTH, "prompt is too long", 400)]))
    assert error.message.startswith("This model's maximum context length is")
    assert "prompt is too long" in error.message


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (429, "rate_limit_error"), (502, "api_error")],
)
def test_the_type_is_openai_s(status: int, kind: str) -> None:
    """By status."""
    assert ApiError(status, "m").body()["error"]["type"] == kind


@pytest.mark.parametrize("status", [status for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST])
def test_every_status_has_a_kind(status: HTTPStatus) -> None:
    """Server errors are never called the client's fault."""
    assert (kind_of_status(status) in (Kind.SERVER_ERROR, Kind.TIMEOUT)) == (status >= 500 or status == 408)


@pytest.mark.parametrize(
    ("status", "kept"),
    [(401, 401), (402, 402), (403, 403), (404, 404), (413, 413), (429, 429), (418, 502), (500, 502), (503, 502)],
)
def test_a_lone_model_keeps_its_status(status: int, kept: int) -> None:
    """Its client must learn that a key, a balance or a name is wrong; a panel's mixture of causes is 502."""
    one = cause(kind_of_status(status), status=status)
    assert from_synthesis(SynthesisError([one]), keeps_status=True).status == kept
    both = [one, cause(Kind.CONNECT)]
    assert from_synthesis(SynthesisError(both), keeps_status=True).status == 502
    assert from_synthesis(SynthesisError([one])).status == (429 if status == 429 else 502)


def test_a_failure_keeps_no_frames() -> None:
    """Tracebacks of expected failures hold the request's objects; they are dropped along the whole chain."""

    def fail() -> None:
        try:
            int("none")
        except ValueError as first:
            raise CallError(Kind.CONNECT, "second") from first

    with pytest.raises(CallError) as caught:
        fail()
    error = caught.value
    from_synthesis(SynthesisError([Cause("a", error)]))
    assert error.__traceback__ is None
    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is None
