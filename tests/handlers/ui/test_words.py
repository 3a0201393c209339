"""How the pages say things."""

import pytest

from handlers.ui import words


@pytest.mark.parametrize(
    ("value", "said"), [(None, "—"), (0.0344, "0.034 s"), (1.234, "1.23 s"), (12.34, "12.3 s"), (0.0, "0.000 s")]
)
def test_seconds(value: float | None, said: str) -> None:
    assert words.seconds(value) == said


@pytest.mark.parametrize(("value", "said"), [(None, "unknown"), (0, "0"), (0.00012, "0.00012"), (1.5, "1.5000")])
def test_money_that_is_not_known_is_not_nothing(value: float | None, said: str) -> None:
    assert words.money(value) == said


def test_a_very_small_amount_is_not_nothing() -> None:
    """It is less than the last digit that is shown."""
    assert words.money(1e-9) == "< 0.000001"


def test_counts_shares_times_and_words() -> None:
    """Each as a reader expects it; what is no time stays."""
    assert words.count(12345.0) == "12,345"
    assert words.share(0.256) == "26 %"
    assert words.when("2026-01-02T03:04:05.678+00:00") == "2026-01-02 03:04:05"
    assert words.when("long ago") == "long ago"
    assert words.spoken("only_candidate") == "only candidate"
    assert {words.count(None), words.share(None), words.spoken(None)} == {"—"}


def test_a_long_text_has_a_beginning() -> None:
    """By lines, and by the lines that a wide one takes."""
    assert not words.is_long("a\n" * 10, 9)
    assert words.is_long("a\n" * 40, 9)
    assert words.is_long("a" * 5000, 9)
    assert words.beginning("1\n2\n3", 2) == "1\n2"


def test_an_endless_text_is_cut() -> None:
    """And says so."""
    assert words.shown("a" * 300_000).endswith("… and 100,000 more characters")
    assert words.shown("short") == "short"
