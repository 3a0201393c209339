"""What a run came to, and how it compares."""

import json

import pytest

from bench.outcome import Figure, Outcome, as_json, from_json, outcome, worsened
from bench.scenarios import Target
from bench.stand import GATEWAY
from tests.bench.results import CPU, RATE, made, scenario


def figure(found: Outcome, name: str = CPU) -> Figure:
    (one,) = [each for each in found.figures if each.name == name]
    return one


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    """What slows a whole round down does not move it."""
    ratio = figure(made([1.5, 15, 3], [1, 10, 1])).ratio
    assert ratio is not None
    assert (ratio.median, ratio.low, ratio.high) == (1.5, 1.5, 3)


@pytest.mark.parametrize(
    ("target", "excess"), [(Target(ratio=1.5), 2), (Target(value=6), 0.5), (Target(over=4), 0.5), (None, 0)]
)
def test_the_excess_is_told_in_targets(target: Target | None, excess: float) -> None:
    """1 is just met; without a target there is none."""
    assert figure(made([3], [1], target)).excess == excess


def test_only_steady_ratios_can_be_absurd() -> None:
    """A ratio of more than three times its target is; what depends on the clock, or on the machine, never."""
    assert figure(made([4.6], [1], Target(ratio=1.5))).absurd
    assert not figure(made([4.4], [1], Target(ratio=1.5))).absurd
    assert not figure(made([9], [1], Target(ratio=1.5, unsteady=True))).absurd
    assert not figure(made([9], [1], Target(value=1))).absurd


def test_a_target_for_what_is_not_measured_is_refused() -> None:
    """A misspelt figure cannot make a target vanish."""
    with pytest.raises(ValueError, match="requests/s"):
        outcome(scenario(rate=Target(ratio=1)), [{GATEWAY: {CPU: 1.0}, "floor": {CPU: 1.0}}])


def test_outcomes_survive_json() -> None:
    """What was written is what is read."""
    found = [made([3, 4], [1, 2], Target(ratio=1.5)), made([1], [1], name="other")]
    assert from_json(json.loads(json.dumps(as_json(found)))) == found


def test_what_got_worse_is_found() -> None:
    """Beyond 10 %, and further than both runs spread; a rate is worse when it falls."""
    old, new = [made([2, 2, 2.1], [1, 1, 1])], [made([3, 3, 3.1], [1, 1, 1])]
    assert [(name, now.name) for name, now, _ in worsened(new, old)] == [("cpu", CPU), ("cpu", RATE)]
    assert list(worsened(old, new)) == []


@pytest.mark.parametrize(
    "gateway",
    [
        pytest.param([2.1, 2.1, 2.1], id="little"),
        pytest.param([2.05, 3, 3], id="spreads that meet"),
    ],
)
def test_noise_is_not_worse(gateway: list[float]) -> None:
    """A little more, or more within what the rounds spread, is nothing to tell."""
    assert list(worsened([made(gateway, [1, 1, 1])], [made([2, 2, 2.1], [1, 1, 1])])) == []


def test_what_is_new_is_compared_with_nothing() -> None:
    assert list(worsened([made([9], [1], name="new")], [made([1], [1], name="old")])) == []
