"""A trace as Markdown."""

import time

from hypothesis import given
from hypothesis import strategies as st

from handlers.traces import schema
from handlers.traces.as_markdown import fence, to_markdown
from tests.handlers.traces.samples import sample


def test_a_fence_is_found_at_once_however_long_the_fences_in_the_text() -> None:
    """One message of nothing but backticks once kept the thread that writes all traces busy for hours."""
    text = "`" * 500_000
    started = time.thread_time()
    assert fence(text).partition("\n")[0] == text + "`"
    assert time.thread_time() - started < 1.0  # seconds of CPU time; it takes a few milliseconds


@given(st.text(st.sampled_from("`a\n"), max_size=40))
def test_a_fence_is_longer_than_any_in_its_text(text: str) -> None:
    """So no text can end its own code block."""
    mark, _, rest = fence(text).partition("\n")
    assert set(mark) == {"`"}
    assert mark not in text
    assert rest == f"{text}\n{mark}"


def test_the_page_tells_the_request_from_question_to_answer() -> None:
    """Question, calls with their attempts, candidates, critic, review and answer."""
    failed = schema.Attempt(outcome="timeout", message="slow | very\nslow", started_s=0.0, ended_s=1.0)
    page = to_markdown(
        sample(
            "chatcmpl-1",
            "Why?",
            calls=[
                schema.Call("proposer", "a", outcome="ok", cost=0.5, attempts=[schema.Attempt(outcome="ok")]),
                schema.Call("proposer", "b", outcome="timeout", attempts=[failed]),
            ],
            candidates=[schema.Candidate("one", model="a", finding="no JSON")],
            failures=[schema.ProposerFailure("left_out", "too long", model="c", layer=2)],
            authors=[
                schema.Author("d", "critic", seed=7, letters={"A": "a"}, said=schema.Completion("A")),
                schema.Author("e", "critic", failure=schema.Failure("timeout", "no")),
            ],
            verifications=[
                schema.Verification(
                    model="f", defects=[schema.Defect("wrong", "one", "it is two")], n_dismissed=1, worse="it is empty"
                ),
                schema.Verification(model="g"),
            ],
            answers=[schema.Answer("two", author="d", decided_by="critic")],
            error={"message": "sorry"},
        )
    )
    for part in (
        "# chatcmpl-1",
        "**user**\n\n```\nWhy?\n```",
        "| proposer | a | ok | None | None | 0 | 0 | 0.500000 |  |",
        "| · attempt | b | timeout | 0.0 | 1.0 |  |  |  | slow \\| very slow |",
        "Breaks the contract: no JSON",
        "### c, layer 2: left_out\n\ntoo long",
        "Order (seed 7): A is a.",
        "Its pick:\n\n```\nA\n```",
        "Failed: timeout: no",
        "wrong: it is two\n\n```\none\n```",
        "Dismissed, because they quote text that the draft does not have: 1.",
        "The revision was discarded: it is empty.",
        "## Verifier: g\n\nNo defect.",
        "## Answer (by d, critic)\n\n```\ntwo\n```",
        "## Error\n\nsorry",
    ):
        assert part in page, part


def test_a_request_that_could_not_be_parsed_is_shown_as_its_body() -> None:
    """There are no messages to show."""
    trace = sample("chatcmpl-1")
    trace.request = schema.Asked(body="{")
    assert "## Request\n\n```\n{\n```" in to_markdown(trace)


def test_the_page_shows_the_panel_reason_and_cached_tokens() -> None:
    """For requests of an agent, which repeat a long conversation."""
    asked = sample("chatcmpl-1", "Why?", panel_reason="stuck: 3 failures in a row")
    asked.ledger.prompt_tokens, asked.ledger.cached_tokens = 1000, 800
    page = to_markdown(asked)
    assert "- panel: stuck: 3 failures in a row\n" in page
    assert "- tokens: 1000 in, 0 out, 800 from caches" in page


def test_an_order_by_trust_is_shown() -> None:
    """With whether it was used."""
    trace = sample("chatcmpl-1", "Why?")
    trace.arrangement = schema.Arrangement(["b", "a"], decides=False)
    assert "b, a (not used: learn: shadow)" in to_markdown(trace)
