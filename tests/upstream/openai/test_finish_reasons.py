"""Finish reasons in OpenAI's words."""

from typing import Any

import pytest

from upstream.openai.finish_reasons import is_stated, read_finish_reason


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("eos", "stop"),
        ("endTurn", "stop"),
        ("stop sequence", "stop"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("FinishReason.MAX_TOKENS", "length"),
        ("FINISH_REASON_SAFETY", "content_filter"),
        ("maxTokens", "length"),
        ("tool_use", "tool_calls"),
        ("RECITATION", "content_filter"),
        ("content_filter: RECITATION", "content_filter"),
        ("stop: SPII", "content_filter"),
        ("sensitive", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("error: timeout", "error"),
        ("insufficient_system_resource", "error"),
    ],
)
def test_known_words_become_openai_s(stated: str, reason: str) -> None:
    """In any spelling; of several words the worst counts."""
    assert read_finish_reason(stated) == (reason, True)


@pytest.mark.parametrize("stated", [None, "", " ", "null", "FINISH_REASON_UNSPECIFIED", 7, [], {}])
def test_nothing_stated_is_no_reason(stated: Any) -> None:
    """Some upstreams send an empty reason in every chunk."""
    assert not is_stated(stated)
    assert read_finish_reason(stated) == (None, True)


def test_an_unknown_word_is_kept_and_marked() -> None:
    """It may mean anything, so it does not count as success."""
    assert read_finish_reason("gone_fishing") == ("gone_fishing", False)
