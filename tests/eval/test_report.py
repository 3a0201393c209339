"""The report agrees with the results."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from eval.asking import Answer
from eval.measuring import Result
from eval.plot import svg
from eval.report import deciders, losses, make_lines, signals, table


def results(arm: str, passed: str, *, cost: float | None = 0.5) -> list[Result]:
    """Return one result for each character, passed where it is 1."""
    answer = Answer("x", True, "model", 2, 30, 10, 4.0, cost)
    return [Result(arm, str(number), mark == "1", answer) for number, mark in enumerate(passed)]


def test_an_arm_is_measured_against_the_best_member() -> None:
    """The member that passed most is the measure, whatever the panel's order; an arm is no member."""
    found = [*results("a", "10001"), *results("b", "11100"), *results("fuse", "11111")]
    worse, best, fuse = make_lines(found, ["a", "b"], seed=1)
    assert (best.difference, best.p) == (0, 1)
    assert (fuse.passed, fuse.n, fuse.rate) == (5, 5, 1)
    assert fuse.difference == pytest.approx(0.4)
    assert fuse.p == pytest.approx(0.5)
    assert fuse.difference_low <= 0.4 <= fuse.difference_high
    assert worse.difference < 0


def test_the_table_has_a_row_for_each_arm() -> None:
    found = make_lines([*results("a", "01"), *results("fuse", "11", cost=None)], ["a"], seed=1)
    head, rule, first, second = table(found).splitlines()
    assert head.count("|") == rule.count("|") == first.count("|") == second.count("|")
    assert first.startswith("| a | 1/2 | 50% (9%-91%) | 0 (0 to 0) | 1.00 | 100% | 2.0 | 30 + 10 | 0.5 | 4.0 / 4.0 |")
    assert "| fuse | 2/2 |" in second
    assert "| unknown |" in second


def test_the_report_lists_how_each_arm_decided() -> None:
    """One line for each arm that has a choice; a model alone has none."""
    chosen = [replace(result, answer=replace(result.answer, decided_by="chosen")) for result in results("fuse", "010")]
    first = replace(chosen[0], answer=replace(chosen[0].answer, decided_by="panel_order"))
    assert deciders([*results("a", "01"), *chosen[1:], first]) == "- fuse: chosen 2, panel_order 1"


def test_arms_that_answered_different_items_can_not_be_compared() -> None:
    with pytest.raises(ValueError, match="same items"):
        make_lines([*results("a", "01"), *results("b", "1")], ["a"], seed=1)


def test_the_plot_is_xml_that_names_every_arm() -> None:
    found = make_lines([*results("a", "01"), *results("a <b>", "11")], ["a"], seed=1)
    root = ET.fromstring(svg("rates & more", found))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a", "a <b>", "rates & more", "100%"} <= set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 2


def test_the_report_lists_the_deciding_signals_and_their_accuracy() -> None:
    """For each arm, how often a signal separated the candidates, and how often the answer passed then."""
    found = results("evidence", "1101")
    marked = [
        replace(result, answer=replace(result.answer, signal=signal))
        for result, signal in zip(found, ["examples", "examples", "examples", ""], strict=True)
    ]
    assert signals([*results("a", "0000"), *marked])[2] == "- evidence: examples 3 (2 right)"
    assert signals(results("a", "01")) == []


def test_the_report_names_lost_items() -> None:
    """Won and lost against the best member, with the names of lost items."""
    told = losses([*results("a", "0110"), *results("evidence", "1010")], ["a"])
    assert told[2] == "- evidence: 1-1: 1"
    assert losses(results("a", "01"), ["a"]) == []
