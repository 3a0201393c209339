"""Numbers and times as the pages show them."""

import pytest

from handlers.ui import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (0.0344, "0.034 s"), (1.234, "1.23 s"), (12.34, "12.3 s"), (86400, "86,400 s"), (0.0, "0.000 s")],
)
def test_seconds(value: float | None, text: str) -> None:
    assert formats.format_seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (0, "0"),
        (0.00012, "0.00012 USD"),
        (1.5, "1.50 USD"),
        (0.0269, "0.0269 USD"),
        (1234567.891, "1,234,567.89 USD"),
    ],
)
def test_unknown_money_is_not_zero(value: float | None, text: str) -> None:
    assert formats.format_cost(value, "USD") == text


def test_a_very_small_amount_is_not_zero() -> None:
    """It is below the last digit that is shown."""
    assert formats.format_cost(1e-9) == "under 0.000001"


def test_counts_times_and_words() -> None:
    """Each as a reader expects it; a text that is not a time is unchanged."""
    assert formats.format_count(12345.0) == "12,345"
    assert formats.format_time("2026-01-02T03:04:05.678+00:00") == "2026-01-02 03:04:05"
    assert formats.format_time("long ago") == "long ago"
    assert formats.format_time("") == "unknown"
    assert formats.format_word("only_candidate") == "only candidate"
    assert {formats.format_count(None), formats.format_word(None)} == {"—"}


def test_a_long_text_is_cut_by_lines() -> None:
    """A wide line counts as the lines that it takes."""
    assert not formats.is_long("a\n" * 10, 9)
    assert formats.is_long("a\n" * 40, 9)
    assert formats.is_long("a" * 5000, 9)
    assert formats.take_lines("1\n2\n3", 2) == "1\n2"


def test_a_long_name_is_shortened() -> None:
    """Clients may name models at any length."""
    assert formats.shorten("qwen") == "qwen"
    assert len(formats.shorten("a" * 5000)) < 70


def test_a_huge_text_is_truncated() -> None:
    """With a note."""
    assert formats.truncate("a" * 300_000).endswith("… and 100,000 more characters")
    assert formats.truncate("short") == "short"
