"""The report from feedback on the mixtures, as the page shows it."""

from typing import Any

from handlers.ui.digest import digest_trace
from handlers.ui.models.trust_view import build_trust_view, list_panels
from synth.feedback.trust import Count, name_scope
from tests.handlers.ui.documents import answer, as_trace, call, candidate, document
from tests.running import model, panel_of, settings

SCOPE = name_scope("mom", "edits python chat")
PANELS = {"mom": ["a=a", "b=b"]}
COUNTS = [
    Count(SCOPE, "", "right", 200),
    Count(SCOPE, "", "picked", 200),
    Count(SCOPE, "a=a", "right", 200),
    Count(SCOPE, "b=b", "open_right", 200),
]


def shadow_trace(author: str = "a", decided_by: str = "panel_order", **arrangement: Any) -> dict[str, Any]:
    """Return a trace of a tie that the order decided, while feedback would have put b first."""
    return document(
        candidates=[candidate("a"), candidate("b")],
        answers=[{**answer(author, "some words"), "decided_by": decided_by}],
        arrangement={"order": ["b", "a"], "decides": False, **arrangement},
    )


def lines(*traces: dict[str, Any]) -> str:
    (view,) = build_trust_view(COUNTS, PANELS, [digest_trace(as_trace(each)) for each in traces])
    return "\n".join(view["lines"])


def test_without_verdicts_there_is_no_report() -> None:
    """Without counts there is no section."""
    assert build_trust_view([], PANELS, []) == []


def test_a_section_has_recommendation_sentences_and_kinds() -> None:
    """Recommendation, sentences and kinds of task."""
    (view,) = build_trust_view(COUNTS, PANELS, [])
    assert view["recommendations"][0]["advice"] == "collapse"
    assert view["recommendations"][0]["tone"] == "warn"
    assert view["kinds"] == [{"name": "edits python chat", "n": "200", "right": "100 % (99 % to 100 %)"}]


def test_the_effect_of_shadow_is_described() -> None:
    """Counted from the traces: who would have gone first, and how often that would have changed the answer."""
    text = lines(shadow_trace(), shadow_trace(decided_by="chosen"), shadow_trace(author="b"))
    assert (
        "another member would have gone first in some of 3 kept requests (b in 3); the answer would have changed in 1"
        in text
    )


def test_an_order_that_decided_is_not_hypothetical() -> None:
    """With `learn: on` the order was used, so nothing is said about what had been."""
    assert "would have gone first" not in lines(shadow_trace(decides=True))


def test_the_price_over_the_best_member() -> None:
    """The mixture costs the calls of all members, in comparison with the best one's own."""
    trace = document(
        candidates=[candidate("a"), candidate("b")],
        answers=[answer("a", "some words")],
        calls=[{**call("a"), "cost": 1.0}, {**call("b"), "cost": 2.0}],
    )
    assert "at 3.0 times its price" in lines(trace)


def test_panels_of_one_model_are_not_compared() -> None:
    """Only mixtures with several models are shown; samples are one member."""
    models = [model(name, "http://unused") for name in "ab"]
    assert list_panels(settings(models)) == PANELS
    assert list_panels(settings(models, panel=panel_of("a"))) == {}
