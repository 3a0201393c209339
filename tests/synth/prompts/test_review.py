"""The defects of a reviewer that count, and revisions that are worse than their draft."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.contract.contract import Reading
from synth.normalize import Completion
from synth.prompts import review

TEXT = st.text(st.sampled_from("ab \n\t{}\"'é"), max_size=60)
DEFECTS = st.lists(st.fixed_dictionaries({"kind": TEXT, "quote": TEXT, "problem": TEXT}), max_size=15)


def flat(text: str) -> str:
    return " ".join(text.split())


@given(TEXT, DEFECTS)
def test_a_defect_counts_only_if_its_quotation_is_in_the_draft(draft: str, listed: list[dict[str, str]]) -> None:
    """White space aside; every other defect is counted as dismissed."""
    kept, n_dismissed = review.read_defects(json.dumps({"defects": listed}), draft)
    assert all(flat(defect.quote) in flat(draft) and defect.quote.strip() for defect in kept)
    assert len(kept) + n_dismissed == len(listed)
    assert len(kept) <= review.MAX_DEFECTS


@given(TEXT, st.integers(0, 60), st.integers(0, 60))
def test_any_part_of_the_draft_may_be_quoted(draft: str, start: int, end: int) -> None:
    """With its white space changed too."""
    quote = draft[start:end]
    word = {"kind": "form", "quote": f" {flat(quote)}\n", "problem": "So."}
    kept, _ = review.read_defects(f"```json\n{json.dumps({'defects': [word]})}\n```", draft)
    assert [defect.problem for defect in kept] == (["So."] if quote.strip() else [])


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_any_other_reply_is_a_value_error(said: str) -> None:
    """No other exception is raised."""
    with pytest.raises(ValueError):  # noqa: PT011 -- its text is for people
        review.read_defects(said, "draft")


@given(st.lists(st.builds(review.Defect, st.just("form"), TEXT, TEXT), min_size=1, max_size=3))
def test_each_defect_is_one_line(listed: list[review.Defect]) -> None:
    """No part of it can look like an instruction of the gateway."""
    lines = review.build_revision_request(listed).split("\n\n")[1].split("\n")
    assert [line.split(".")[0] for line in lines] == [str(number + 1) for number in range(len(listed))]


def reading(finding: str | None = None, *, is_without_edits: bool = False, **completion: Any) -> Reading:
    return Reading(Completion(**{"text": "x", **completion}), finding, None, is_without_edits=is_without_edits)


@pytest.mark.parametrize(
    ("draft", "revision", "reason"),
    [
        (reading(), reading(), None),
        (reading(), reading("no JSON"), "it breaks the form: no JSON"),
        (reading(), reading(finish_reason="length"), "it is cut off"),
        (reading(finish_reason="length"), reading(finish_reason="length"), None),
        (reading(), reading(is_without_edits=True), "it has no edit left"),
        (reading(is_without_edits=True), reading(is_without_edits=True), None),
        (reading(is_without_edits=True), reading(), None),
        (reading(), reading(text="", refusal="No."), "it refuses"),
        (reading(), reading(finish_reason="content_filter"), "it refuses"),
        (reading(), reading(text=" \n"), "it is empty"),
        (reading(), reading(text="", tool_calls=({"id": "1"},)), None),
    ],
)
def test_a_worse_revision_is_recognised(draft: Reading, revision: Reading, reason: str | None) -> None:
    """In each respect in which the draft was better."""
    assert review.find_regression(draft, revision) == reason
