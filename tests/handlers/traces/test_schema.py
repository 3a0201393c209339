"""The schema of traces, and the rows of the list that are made from them."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from handlers.traces import schema
from handlers.traces.as_json import decode_trace
from handlers.traces.schema import Trace, summarize
from handlers.ui.digest import digest_trace
from handlers.ui.request.request_view import build_page

# A file of the version that introduced the trace pages, with the keys that it had.
OLD = """{
  "id": "chatcmpl-1", "time": "2026-01-02T03:04:05.678+00:00", "outcome": "ok", "status": 200, "mixture": "mom",
  "mode": "fuse", "decided_by": "critic", "timings": {"total_s": 1.5, "panel_s": 1, "critic_s": null},
  "request": {"model": null, "n": 1, "stream": false, "params": {}, "messages": [{"role": "user", "content": "Why?"}]},
  "candidates": [{"model": "a", "text": "one", "reasoning": null, "tool_calls": null, "finish_reason": "stop"}],
  "authors": [{"model": "c", "role": "critic", "seed": 7, "letters": {"A": "a"}, "messages": []}],
  "verifications": [{"choice": 0, "model": "d", "failure": {"kind": "timeout", "message": "no"}}],
  "calls": [{"role": "proposer", "model": "a", "attempts": [{"outcome": "ok", "usage": {"prompt_tokens": 3}}]}],
  "ledger": {"prompt_tokens": 3, "completion_tokens": 4, "cost": null}, "unknown": {"of": "a later version"}
}"""


def test_a_file_of_the_first_version_is_shown_whole() -> None:
    """One that it wrote: with its candidates, both orders of the critic, the attempts, and as a page."""
    text = Path(__file__).with_name("trace-0.1.json").read_text(encoding="utf-8")
    trace = decode_trace(text)
    assert summarize(trace).author == "swift+deep"
    assert [sorted(author.letters.values()) for author in trace.authors] == [["deep", "swift"]] * 2
    assert sum(len(call.attempts) for call in trace.calls) == 8
    page = build_page(text, "http://127.0.0.1:8000", is_file=False)
    assert b"critic, order 2" in page
    assert digest_trace(trace).n_standing == 1


def test_missing_keys_get_defaults_at_every_depth() -> None:
    """Files of older versions open, with what they have; keys of later versions are ignored."""
    trace = decode_trace(OLD)
    assert (trace.request_id, trace.client, trace.ledger.currency) == ("", None, "")
    assert trace.calls[0].attempts[0].usage == {"prompt_tokens": 3}
    assert (trace.authors[0].seed, trace.authors[0].said) == (7, None)
    assert trace.verifications[0].failure == schema.Failure("timeout", "no")
    assert (trace.answers, trace.failures, trace.request.headers) == ([], [], {})


def test_a_contract_that_was_not_checked_is_unknown() -> None:
    """An old candidate without `finding` neither keeps nor breaks its contract."""
    assert decode_trace(OLD).candidates[0].finding is UNSET
    assert decode_trace('{"id": "x", "candidates": [{"finding": null}]}').candidates[0].finding is None


def test_a_row_has_the_main_facts() -> None:
    """The mixture, or the model that the client named; tokens in and out together."""
    row = summarize(decode_trace(OLD))
    assert (row.id, row.mixture, row.decided_by, row.total_s, row.n_tokens) == ("chatcmpl-1", "mom", "critic", 1.5, 7)
    assert summarize(Trace("x", request=schema.Asked(model="swift"))).mixture == "swift"


@pytest.mark.parametrize(
    ("messages", "preview"),
    [
        ([{"role": "user", "content": "first"}, {"role": "user", "content": " the \n last "}], "the last"),
        ([{"role": "user", "content": [{"type": "text", "text": "part"}]}, {"role": "tool", "content": "x"}], "part"),
        ([{"role": "system", "content": "x"}], ""),
        ([{"role": "user", "content": "x" * 1000}], "x" * 160),
    ],
)
def test_a_row_shows_the_beginning_of_the_last_message_of_the_user(
    messages: list[dict[str, Any]], preview: str
) -> None:
    """On one line, and not at length."""
    assert summarize(Trace("x", request=schema.Asked(messages=[*messages]))).preview == preview


def test_a_row_names_who_answered() -> None:
    """The author of the first answer, or None if there is none."""
    assert summarize(Trace("x", answers=[schema.Answer("one", author="a+b")])).author == "a+b"
    assert summarize(Trace("x")).author is None


def test_a_row_can_be_found_by_ids_client_question_and_answer() -> None:
    """In one case, by the first 4,000 characters of each text."""
    question = {"role": "user", "content": "WHY is it so?" + " " * 5000 + "beyond"}
    asked = schema.Asked(messages=[question, {"role": "assistant", "content": "earlier"}])
    answers = [schema.Answer("Because."), schema.Answer("For another reason.")]
    searched = summarize(Trace("Id-1", request_id="req-2", client="Laptop", request=asked, answers=answers)).searched
    for text in ("id-1", "req-2", "laptop", "why is it so?", "because.", "for another reason."):
        assert text in searched
    assert "earlier" not in searched
    assert "beyond" not in searched
