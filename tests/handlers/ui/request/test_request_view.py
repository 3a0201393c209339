"""The page of one request, from its trace."""

import json
from typing import Any

import pytest

from handlers.traces.as_json import decode_trace
from handlers.ui.request.request_view import RequestView, build_page, build_request_view
from synth.edits import EditForm
from tests.synth.edits.conversations import block, conversation

PATH = "shapes.py"
SHOWN = {PATH: "def square(side):\n    return side\n"}
SQUARE = block(PATH, "    return side\n", "    return side * side\n")


def view_of(**fields: Any) -> RequestView:
    return build_request_view(decode_trace(json.dumps({"id": "chatcmpl-1", **fields})))


def candidate(model: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "layer": 1, "finding": None, "text": text, **fields}


def answer(text: str, author: str = "a", decided_by: str = "chosen", **fields: Any) -> dict[str, Any]:
    return {"text": text, "author": author, "decided_by": decided_by, **fields}


def test_the_chosen_candidate_comes_first_and_is_marked() -> None:
    """With the letters under which the critic saw it, in each order."""
    authors = [{"letters": {"A": "b", "B": "a"}}, {"letters": {"A": "a", "B": "b"}}]
    view = view_of(candidates=[candidate("b", "two"), candidate("a", "one")], answers=[answer("one")], authors=authors)
    first, second = view.candidates
    assert (first.model, first.is_answer, first.letters) == ("a", True, ["B", "A"])
    assert (second.model, second.is_answer) == ("b", False)
    assert [other.diff.same for other in view.answers[0].comparisons] == [True, False]
    assert view.answers[0].explanation == "The critic picked the candidate of a, unchanged."


def test_a_candidate_s_evidence_is_on_its_card() -> None:
    """Of the last layer: those before it were not run."""
    standing = {"model": "a", "finding": "passes 2 of 2 examples", "passed_all": True}
    view = view_of(
        candidates=[candidate("a", "one"), candidate("a", "two", layer=2)], evidence={"standings": [standing]}
    )
    assert [each.evidence and each.evidence.finding for each in view.candidates] == [None, "passes 2 of 2 examples"]


@pytest.mark.parametrize(
    ("evidence", "decided_by", "text"),
    [
        ({"n_ran": 0}, "critic", None),
        ({"n_ran": 2}, "critic", "2 candidates run in under 1 ms. No signal separates them."),
        ({"n_ran": 1, "run_s": 0.01}, "critic", "1 candidate run in 0.010 s. No signal separates them."),
        (
            {"n_ran": 3, "run_s": 2, "by": "examples"},
            "evidence",
            "examples that they pass, which decided.",
        ),
        ({"n_ran": 3, "n_unknown": 2, "run_s": 2, "by": "alive"}, "chosen", "3 candidates run in 2.00 s, 2 without a"),
        ({"n_ran": 3, "by": "checker", "decides": False}, "critic", "the checker, recorded only."),
        ({"n_ran": 3, "by": "a later signal"}, "critic", "Ranked by a later signal."),
    ],
)
def test_evidence_is_summed_up(evidence: dict[str, Any], decided_by: str, text: str | None) -> None:
    """How many were run, what separates them, and whether that decided."""
    shown = view_of(evidence=evidence, decided_by=decided_by).evidence
    assert shown is None if text is None else text in (shown or "")


def test_a_shared_run_is_explained() -> None:
    """In words, also of a later version's kind; most requests share none."""
    assert view_of().sharing is None
    assert "was running" in (view_of(shared="running", shared_with="chatcmpl-2").sharing or "")
    assert view_of(shared="queued").sharing == "queued"


def test_letters_are_those_of_the_last_layer() -> None:
    """Candidates of earlier layers were never shown to a critic."""
    both = [candidate("a", "one"), candidate("a", "better", layer=2)]
    calls = [{"role": "proposer", "model": "a", "prompt_tokens": n} for n in (1, 2)]
    view = view_of(candidates=both, authors=[{"letters": {"A": "a"}}], calls=calls)
    assert [(each.layer, each.letters) for each in view.candidates] == [(1, ()), (2, ["A"])]
    assert [each.call and each.call.prompt_tokens for each in view.candidates] == [1, 2]


def test_an_answer_is_explained() -> None:
    """For several authors too, and for a decision that only a later version knows."""
    answers = [answer("x", "a+b"), answer("x", "a", "panel_order"), answer("x", "a", "by lot")]
    members = [candidate("a", "x"), candidate("b", "y")]
    hows = [each.explanation for each in view_of(answers=answers, candidates=members).answers]
    assert hows[0] == "The critic picked edits of several candidates: a, b."
    assert hows[1].startswith("The critic's two picks differ")
    assert hows[2] == "By a."


