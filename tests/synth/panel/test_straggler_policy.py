"""How long a panel is waited for: the arithmetic."""

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
    """In seconds, or as a multiple of the time that the quorum took; what comes later moves it no more."""
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


def test_the_wait_after_a_quorum_is_told() -> None:
    """From the instant of the quorum, not from what comes later; None before it."""
    waiting = patience(quorum=1)
    assert waiting.quorum_wait_s(103.0) is None
    waiting.note(104.0, usable=True, valid=True)
    waiting.note(106.0, usable=True, valid=True)
    assert waiting.quorum_wait_s(107.0) == 3.0


@given(st.lists(st.booleans(), max_size=10))
def test_without_a_quorum_everybody_is_waited_for(valid: list[bool]) -> None:
    """As long as they are at their first attempts."""
    waiting = patience()
    for each in valid:
        waiting.note(101.0, usable=each, valid=each)
        assert waiting.limit([call()]) is None


def test_who_is_tried_again_gets_its_grace_from_when_it_is_alone() -> None:
    """Counted from the last of: the others settled, and it began to be tried again."""
    waiting = patience(retry_grace_s=2.0)
    waiting.note(103.0, usable=True, valid=False)
    assert waiting.limit([call(101.0), call()]) is None
    assert waiting.limit([call(101.0)]) == 103 + 2
    assert waiting.limit([call(110.0)]) == 110 + 2
    assert waiting.limit([call(101.0), call(107.0)]) == 107 + 2


def test_the_only_hope_is_not_given_up() -> None:
    """Where nobody has a candidate, nobody is held up."""
    waiting = patience(retry_grace_s=2.0)
    waiting.note(103.0, usable=False, valid=False)
    assert waiting.limit([call(101.0)]) is None


def test_the_sooner_limit_counts() -> None:
    """Quorum's grace and the retry's own."""
    waiting = patience(quorum=1, grace_s=10.0, retry_grace_s=2.0)
    waiting.note(103.0, usable=True, valid=True)
    assert waiting.limit([call()]) == 113
    assert waiting.limit([call(101.0)]) == 105
    assert waiting.limit([call(112.0)]) == 113


def test_who_is_given_up_is_told_apart() -> None:
    """Slow, or failing, and then with its last failure."""
    assert explain_cancellation(call()).kind is Kind.STRAGGLER
    failing = explain_cancellation(call(101.0, "HTTP 500"))
    assert failing.kind is Kind.RETRYING
    assert "HTTP 500" in failing.message
    assert not failing.retryable
