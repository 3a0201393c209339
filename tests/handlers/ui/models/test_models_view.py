"""The page of statistics as words and charts."""

from decimal import Decimal
from typing import Any

import pytest

from handlers.ui.digest import digest_trace
from handlers.ui.models.models_view import build_models_view, describe_cost, list_quirks
from handlers.ui.models.statistics import Usage
from tests.handlers.ui.documents import answer, as_trace, call, candidate, document, failure
from upstream.openai.quirks import Action, Quirk


def shown_of(*traces: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the only mixture."""
    (mixture,) = build_models_view([digest_trace(as_trace(each)) for each in traces], mixture="", span="all")[
        "mixtures"
    ]
    found: dict[str, Any] = mixture
    return found


@pytest.mark.parametrize(
    ("cost", "n_unpriced", "text"),
    [
        ({}, 0, "0"),
        ({"USD": "0"}, 0, "0"),
        ({}, 3, "unknown"),
        ({"USD": "0"}, 1, "unknown"),
        ({"USD": "0.0269"}, 0, "0.0269 USD"),
        ({"USD": "1.5"}, 2, "at least 1.50 USD"),
        ({"EUR": "12", "USD": "0.1"}, 0, "12.00 EUR + 0.10 USD"),
        ({"": "0.25"}, 0, "0.25"),
        ({"USD": "0.0000000001"}, 0, "under 0.000001 USD"),
    ],
)
def test_costs_are_never_understated(cost: dict[str, str], n_unpriced: int, text: str) -> None:
    """An unknown cost is not 0, nor is a very small one."""
    known = {currency: Decimal(amount) for currency, amount in cost.items()}
    assert describe_cost(Usage(n_calls=5, cost=known, n_unpriced=n_unpriced)) == text


def test_evidence_is_counted_by_its_signal() -> None:
    """With how often it decided, how long it took, and the share of candidates that gave no result."""
    ran = {"by": "examples", "n_ran": 3, "n_unknown": 1, "run_s": 0.5}
    traces = [
        document(evidence=ran, decided_by="evidence"),
        document(evidence={**ran, "n_ran": 1, "run_s": 1.5}, decided_by="critic"),
        document(evidence={**ran, "by": "", "n_unknown": 0}),
        document(evidence={"n_ran": 0}),
        document(mixture="prose"),
    ]
    view = build_models_view([digest_trace(as_trace(each)) for each in traces], mixture="", span="all")
    (row,) = view["evidence"]
    assert (row["name"], row["n_requests"], row["n_decided"], row["n_ran"]) == ("mom", 3, 1, 7)
    assert row["signal_counts"] == "examples 2, nothing 1"
    assert row["unknown"] == "29 %"
    assert (row["latency"].p50_s, row["latency"].p95_s) == (0.5, 1.5)


def test_equal_recommendations_share_a_line() -> None:
    """In the panel's order."""
    trace = document(candidates=[candidate("a"), candidate("b"), candidate("c")], answers=[answer("a", "some words")])
    (line,) = shown_of(trace)["recommendations"]
    assert line["names"] == "a, b, c"
    assert line["sentence"] == "Too few requests to tell: 1 of at least 20."


def test_calls_that_the_gateway_ended_are_not_shown_as_faults() -> None:
    """Cancelled and left out have a neutral colour, other failures an alarming one; the words name all."""
    failures = [failure("a"), failure("a", "straggler"), failure("a", "left_out"), failure("a", "empty")]
    (member,) = shown_of(document(failures=failures))["members"]
    assert member["outcome_counts"] == "ok 0, empty 1, left out 1, straggler 1, timeout 1"
    for kind, tone in (("empty", "bad"), ("left out", "idle"), ("straggler", "idle"), ("timeout", "bad-2")):
        assert f"chart-{tone}" in next(
            rect for rect in member["outcomes"].split("<rect") if f"{kind}: 1</title>" in rect
        )


def test_unknown_numbers_are_called_unknown() -> None:
    """A member without candidates has no validity, and no part of an answer."""
    mixture = shown_of(document(failures=[failure("a")], outcome="failed", calls=[call("a", None, outcome="timeout")]))
    assert (mixture["members"][0]["validity"], mixture["members"][0]["text"]) == ("unknown", None)
    assert (mixture["latency"], mixture["decided_by"], mixture["outcome_counts"]) == (
        None,
        "no answer",
        "ok 0, failed 1",
    )


def test_a_bar_has_a_text_alternative() -> None:
    """For readers who cannot see it."""
    mixture = shown_of(document(), document(outcome="cancelled"), document(outcome="failed", error={"code": "timeout"}))
    assert 'aria-label="Outcomes of mom: ok: 1; cancelled: 1; timeout: 1"' in mixture["outcomes"]


def test_refusals_of_a_model_are_listed() -> None:
    """With what is done about it, the upstream's words, and the line that makes it permanent."""
    (row,) = list_quirks({"a": (), "b": (Quirk(Action.DROP, "top_k", cause="unknown field top_k"),)})
    assert (row["model"], row["cause"], row["config"]) == ("b", "unknown field top_k", "drop: [top_k]")
    assert "top_k" in row["does"]


def test_the_share_of_prompts_that_came_from_caches_is_shown_for_each_member() -> None:
    """If its upstream reports any; of the whole mixture, all members count."""
    calls = [call("a", prompt_tokens=100, cached_tokens=80), call("b", prompt_tokens=100)]
    shown = shown_of(document(candidates=[candidate("a"), candidate("b")], calls=calls))
    assert {member["name"]: member["cached"] for member in shown["members"]} == {"a": "80 %", "b": ""}
    assert shown["cached"] == "40 %"
