"""Tables and the plot of the simulation."""

from xml.etree import ElementTree as ET

from eval.trust.plot import draw_regret
from eval.trust.report import make_table, measure_recorded, measure_world
from eval.trust.simulation import POLICIES
from eval.trust.world import Task


def test_a_small_world_gives_a_table_and_a_plot() -> None:
    """Every policy has a row, and the plot is valid XML with a line for each."""
    courses = measure_world(n_requests=60, n_runs=2)
    rows = make_table(courses).splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]] == list(POLICIES)
    root = ET.fromstring(draw_regret("Regret <&>", courses))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(POLICIES) <= set(texts)


def test_recorded_tasks() -> None:
    """The oracle is who solves most: in that order nothing is lost."""
    tasks = [Task("k", {"a": (number % 3 == 0, 1), "b": (True, 2)}) for number in range(9)]
    assert all(course.regret[-1] == 0 for course in measure_recorded(tasks, ("b", "a"), 18)["fixed order"])
    assert all(course.regret[-1] == 12 for course in measure_recorded(tasks, ("a", "b"), 18)["fixed order"])
