"""The advice of an error reply about a retry."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream.openai.retry_advice import find_delay_s, is_unpaid, read_delay_s


@pytest.mark.parametrize(
    ("value", "delay_s"),
    [
        ({"error": {"details": [{"@type": "google.rpc.ErrorInfo"}, {"retryDelay": "33s"}]}}, 33.0),
        ({"error": {"details": [{"retryDelay": {"seconds": 12, "nanos": 0}}]}}, 12.0),
        ([{"error": {"details": [{"retryDelay": "0.5s"}]}}], 0.5),
        ({"retry_after": 7}, 7.0),
        ({"error": {"metadata": {"retry_after_seconds": "4"}}}, 4.0),
        ({"retryAfter": "2 minutes"}, 120.0),
        ({"estimated_time": 20.5}, 20.5),
        ({"retry_after": -1}, None),
        ({"retry_after": True}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "9" * 30}, None),
        ({}, None),
        ("retry_after: 3", None),
    ],
)
def test_a_delay_is_found_in_a_field(value: Any, delay_s: float | None) -> None:
    """A google.rpc.RetryInfo, or one of the usual names, at any depth; an invalid one is ignored."""
    assert find_delay_s(value) == delay_s


@given(st.integers(0, 59), st.integers(0, 59), st.sampled_from(["try again in", "retry after", "Please wait"]))
def test_a_delay_is_read_from_a_sentence(minutes: int, seconds: int, words: str) -> None:
    """As 1m30s, 1 min 30 sec, or with only one of the two."""
    for text in (f"{minutes}m{seconds}s", f"{minutes} min {seconds} sec"):
        assert read_delay_s(f"Limit reached. {words} {text}.") == minutes * 60 + seconds
    assert read_delay_s(f"{words} {seconds} seconds") == seconds
    assert read_delay_s(f"{words} {minutes} minutes and {seconds} seconds") == minutes * 60 + seconds


def test_a_delay_is_read_from_other_words() -> None:
    """As of Django REST framework, and in thousandths."""
    assert read_delay_s("Request was throttled. Expected available in 17 seconds.") == 17
    assert read_delay_s("Retry in 250 milliseconds") == 0.25


@pytest.mark.parametrize(
    "words",
    [
        "Try again later.",
        "We try 3 s.",
        "retry",
        "wait for it. 3 s",
        "in 3 s",
        "",
        "retry with 2 messages",
        "wait 5 hops",
    ],
)
def test_other_sentences_say_no_delay(words: str) -> None:
    """A number in another sentence is not one."""
    assert read_delay_s(words) is None


@pytest.mark.parametrize(
    ("cause", "codes", "has_delay", "expected"),
    [
        ("x", ["insufficient_quota"], False, True),
        ("x", ["insufficient_quota"], True, True),
        ("You exceeded your current quota", [429], False, True),
        ("You exceeded your current quota", [429], True, False),
        ("Insufficient account balance", [], False, True),
        ("Your account balance is insufficient", [], False, True),
        ("Not enough credits", [], False, True),
        ("You have no remaining credits", [], False, True),
        ("Credits exhausted", [], False, True),
        ("Budget has been exceeded! Current cost: 10.1, Max budget: 10.0", [], False, True),
        ("ExceededBudget: User=x over budget. Spend=1.2, Budget=1.0", [], False, True),
        ("Your free trial has ended", [], False, True),
        ("Monthly spend limit reached", [], False, True),
        ("Rate limit reached; buy credits to raise it", [], False, False),
        ("Rate limit reached for requests", ["rate_limit_exceeded", 429], False, False),
        ("Too many requests", [], False, False),
    ],
)
def test_a_used_up_quota_is_no_rate_limit(
    cause: str, codes: list[str | int], *, has_delay: bool, expected: bool
) -> None:
    """A code is certain; words are not if the reply says when to retry."""
    assert is_unpaid(cause, codes, has_delay=has_delay) == expected
