"""What is printed, drawn and written of a run."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench import record as records
from bench import report
from bench.chart import svg
from bench.record import Record
from bench.scenarios import Target
from tests.bench.results import CPU, made


def test_a_line_tells_both_sides_their_ratio_and_its_target() -> None:
    """Medians first, then the ratio with its extremes, then whether the target is met."""
    heading, cpu, rate = report.lines(made([1.2, 1.3, 1.4], [1, 1, 1], Target(ratio=1.25)), 7.2)
    assert heading == "cpu: some load (gateway against floor; 7 s)"
    assert " ".join(cpu.split()) == "CPU a request, ms 1.300 : 1.000 = 1.30 (1.20 to 1.40) target 1.25 x: MISSED"
    assert "target" not in rate


def test_a_target_that_is_met_is_told() -> None:
    (_, cpu, _) = report.lines(made([1], [1], Target(value=1.0)), 0)
    assert cpu.endswith("target 1.0: ok")


def test_changes_name_what_got_worse() -> None:
    """With both figures and their spreads; or that there is nothing."""
    old, new = [made([2, 2], [1, 1])], [made([3, 3], [1, 1])]
    assert report.changes(new, old, "before")[:2] == [
        "Worse than before:",
        f"  cpu, {CPU}: 2.000 (2.000 to 2.000) -> 3.000 (3.000 to 3.000)",
    ]
    assert report.changes(old, new, "before") == ["Nothing is worse than in before."]


def test_what_is_absurd_is_named() -> None:
    assert report.absurd([made([9], [1], Target(ratio=1.5))]) == [f"cpu, {CPU}: 6.0 times its target"]
    assert report.absurd([made([2], [1], Target(ratio=1.5))]) == []


@pytest.mark.parametrize(("value", "told"), [(0.1234, "0.123"), (12.34, "12.3"), (1234.5, "1,234")])
def test_numbers_have_about_three_digits(value: float, told: str) -> None:
    assert report.number(value) == told


def test_the_chart_is_well_formed() -> None:
    """One row for each ratio that has a target, whatever their names hold; a target beyond all bars stays inside."""
    found = [made([1], [1], Target(ratio=9), name="a<b>&"), made([5], [1], Target(ratio=1.5)), made([1], [1])]
    root = ET.fromstring(svg('"ratios" & <more>', found))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a<b>&: CPU a request" in texts
    assert sum(text is not None and text.endswith("CPU a request") for text in texts) == 2


def test_the_chart_of_nothing_is_well_formed() -> None:
    ET.fromstring(svg("nothing", []))


def test_a_run_is_kept_and_compared_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `keep` names is what later runs are held against; the last one counts."""
    monkeypatch.setattr(records, "KEPT", tmp_path / "kept")
    record = Record(tmp_path / "out", short=False, loop="asyncio", n_rounds=5)
    assert record.compared([made([2], [1])]) == ["No earlier result is kept to compare with."]
    written = record.write([made([2, 2], [1, 1])], keep="2026-01-01")
    assert [path.name for path in written] == ["latest.json", "latest.svg", "2026-01-01.json", "2026-01-01.svg"]
    record.write([made([1, 1], [1, 1])], keep="2025-12-31")
    assert record.compared([made([2, 2], [1, 1])]) == ["Nothing is worse than in 2026-01-01."]
    assert record.compared([made([4, 4], [1, 1])])[0] == "Worse than 2026-01-01:"