def test_comparisons_are_bounded() -> None:
    """For any number of choices and candidates; the page says how many are missing."""
    many = [candidate(f"m{n}", str(n)) for n in range(16)]
    view = view_of(candidates=many, answers=[answer("x"), answer("y"), answer("z")])
    assert [len(each.comparisons) for each in view.answers] == [16, 8, 0]
    assert [each.n_uncompared for each in view.answers] == [0, 8, 16]


def test_edits_are_shown_as_changes_of_files() -> None:
    """Applied to what the conversation shows, by the rules of the tool in front."""
    request = {"messages": conversation(EditForm.EDIT_BLOCKS, SHOWN)}
    view = view_of(request=request, candidates=[candidate("a", SQUARE)], answers=[answer(SQUARE)])
    edited = view.answers[0].changes
    assert edited is not None
    (file,) = edited.files
    assert (file.path, file.kind, file.diff.n_added, file.diff.n_removed) == (PATH, "changed", 1, 1)
    assert view.candidates[0].changes == edited


def test_the_question_is_the_last_message_of_the_user() -> None:
    """Rendered as Markdown, like answers and candidates; data is shown as it is."""
    messages = [{"role": "user", "content": "first"}, {"role": "user", "content": "**last**"}]
    view = view_of(request={"messages": messages}, answers=[answer("*yes*")], candidates=[candidate("a", "*yes*")])
    assert (view.question, view.question_html) == ("**last**", "<p><strong>last</strong></p>\n")
    assert view.answers[0].html == view.candidates[0].html == "<p><em>yes</em></p>\n"
    assert view_of().question is None
    form = {"messages": messages, "params": {"response_format": {"type": "json_object"}}}
    assert view_of(request=form, answers=[answer("*yes*")]).answers[0].html is None


def test_two_orders_are_distinguished() -> None:
    """In the critics, the waterfall and the ledger; a single order has no number."""
    authors = [
        {"model": "c", "role": "critic", "letters": {"A": "a", "B": "b"}},
        {"model": "c", "role": "critic", "letters": {"A": "b", "B": "a"}},
    ]
    calls = [
        {"role": "proposer", "model": "a", "started_s": 0.0},
        {"role": "critic", "model": "c", "started_s": 2.0},
        {"role": "critic", "model": "c", "started_s": 1.0},
    ]
    view = view_of(authors=authors, calls=calls)
    assert [each.order for each in view.authors] == ["order 1", "order 2"]
    assert list(view.orders) == ["", "order 1", "order 2"]
    assert [lane.order for lane in view.waterfall.lanes] == ["", "order 2", "order 1"]
    assert [each.order for each in view_of(authors=authors[:1]).authors] == [""]


def test_a_revision_is_shown_as_the_difference_from_its_draft() -> None:
    """Older files have neither."""
    (kept, failed, old) = view_of(
        verifications=[{"draft": "one\ntwo\n", "revision": "one\n2\n"}, {"draft": "one"}, {"model": "d"}]
    ).reviews
    assert kept.revision is not None
    assert (kept.revision.n_added, kept.revision.n_removed) == (1, 1)
    assert (failed.revision, old.revision) == (None, None)


def test_the_page_shows_the_panel_reason_and_cached_tokens() -> None:
    """Or why not."""
    call = {"role": "proposer", "model": "a", "cached_tokens": 8}
    said = {"panel_reason": "tool turn", "calls": [call], "ledger": {"cached_tokens": 1234}}
    page = build_page(json.dumps({"id": "chatcmpl-1", **said}), "http://h", is_file=False).decode()
    assert "<dt>Panel not asked</dt><dd>tool turn</dd>" in page
    assert "1,234 from caches" in page
    assert "8 cached" in page
    asked = json.dumps({"id": "chatcmpl-1", **said, "candidates": [candidate("a", "Yes.")]})
    assert "<dt>Panel asked</dt>" in build_page(asked, "http://h", is_file=False).decode()


def test_the_page_says_which_order_feedback_suggests() -> None:
    """And whether it was used."""
    for decides, words in ((True, "b, a</dd>"), (False, "b, a (not used: learn: shadow)")):
        said = {"id": "chatcmpl-1", "arrangement": {"order": ["b", "a"], "decides": decides}}
        assert (
            f"<dt>Order by feedback</dt><dd>{words}" in build_page(json.dumps(said), "http://h", is_file=False).decode()
        )
