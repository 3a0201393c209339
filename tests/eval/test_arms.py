"""The arms of a measurement."""

import pytest

from config.settings import Critic, Mixture, Proposer
from eval.arms import SAMPLES, choose_arms, make_arms

PANEL = Mixture("mom", (Proposer("a"), Proposer("b")), Critic("a"))
ARMS = make_arms(PANEL, 1)


def names(chosen: str | None) -> list[str]:
    return [arm.name for arm in choose_arms(ARMS, chosen, PANEL.panel_models)]


def test_the_arms_that_are_named_are_measured() -> None:
    """In this order."""
    assert names("b,evidence") == ["b", "evidence"]


def test_without_a_member_the_best_ranked_is_measured_as_well() -> None:
    """There is nothing else to compare with."""
    assert names("evidence+repair") == ["a", "evidence+repair"]


def test_the_dearest_arms_are_measured_on_request_only() -> None:
    """All others are there without being named."""
    assert SAMPLES in ARMS
    assert SAMPLES not in names(None)
    assert {"a", "b", "evidence", "evidence+stages"} <= set(names(None))


def test_an_unknown_arm_is_an_error_that_lists_them() -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match="no arm evidnce; there are: a, b, random"):
        names("evidnce")
