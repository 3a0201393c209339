"""Stop reasons and usage keep their meaning in both directions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstream.anthropic.messages import USAGE
from upstream.anthropic.outcomes import (
    finish_reason_from_stop,
    stop_reason_from_finish,
    usage_from_chat,
    usage_from_messages,
)


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ],
)
def test_each_stop_reason_has_a_finish_reason(stop: str, finish: str) -> None:
    """Each of the API's, also those for which Chat Completions has one word only."""
    assert finish_reason_from_stop(stop) == finish


@pytest.mark.parametrize("finish", ["stop", "length", "tool_calls", "content_filter"])
def test_a_finish_reason_round_trips(finish: str) -> None:
    """A client of Messages and an upstream of Messages agree on what happened."""
    assert finish_reason_from_stop(stop_reason_from_finish(finish)) == finish


@given(st.text().filter(lambda reason: stop_reason_from_finish(reason) == reason))
def test_an_unknown_reason_is_not_hidden(reason: str) -> None:
    """It stays as the upstream sent it, so that it does not pass for success."""
    assert stop_reason_from_finish(reason) == reason
    assert finish_reason_from_stop(f"new_{reason}") == f"new_{reason}"


@pytest.mark.parametrize("reason", [None, 1, [], {}])
def test_a_reason_that_is_no_text_passes(reason: Any) -> None:
    """A missing reason stays missing; the check of the shape comes later."""
    assert finish_reason_from_stop(reason) == reason


@given(USAGE)
def test_usage_round_trips(usage: dict[str, int]) -> None:
    """Every counter survives; one that was not stated is 0."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert usage_from_chat(usage_from_messages(usage)) == {name: usage.get(name, 0) for name in names}


@given(USAGE)
def test_cached_tokens_are_part_of_the_prompt(usage: dict[str, int]) -> None:
    """Chat Completions counts them within the prompt, Messages beside the input."""
    found = usage_from_messages(usage)
    assert found["prompt_tokens"] == sum(usage.values()) - usage["output_tokens"]
    assert found["total_tokens"] == found["prompt_tokens"] + found["completion_tokens"]
    cached = usage.get("cache_read_input_tokens", 0)
    assert found.get("prompt_tokens_details", {"cached_tokens": 0})["cached_tokens"] == cached


@pytest.mark.parametrize("count", [None, -1, True, 1.5, "7", []])
def test_a_counter_that_is_no_count_is_zero(count: Any) -> None:
    """Usage comes from an upstream, or from its imitation."""
    assert usage_from_messages({"input_tokens": count, "output_tokens": 2})["prompt_tokens"] == 0
    assert usage_from_chat({"prompt_tokens": count, "prompt_tokens_details": count})["input_tokens"] == 0


def test_more_cached_than_prompt_tokens_are_no_debt() -> None:
    """An upstream that counts cached tokens beside the prompt gives no negative input."""
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}}
    assert usage_from_chat(usage)["input_tokens"] == 0
