"""Names, aliases and derived facts of the frozen settings."""

from dataclasses import replace
from decimal import Decimal

import pytest

from config.settings import Alias, Bypass, CostLimit, Critic, Mixture, Price, Proposer, Secret, Verify
from tests.running import model, panel_of, settings


def test_a_secret_is_never_shown() -> None:
    """Neither as text nor in a repr, which has the source instead."""
    secret = Secret("k-123", "OPENAI_API_KEY")
    assert f"{secret} {secret!r} {[secret]}".count("k-123") == 0
    assert "OPENAI_API_KEY" in repr(secret)


def test_all_models_of_a_mixture() -> None:
    """Panel, critic and fallbacks, reviewer, and the model for requests that need no panel; each once."""
    mixture = Mixture(
        "m",
        (Proposer("a", sample=1), Proposer("a", sample=2), Proposer("b")),
        Critic("c", fallbacks=("a", "d")),
        verify=Verify("e"),
        bypass=Bypass(model="f"),
    )
    assert mixture.panel_models == ("a", "b")
    assert [proposer.name for proposer in mixture.panel] == ["a#1", "a#2", "b"]
    assert mixture.used_models == frozenset("abcdef")


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("claude-*", "claude-x", True),
        ("claude-*", "claude-", True),
        ("claude-*", "xclaude-", False),
        ("*", "", True),
        ("a*c*", "abcd", True),
        ("a.c", "abc", False),
        ("a", "A", False),
    ],
)
def test_only_an_asterisk_is_a_wildcard(pattern: str, name: str, matches: bool) -> None:
    """Only `*` is special; case matters."""
    assert Alias(pattern, "mom").matches(name) is matches
    assert Alias(pattern, "mom").is_exact is ("*" not in pattern)


def test_an_exact_alias_precedes_a_pattern() -> None:
    """Wherever it stands in the file."""
    config = settings([model("a", "http://h/v1")], aliases=(Alias("gpt-*", "a"), Alias("gpt-4.1", "mom")))
    assert (config.resolve("gpt-4.1"), config.resolve("gpt-5"), config.resolve("other")) == ("mom", "a", None)


def test_prices_are_exact() -> None:
    """Money is decimal."""
    assert Price(Decimal("0.1"), Decimal("0.2")).cached_input is None


def test_a_panel_is_summed_up_with_the_number_of_samples() -> None:
    """In the panel's order; a model that is asked once has no number."""
    samples = [Proposer("qwen", sample=number) for number in (1, 2)]
    assert Mixture("mom", (*samples, Proposer("gpt")), Critic("gpt")).panel_summary == "qwen x2, gpt"


@pytest.mark.parametrize("limit", ["max_cost", "max_cost_per_day"])
def test_the_limit_of_a_mixture_binds_its_members(limit: CostLimit) -> None:
    """The highest of those that use the model, unless one of them has none."""

    def mixture(name: str, members: str, cost: int | None) -> Mixture:
        found = Mixture(name, panel_of(*members), None)
        amount = None if cost is None else Decimal(cost)
        return replace(found, max_cost=amount) if limit == "max_cost" else replace(found, max_cost_per_day=amount)

    mixtures = (mixture("low", "a", 1), mixture("high", "ab", 2), mixture("free", "b", None))
    config = replace(settings([model(name, "http://h") for name in "ab"]), mixtures=mixtures)
    assert config.find_cost_cap("a", limit) is mixtures[1]
    assert config.find_cost_cap("b", limit) is None
    assert config.has_daily_limits is (limit == "max_cost_per_day")
