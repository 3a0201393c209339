"""The doctor's report as text."""

from config.settings import Model
from handlers.terminal.doctor_report import format_remarks, format_tables
from tests.running import model, settings
from upstream.doctor.probe import ProbeResult


def remarks(models: list[Model], *results: ProbeResult) -> list[str]:
    return format_remarks(settings(models), {result.name: result for result in results}, colours=False)


def test_problems_warnings_and_adaptations() -> None:
    """Each has its line, with the model's name."""
    result = ProbeResult("a", warning="is slow", notes=("temperature is left out", "tools are left out"))
    assert remarks([model("a", "http://h/v1")], result) == [
        "warning: a: is slow",
        "adapted: a: temperature is left out",
        "adapted: a: tools are left out",
    ]


def test_no_network_at_all() -> None:
    """One line instead of advice about each base_url; a local model that is not running keeps its own."""
    models = [model("a", "https://one.example/v1"), model("b", "https://two.example/v1")]
    local = model("c", "http://127.0.0.1:11434/v1")
    offline = [ProbeResult(name, problem="check base_url", is_offline=True) for name in "ab"]
    network = "problem: none of one.example, two.example can be reached: is this machine online, and does its DNS work?"
    assert remarks(models, *offline) == [network]
    assert remarks([*models, local], *offline, ProbeResult("c", problem="nothing listens")) == [
        network,
        "problem: c: nothing listens",
    ]


def test_one_host_that_cannot_be_reached() -> None:
    """Its own sentence stays, because its name may be wrong; so does each if another host can be reached."""
    offline = ProbeResult("a", problem="check base_url", is_offline=True)
    assert remarks([model("a", "https://one.example/v1")], offline) == ["problem: a: check base_url"]
    models = [model("a", "https://one.example/v1"), model("b", "https://two.example/v1")]
    assert remarks(models, offline, ProbeResult("b")) == ["problem: a: check base_url"]


def test_a_model_that_was_not_asked() -> None:
    """An embedded model that no mixture uses is not loaded by the doctor either."""
    models = [model("a", "http://h/v1"), model("b", "http://h/v1")]
    report = format_tables(settings(models, panel=("a",)), {"a": ProbeResult("a", seconds=0.5)}, colours=False)
    assert report.splitlines()[-1].endswith("-        -       not used by a mixture")
