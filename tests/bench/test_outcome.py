"""The outcome of a run, and its comparison with another."""

import json

import pytest

from bench.outcome import Figure, Outcome, find_worse, from_json, summarize, to_json
from bench.scenarios import Target
from bench.stand import GATEWAY
from tests.bench.results import CPU, RATE, made, scenario


def figure(found: Outcome, name: str = CPU) -> Figure:
    (one,) = [each for each in found.figures if each.name == name]
    return one


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    """A disturbance of a whole round does not change it."""
    ratio = figure(made([1.5, 15, 3], [1, 10, 1])).ratio
    assert ratio is not None
    assert (ratio.median, ratio.low, ratio.high) == (1.5, 1.5, 3)


@pytest.mark.parametrize(
    ("target", "excess"), [(Target(ratio=1.5), 2), (Target(value=6), 0.5), (Target(over=4), 0.5), (None, 0)]
)
def test_the_excess_is_a_multiple_of_the_target(target: Target | None, excess: float) -> None:
    """1 is just met; without a target it is 0."""
    assert figure(made([3], [1], target)).excess == excess


def test_only_steady_ratios_can_be_absurd() -> None:
    """A ratio of more than three times its target is; a figure that depends on the clock or the machine never is."""
    assert figure(made([4.6], [1], Target(ratio=1.5))).absurd
    assert not figure(made([4.4], [1], Target(ratio=1.5))).absurd
    assert not figure(made([9], [1], Target(ratio=1.5, unsteady=True))).absurd
    assert not figure(made([9], [1], Target(value=1))).absurd


def test_a_target_for_an_unknown_figure_is_refused() -> None:
    """A misspelt figure cannot make a target vanish."""
    with pytest.raises(ValueError, match="requests/s"):
        summarize(scenario(rate=Target(ratio=1)), [{GATEWAY: {CPU: 1.0}, "floor": {CPU: 1.0}}])


def test_outcomes_survive_json() -> None:
    """Written and read again, they are equal."""
    found = [made([3, 4], [1, 2], Target(ratio=1.5)), made([1], [1], name="other")]
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


def test_worse_figures_are_found() -> None:
    """By more than 10 % and more than the spread of both runs; a rate is worse when it falls."""
    old, new = [made([2, 2, 2.1], [1, 1, 1])], [made([3, 3, 3.1], [1, 1, 1])]
    assert [(name, now.name) for name, now, _ in find_worse(new, old)] == [("cpu", CPU), ("cpu", RATE)]
    assert list(find_worse(old, new)) == []


@pytest.mark.parametrize(
    "gateway",
    [
        pytest.param([2.1, 2.1, 2.1], id="little"),
        pytest.param([2.05, 3, 3], id="spreads that meet"),
    ],
)
def test_noise_is_not_worse(gateway: list[float]) -> None:
    """A small difference, or one within the spread of the rounds, is not reported."""
    assert list(find_worse([made(gateway, [1, 1, 1])], [made([2, 2, 2.1], [1, 1, 1])])) == []


def test_a_new_figure_is_not_compared() -> None:
    assert list(find_worse([made([9], [1], name="new")], [made([1], [1], name="old")])) == []
