"""The time limits of the last proposers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Critic, Mixture, Proposer
from synth.panel.straggler_policy import StragglerPolicy, explain_cancellation
from tests.running import model
from upstream.calls import Attempt, Call
from upstream.errors import Kind

ASKED = 100.0


def patience(**fields: Any) -> StragglerPolicy:
    return StragglerPolicy(Mixture("mom", (Proposer("a"),), Critic("a"), **fields), ASKED)


def call(retrying_since: float | None = None, message: str = "") -> Call:
    asked = Call(model("a", "http://unused"), "proposer", [], {}, deadline=400.0)
    asked.retrying_since = retrying_since
    asked.attempts = [Attempt(ASKED, message=message)]
    return asked


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, 108 + 5),
        ({"grace_s": 0.0}, 108),
        ({"grace_s": 7.0}, 108 + 7),
        ({"grace_ratio": 0.5}, 108 + 0.5 * 8),
        ({"grace_ratio": 0.0}, 108),
        ({"grace_ratio": 3.0}, 108 + 3 * 8),
    ],
)
def test_the_grace_counts_from_the_quorum(fields: dict[str, float], limit: float) -> None:
    """In seconds, or as a multiple of the time until the quorum; later candidates do not move it."""
    waiting = patience(quorum=2, **fields)
    waiting.note(103.0, usable=True, valid=True)
    assert waiting.limit([call()]) is None
    waiting.note(105.0, usable=False, valid=False)
    waiting.note(106.0, usable=True, valid=False)
    assert waiting.limit([call()]) is None
    waiting.note(108.0, usable=True, valid=True)
    assert waiting.limit([call()]) == limit
    waiting.note(109.0, usable=True, valid=True)
    assert waiting.limit([call()]) == limit


def test_the_wait_after_a_quorum_is_measured() -> None:
    """From the instant of the quorum; None before it."""
    waiting = patience(quorum=1)
    assert waiting.quorum_wait_s(103.0) is None
    waiting.note(104.0, usable=True, valid=True)
    waiting.note(106.0, usable=True, valid=True)
    assert waiting.quorum_wait_s(107.0) == 3.0


@given(st.lists(st.booleans(), max_size=10))
def test_without_a_quorum_nothing_limits_first_attempts(valid: list[bool]) -> None:
    """For any number of candidates."""
    waiting = patience()
    for each in valid:
        waiting.note(101.0, usable=each, valid=each)
        assert waiting.limit([call()]) is None


def test_the_retry_grace_begins_when_only_retries_are_left() -> None:
    """From the later of two instants: the others had settled, and it began to be retried."""
    waiting = patience(retry_grace_s=2.0)
    waiting.note(103.0, usable=True, valid=False)
    assert waiting.limit([call(101.0), call()]) is None
    assert waiting.limit([call(101.0)]) == 103 + 2
    assert waiting.limit([call(110.0)]) == 110 + 2
    assert waiting.limit([call(101.0), call(107.0)]) == 107 + 2


def test_without_a_candidate_retries_have_no_limit() -> None:
    """They are the only hope."""
    waiting = patience(retry_grace_s=2.0)
    waiting.note(103.0, usable=False, valid=False)
    assert waiting.limit([call(101.0)]) is None


def test_the_earlier_limit_counts() -> None:
    """Of the grace after the quorum and that of retries."""
    waiting = patience(quorum=1, grace_s=10.0, retry_grace_s=2.0)
    waiting.note(103.0, usable=True, valid=True)
    assert waiting.limit([call()]) == 113
    assert waiting.limit([call(101.0)]) == 105
    assert waiting.limit([call(112.0)]) == 113


def test_the_error_of_a_cancelled_call_says_why() -> None:
    """It was slow, or it was being retried, with its last failure."""
    assert explain_cancellation(call()).kind is Kind.STRAGGLER
    failing = explain_cancellation(call(101.0, "HTTP 500"))
    assert failing.kind is Kind.RETRYING
    assert "HTTP 500" in failing.message
    assert not failing.retryable
