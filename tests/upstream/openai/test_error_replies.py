"""Error replies in the shapes of many providers: the cause, the kind, and the advice about a retry."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream.errors import CallError, Kind
from upstream.openai.error_replies import MAX_CAUSE_CHARS, find_cause, is_error, read_error

WORDS = "frequency_penalty is not allowed"
NESTED = json.dumps({"error": {"message": WORDS, "type": "invalid_request_error"}})


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ({"error": {"message": WORDS}}, WORDS),
        ({"error": WORDS}, WORDS),
        ({"message": WORDS}, WORDS),
        ({"detail": WORDS}, WORDS),
        ([{"error": {"message": WORDS}}], WORDS),
        (WORDS, WORDS),
        (f"  {WORDS}\n\n", WORDS),
        ({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": NESTED}}}, WORDS),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": WORDS, "provider_name": "Acme"}}},
            f"{WORDS} (Acme)",
        ),
        ({"error": {"message": "Provider returned error", "metadata": {"raw": NESTED[:-3]}}}, WORDS),
        ({"error": {"message": NESTED}}, WORDS),
        ({"error": {"message": json.dumps({"detail": NESTED})}}, WORDS),
        (
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "frequency_penalty"], "msg": "Not permitted"}]},
            "body.frequency_penalty: Not permitted",
        ),
        (
            {"object": "error", "message": {"detail": [{"loc": ["body", "seed"], "msg": "Not permitted"}]}},
            "body.seed: Not permitted",
        ),
        ({"errors": [{"message": WORDS, "code": 8001}], "success": False, "result": {}}, WORDS),
        ({"errors": [WORDS]}, WORDS),
        ({"errors": {"frequency_penalty": WORDS}}, None),
        ({"detail": {"error": {"text": WORDS}}}, WORDS),
        ({"error": True, "reason": WORDS}, WORDS),
        ({"type": "error", "error": {"type": "overloaded_error", "message": WORDS}}, WORDS),
        (f"event: error\ndata: {NESTED}\n\n", WORDS),
        (f": comment\nid: 7\ndata:{NESTED}", WORDS),
        (f"error: {NESTED}", WORDS),
        ({"error": [{"message": WORDS}]}, WORDS),
        ({"error": "Bad Request", "message": WORDS, "statusCode": 400}, WORDS),
        ({"code": "Invalid argument given", "error": WORDS}, f"Invalid argument given: {WORDS}"),
        ({"base_resp": {"status_code": 2013, "status_msg": WORDS}}, WORDS),
        ({"error_code": 336003, "error_msg": WORDS}, WORDS),
        ({"type": "about:blank", "title": "Unprocessable Entity", "status": 422, "detail": WORDS}, WORDS),
        ({"fault": {"faultstring": WORDS}}, WORDS),
        ({"error": {"code": "x", "message": "The request is bad", "innererror": {"message": WORDS}}}, None),
        ({"Message": WORDS, "__type": "ValidationException"}, WORDS),
        ({"error": {"message": "Bad Request"}}, "Bad Request"),
        ({"outcome": {"fault": 17}, "messages": ["the prompt"]}, '{"outcome":{"fault":17}}'),
        ({"error": {"message": ""}}, '{"error":{"message":""}}'),
        (None, ""),
        ("", ""),
        ([], ""),
        ("<html><head><title>\n502 Bad\nGateway</title></html>", "502 Bad Gateway"),
        ("<!DOCTYPE html><html><body>no</body></html>", "no"),
        ("<html><body><h1>Down</h1> for\nrepair<script>x()</script></body></html>", "Down for repair"),
        ("<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>No.</Message></Error>", "AccessDenied No."),
        ({"error": {"message": "<400> the model is gone"}}, "<400> the model is gone"),
        ("\x1b[31mboom\x1b[0m \x1b]0;title\x07\x9b2J\u202eevil", "boom ]0;title2Jevil"),
        ({"errno": 5, "errmsg": WORDS}, WORDS),
    ],
)
def test_the_cause_is_found_in_the_provider_s_words(body: Any, cause: str | None) -> None:
    """In every known shape, however it is wrapped; an unknown shape is shown, except for what repeats the request."""
    found = find_cause(body)
    assert found == cause if cause is not None else WORDS in found


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "loc", "msg", "code", "metadata", "raw", "x"]), inner
        )
    ),
    max_leaves=30,
)


@given(_JSON, st.sampled_from([200, 400, 422, 429, 500, 503]))
def test_any_json_value_is_read(body: Any, status: int) -> None:
    """Any JSON becomes a CallError with a message of limited length."""
    error = read_error(body, status)
    assert isinstance(error, CallError)
    assert 0 < len(error.message) <= MAX_CAUSE_CHARS
    assert error.status is not None
    assert error.status >= 400


@given(st.integers(1, 5000), st.sampled_from(['{"error":', '[{"error":', '{"message":"{']))
def test_deep_nesting_is_read(depth: int, piece: str) -> None:
    """As a text, if it is too deep for the parser."""
    assert len(read_error(piece * depth, 400).message) <= MAX_CAUSE_CHARS


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"error": {"message": "x", "code": 429}}, Kind.RATE_LIMITED, 429),
        ({"error": {"message": "x", "code": "401"}}, Kind.AUTH, 401),
        ({"error": {"message": "x", "type": "rate_limit_error"}}, Kind.RATE_LIMITED, 429),
        ({"error": {"message": "x", "type": "authentication_error"}}, Kind.AUTH, 401),
        ({"error": {"message": "x", "status": "RESOURCE_EXHAUSTED"}}, Kind.RATE_LIMITED, 429),
        ({"error": {"message": "x", "status": "INVALID_ARGUMENT"}}, Kind.REJECTED, 400),
        ({"error": {"message": "x", "type": "overloaded_error"}}, Kind.SERVER_ERROR, 503),
        ({"error": {"message": "x"}}, Kind.SERVER_ERROR, 502),
        ({"error": "plain words"}, Kind.SERVER_ERROR, 502),
        ({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, Kind.RATE_LIMITED, 429),
        ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, Kind.AUTH, 401),
        ({"base_resp": {"status_code": 1039, "status_msg": "token limit exceeded"}}, Kind.CONTEXT_LENGTH, 400),
        ({"code": 400, "details": "quota of acme is used up"}, Kind.REJECTED, 400),
    ],
)
def test_an_error_inside_a_200_counts_by_its_own_code(body: Any, kind: Kind, status: int) -> None:
    """As a number, as digits, or as a word."""
    error = read_error(body, 200)
    assert (error.kind, error.status) == (kind, status)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"message": "x"}}, True),
        ({"object": "error", "message": "x"}, True),
        ({"choices": [], "error": {"message": "x"}}, True),
        ({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "balance"}}, True),
        ({"choices": [{"delta": {}}], "base_resp": {"status_code": 0, "status_msg": ""}}, False),
        ({"success": False, "code": 7}, True),
        ({"errors": ["x"]}, True),
        ({"detail": "x"}, True),
        ({"choices": [{"message": {"content": "x"}}], "error": None}, False),
        ({"choices": [{"message": {}}], "error": {"message": "", "type": "", "param": "", "code": None}}, False),
        ({"choices": [{"message": {}}], "error": {"message": "", "code": 500}}, True),
        ({"choices": [], "usage": {"prompt_tokens": 1}}, False),
        ({"choices": [], "prompt_filter_results": [{"index": 0}]}, False),
        ({"message": {"content": "x"}}, False),
        ({}, False),
    ],
)
def test_an_error_with_status_200_is_not_an_answer(body: Any, *, expected: bool) -> None:
    """MiniMax puts `base_resp` into answers as well; some chunks have no choices."""
    assert is_error(body) == expected


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
                          "details": [{"@type": "x", "reason": "API_KEY_INVALID"}]}}], Kind.AUTH),
        (400, {"error": {"message": "Bad key.", "code": "invalid_api_key"}}, Kind.AUTH),
        (400, {"error": {"message": "The key of the dictionary is invalid."}}, Kind.REJECTED),
        (403, {"error": {"message": "Your chosen model requires moderation and your input was flagged", "code": 403}},
         Kind.REJECTED),
        (403, {"error": {"message": "Blocked", "code": "content_policy_violation"}}, Kind.REJECTED),
        (403, {"error": {"message": "The request was flagged as unsafe."}}, Kind.REJECTED),
        (403, {"error": {"message": "Your account was flagged for abuse"}}, Kind.AUTH),
        (403, {"error": {"message": "The key may not use this model"}}, Kind.AUTH),
        (401, {"error": {"message": "No key for moderation"}}, Kind.AUTH),
        (501, None, Kind.SERVER_ERROR),
        (520, "", Kind.SERVER_ERROR),
        (522, "", Kind.TIMEOUT),
        (524, "", Kind.TIMEOUT),
    ],
)  # fmt: skip
def test_the_kind_of_an_error(status: int, body: Any, kind: Kind) -> None:
    """A refused key is one even with status 400."""
    assert read_error(body, status).kind is kind


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33.5s"}
QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("status", "body", "retryable", "delay_s"),
    [
        (429, {"error": {"message": QUOTA, "code": "insufficient_quota"}}, False, None),
        (429, {"error": {"message": QUOTA}}, False, None),
        (429, {"error": {"message": QUOTA, "code": 429, "details": [{"x": 1}, RETRY_INFO]}}, True, 33.5),
        (429, {"error": {"message": f"{QUOTA} Please retry in 8.25s."}}, True, 8.25),
        (429, {"error": {"message": "Your credit balance is too low"}}, False, None),
        (429, {"error": {"message": "x", "type": "exceeded_current_quota_error"}}, False, None),
        (429, {"error": {"message": "余额不足或无可用资源包,请充值。", "code": "1113"}}, False, None),
        (
            429,
            {"error": {"message": "150 per 86400s exceeded. Please wait 35200 seconds"}},
            True,
            35200.0,
        ),
        (429, {"error": {"message": "Please retry your request after 26 seconds."}}, True, 26.0),
        (429, {"error": {"message": "Please try again in 6m0s."}}, True, 360.0),
        (429, {"error": {"message": "Try again at 2026-01-01."}}, True, None),
        (503, {"error": "Model x is currently loading", "estimated_time": 20.5}, True, 20.5),
        (429, {"error": {"message": "Rate limit reached. Please try again in 3 s."}}, True, 3.0),
        (429, {"error": {"message": "Rate limit reached. Please try again in 1m30.5s. Visit"}}, True, 90.5),
        (429, {"error": {"message": "Limit 10, Used 10. Please try again in 850ms."}}, True, 0.85),
        (429, {"error": {"message": "Too many. Retry after 20 seconds"}}, True, 20.0),
        (429, {"error": {"message": "Slow down", "retry_after": 7}}, True, 7.0),
        (429, {"error": {"message": "Slow down", "metadata": {"retry_after_seconds": "4"}}}, True, 4.0),
        (503, {"error": {"message": "Loading, please wait 12 seconds"}}, True, 12.0),
        (429, {"error": {"message": "Please try again later."}}, True, None),
        (400, {"error": {"message": "Please try again in 3 s."}}, False, None),
        (402, {"error": {"message": "Insufficient credits"}}, False, None),
        (501, {}, True, None),
        (525, {}, True, None),
        (529, {}, True, None),
    ],
)
def test_the_upstream_s_advice_about_a_retry(status: int, body: Any, retryable: bool, delay_s: float | None) -> None:
    """A used-up quota never passes by waiting. RetryInfo and "try again in 3 s" are obeyed."""
    error = read_error(body, status)
    assert (error.retryable, error.retry_after_s) == (retryable, delay_s)


def test_the_headers_count_more_than_the_body() -> None:
    """Retry-After, and x-should-retry, which the OpenAI SDKs obey."""
    body = {"error": {"message": "Please try again in 3 s."}}
    assert read_error(body, 429, 9.0).retry_after_s == 9.0
    assert not read_error(body, 500, should_retry=False).retryable
    assert read_error(body, 400, should_retry=True).retryable


def test_a_conversation_that_is_too_long_is_never_retried() -> None:
    """Not even if the upstream says so with status 500."""
    error = read_error({"error": {"message": "the prompt exceeds the context window"}}, 500, should_retry=True)
    assert (error.kind, error.retryable) == (Kind.CONTEXT_LENGTH, False)
