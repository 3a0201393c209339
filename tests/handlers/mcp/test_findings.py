"""The findings of a consultation, as an agent reads them."""

from typing import Any

from handlers.mcp.findings import Findings

USAGE = {"mom": {"calls": 3, "prompt_tokens": 20, "completion_tokens": 10}}


def candidate(model: str, text: str, finding: str | None = None, layer: int = 1) -> dict[str, Any]:
    return {"type": "candidate", "model": model, "layer": layer, "text": text, "finding": finding, "seconds": 1.25}


def answered(text: str, decided_by: str = "critic", author: str = "c") -> list[dict[str, Any]]:
    return [
        {"type": "answer", "text": text, "decided_by": decided_by, "author": author},
        {"type": "end", "usage": USAGE},
    ]


def test_steps_are_described() -> None:
    """Steps that a waiting agent should know are described; pieces of text are not."""
    findings = Findings(n_members=2)
    events: list[dict[str, Any]] = [
        {"type": "begin", "id": "x"},
        {"type": "stage", "stage": 1, "models": ["a"]},
        {"type": "writing", "model": "a", "attempt": 1, "text": "O"},
        candidate("a", "One."),
        {"type": "stage", "stage": 2, "models": ["b"]},
        {"type": "failure", "model": "b", "layer": 1, "kind": "rate_limited", "message": "later"},
        {"type": "evidence", "decides": False, "by": "", "findings": {}},
        {"type": "evidence", "decides": True, "by": "examples", "findings": {"a": "passes"}},
        {"type": "author", "model": "c", "role": "critic", "reads": 1},
        {"type": "author", "model": "c", "role": "critic", "reads": 0},
        *answered("Both."),
    ]
    assert [step for step in map(findings.read, events) if step] == [
        "a answered after 1.2 s (1 of 2)",
        "not settled yet: stage 2 asks b",
        "b failed: rate limited: later (2 of 2)",
        "the code in the answers was run",
        "c reads 1 answer",
        "c writes the answer",
    ]


def test_a_report_has_everything() -> None:
    """The answer first, so that an agent that stops reading has it."""
    findings = Findings()
    for event in (
        candidate("a", "One.\n\nYes.", "no JSON"),
        candidate("b", "Two."),
        {"type": "failure", "model": "d", "layer": 1, "kind": "timeout", "message": "slow"},
        {"type": "evidence", "decides": True, "by": "examples", "findings": {"b": "passes 2 of 2 examples"}},
        *answered("Two.", "chosen", "b"),
    ):
        findings.read(event)
    assert findings.write(findings.answers[::-1], "- the number: A says two; B says one") == (
        "Two.\n\n"
        "---\n"
        "How it was decided: chosen by the critic: the answer of b (3 calls, 20 + 10 tokens).\n\n"
        "Who said what:\n\n"
        "A, b (1.2 s; passes 2 of 2 examples): the answer above.\n\n"
        "B, a (1.2 s; no JSON):\n> One.\n> \n> Yes.\n\n"
        "d gave no answer: timeout: slow\n\n"
        "Where they disagree:\n\n"
        "- the number: A says two; B says one"
    )


def test_a_report_without_a_panel() -> None:
    """A single model, or a request that needed no panel, has no disagreement."""
    findings = Findings()
    for event in answered("Alone.", "model", "a"):
        findings.read(event)
    report = "Alone.\n\n---\nHow it was decided: written by a (3 calls, 20 + 10 tokens)."
    assert findings.write([], "") == report


def test_an_agents_context_is_spared() -> None:
    """Long answers are cut, an earlier layer's are left out, and control characters are removed."""
    findings = Findings()
    for event in (candidate("a", "first layer"), candidate("a", "\x1b[2J" + "x" * 10_000, layer=2), *answered("Two.")):
        findings.read(event)
    report = findings.write(findings.answers, "")
    assert len(report) < 5_000
    assert report.endswith("x […]")
    assert "\x1b" not in report
    assert "first layer" not in report
