"""The replay of the scripted session, and the table of docs/agents.md."""

import re
from pathlib import Path

import pytest

from eval.agents.replay import Line, list_ways, list_ways_as_text, measure, read_settings
from eval.agents.report import make_table

PAGE = Path(__file__).parents[3] / "docs" / "agents.md"


@pytest.fixture(scope="module")
def lines() -> dict[str, Line]:
    settings = read_settings()
    return {line.name: line for line in measure(list_ways(settings.mixtures[0]), settings)}


def test_the_panel_is_asked_on_the_turns_that_its_way_names(lines: dict[str, Line]) -> None:
    """Each is a call of three members beside the actor's."""
    asked = {"solo": 0, "transcript, every turn": 30, "prose, new turns": 3, "stuck": 2}
    assert {name: lines[name].n_panel for name in asked} == asked
    assert {name: lines[name].n_calls for name in asked} == {name: 30 + 3 * n for name, n in asked.items()}


def test_a_panel_that_is_asked_seldom_costs_little(lines: dict[str, Line]) -> None:
    """Stuck and staged cost at most one and a half times as much as the acting model alone."""
    assert lines["stuck"].cost_ratio <= 1.5
    assert lines["staged"].cost_ratio <= 1.5
    assert lines["prose, new turns"].cost < lines["transcript, new turns"].cost


def test_breakpoints_keep_the_session_cached(lines: dict[str, Line]) -> None:
    """Without them every turn pays for the whole conversation."""
    cached = {name: line.tokens.cached / line.tokens.prompt for name, line in lines.items()}
    assert cached["solo"] > 0.9
    assert cached["stuck"] > 0.9
    assert cached["solo, no breakpoints"] == 0
    assert lines["solo, no breakpoints"].cost_ratio > 4


def test_without_tools_agreement_saves_calls() -> None:
    """Two members that agree settle a stage; without a critic the first one is enough."""
    settings = read_settings()
    found = {line.name: line for line in measure(list_ways_as_text(settings.mixtures[0]), settings)}
    assert found["solo"].n_calls == found["staged, no critic"].n_calls == 30
    assert found["staged"].n_calls < found["whole panel"].n_calls
    assert found["staged, small critic"].cost_ratio <= 1.5


def test_the_page_has_the_figures_of_the_replay(lines: dict[str, Line]) -> None:
    """To a twentieth, so that a changed sentence of a prompt does not make it wrong."""
    first_table, _, _ = PAGE.read_text(encoding="utf-8").partition("Without tools, each step")
    rows = [row.split(" | ") for row in re.findall(r"^\| (.*) \|$", first_table, re.MULTILINE)]
    shown = {cells[0]: float(cells[7]) for cells in rows if cells[0] in lines}
    assert shown.keys() == lines.keys()
    for name, ratio in shown.items():
        assert ratio == pytest.approx(lines[name].cost_ratio, rel=0.05), name


def test_a_table_has_a_row_for_each_way(lines: dict[str, Line]) -> None:
    """With its share of the turns and of the cost."""
    head, _, *rows = make_table(list(lines.values())).split("\n")
    assert head.startswith("| way | turns with panel | calls |")
    assert rows[0].startswith("| solo | 0/30 | 30 |")
    assert len(rows) == len(lines)
