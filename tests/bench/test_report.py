"""The report, the chart and the files of a run."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench import record as records
from bench import report
from bench.chart import draw_chart
from bench.record import Record
from bench.scenarios import Target
from tests.bench.results import CPU, made


def test_a_line_shows_both_medians_their_ratio_and_the_target() -> None:
    """Medians first, then the ratio with its extremes, then whether the target is met."""
    heading, cpu, rate = report.format_outcome(made([1.2, 1.3, 1.4], [1, 1, 1], Target(ratio=1.25)), 7.2)
    assert heading == "cpu: some load (gateway against floor; 7 s)"
    assert " ".join(cpu.split()) == "CPU a request, ms 1.300 : 1.000 = 1.30 (1.20 to 1.40) target 1.25 x: MISSED"
    assert "target" not in rate


def test_a_met_target_is_marked() -> None:
    (_, cpu, _) = report.format_outcome(made([1], [1], Target(value=1.0)), 0)
    assert cpu.endswith("target 1.0: ok")


def test_worse_figures_are_listed() -> None:
    """With both figures and their spreads, or one line if there are none."""
    old, new = [made([2, 2], [1, 1])], [made([3, 3], [1, 1])]
    assert report.list_worse(new, old, "before")[:2] == [
        "Worse than before:",
        f"  cpu, {CPU}: 2.000 (2.000 to 2.000) -> 3.000 (3.000 to 3.000)",
    ]
    assert report.list_worse(old, new, "before") == ["Nothing is worse than in before."]


def test_absurd_figures_are_named() -> None:
    assert report.list_absurd([made([9], [1], Target(ratio=1.5))]) == [f"cpu, {CPU}: 6.0 times its target"]
    assert report.list_absurd([made([2], [1], Target(ratio=1.5))]) == []


@pytest.mark.parametrize(("value", "told"), [(0.1234, "0.123"), (12.34, "12.3"), (1234.5, "1,234")])
def test_numbers_have_about_three_digits(value: float, told: str) -> None:
    assert report.format_number(value) == told


def test_the_chart_is_well_formed() -> None:
    """One row for each ratio that has a target, whatever their names hold; a target beyond all bars stays inside."""
    found = [made([1], [1], Target(ratio=9), name="a<b>&"), made([5], [1], Target(ratio=1.5)), made([1], [1])]
    root = ET.fromstring(draw_chart('"ratios" & <more>', found))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a<b>&: CPU a request" in texts
    assert sum(text is not None and text.endswith("CPU a request") for text in texts) == 2


def test_the_chart_of_nothing_is_well_formed() -> None:
    ET.fromstring(draw_chart("nothing", []))


def test_a_run_is_kept_and_compared_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later runs are compared with the last result that `keep` named."""
    monkeypatch.setattr(records, "KEPT", tmp_path / "kept")
    record = Record(tmp_path / "out", short=False, loop="asyncio", n_rounds=5)
    assert record.compare([made([2], [1])]) == ["No earlier result is kept to compare with."]
    written = record.write([made([2, 2], [1, 1])], keep="2026-01-01")
    assert [path.name for path in written] == ["latest.json", "latest.svg", "2026-01-01.json", "2026-01-01.svg"]
    record.write([made([1, 1], [1, 1])], keep="2025-12-31")
    assert record.compare([made([2, 2], [1, 1])]) == ["Nothing is worse than in 2026-01-01."]
    assert record.compare([made([4, 4], [1, 1])])[0] == "Worse than 2026-01-01:"
