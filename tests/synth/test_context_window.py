"""Estimating whether texts fit a context window."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.settings import Model
from synth.context_window import count_fitting, fits


def model(context_tokens: int | None) -> Model:
    return Model("m", "http://h", None, None, "m", context_tokens=context_tokens)


def conversation(n_chars: int) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "x" * n_chars}]


def test_a_conversation_needs_room_for_an_answer() -> None:
    """Four characters count as a token; everything fits an unknown window."""
    assert fits(model(None), conversation(10**6))
    assert fits(model(1000), conversation(4 * 744))
    assert not fits(model(1000), conversation(4 * 744 + 1))


@given(st.integers(256, 20_000), st.integers(0, 40_000), st.lists(st.integers(0, 20_000).map("x".__mul__), max_size=6))
def test_texts_are_dropped_whole_and_from_the_end(window: int, n_chars: int, texts: list[str]) -> None:
    """A larger window fits at least as many; an unknown one fits all."""
    fitting = count_fitting(model(window), conversation(n_chars), texts)
    assert 0 <= fitting <= len(texts)
    assert count_fitting(model(window * 2), conversation(n_chars), texts) >= fitting
    assert count_fitting(model(None), conversation(n_chars), texts) == len(texts)
