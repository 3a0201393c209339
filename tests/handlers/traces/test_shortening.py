"""Shortening the texts of large traces."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.traces import schema
from handlers.traces.as_json import encode_trace
from handlers.traces.as_markdown import to_markdown
from handlers.traces.schema import Trace
from handlers.traces.shortening import MAX_CHARS, shorten
from handlers.ui.request.request_view import build_page
from tests.handlers.traces.samples import fill_memory, sample

SECRET = "sk-canary-0123456789abcdef"
PER_TEXT = 600  # characters that a shortened text may have beside its share: the least length, and its note


def candidates(*texts: str) -> list[schema.Candidate]:
    return [schema.Candidate(text=text, model=f"m{at}") for at, text in enumerate(texts)]


def texts_of(trace: Trace) -> list[str]:
    return [trace.request.messages[0]["content"], *(each.text for each in trace.candidates)]


@given(st.lists(st.integers(0, 5_000), max_size=12), st.integers(0, 20_000))
def test_a_trace_fits_and_its_shortest_texts_stay_whole(lengths: list[int], max_chars: int) -> None:
    """Texts of the same length are cut alike, and none is cut while a longer one is whole."""
    texts = ["x" * length for length in lengths]
    trace = sample("chatcmpl-1", candidates=candidates(*texts))
    short = shorten(trace, max_chars=max_chars)
    kept = [each.text for each in short.candidates]
    cut = [text for text, now in zip(texts, kept, strict=True) if text != now]
    whole = [text for text, now in zip(texts, kept, strict=True) if text == now]
    assert sum(map(len, kept)) <= max(max_chars, sum(map(len, whole))) + PER_TEXT * len(cut)
    assert not cut or min(map(len, cut)) >= max(map(len, [text for text in whole if len(text) > 500]), default=0)
    assert short.cut_chars == sum(map(len, texts)) - sum(now.count("x") for now in kept)


def test_a_cut_keeps_both_ends_and_says_how_much_is_missing() -> None:
    """In the text itself, in the trace, in its Markdown and on its page."""
    text = "The beginning. " + "x" * 50_000 + " The end."
    short = shorten(sample("chatcmpl-1", text), max_chars=10_000)
    (kept,) = texts_of(short)
    assert kept.startswith("The beginning. x")
    assert kept.endswith("x The end.")
    assert len(kept) < 10_200
    assert f"[… {short.cut_chars:,} characters are left out of this trace …]" in kept
    assert f"left out: {short.cut_chars:,} characters" in to_markdown(short)
    page = build_page(encode_trace(short).decode(), "http://localhost", False).decode()
    assert "characters of its longest texts" in page
    assert "curl" not in page.partition("<main")[2].partition("</main>")[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"candidates": [schema.Candidate(text="x", reasoning="r" * 90_000)]},
        {"candidates": [schema.Candidate(tool_calls=[{"function": {"name": "f", "arguments": "a" * 90_000}}])]},
        {"request": schema.Asked(params={"tools": [{"function": {"description": "d" * 90_000}}]})},
        {"request": schema.Asked(messages=[{"role": "user", "content": [{"type": "text", "text": "t" * 90_000}]}])},
        {"request": schema.Asked(body="b" * 90_000)},
        {"authors": [schema.Author(messages=[{"role": "user", "content": "m" * 90_000}])]},
        {"verifications": [schema.Verification(draft="d" * 90_000)]},
        {"answers": [schema.Answer(text="a" * 90_000)]},
        {"error": {"message": "e" * 90_000}},
    ],
)
def test_texts_are_shortened_wherever_they_are(fields: dict[str, Any]) -> None:
    """In every part of a trace, at any depth; the rest of it stays as it is."""
    trace = Trace("chatcmpl-1", **fields)
    short = shorten(trace, max_chars=1_000)
    assert 88_000 < short.cut_chars < 90_000
    assert len(encode_trace(short)) < 5_000
    assert shorten(trace, max_chars=100_000) is trace


@pytest.mark.parametrize("offset", range(0, 2 * len(SECRET), 3))
def test_no_cut_goes_through_a_secret(offset: int) -> None:
    """Neither at the end of the beginning nor at the beginning of the end: redaction would not find a part of one."""
    start, end = 6_666, 100_000 - 3_333
    text = list("x" * 100_000)
    for at in (start, end):
        text[at - offset : at - offset + len(SECRET)] = SECRET
    (kept,) = texts_of(shorten(sample("chatcmpl-1", "".join(text)), [SECRET], max_chars=10_000))
    rest = kept.replace(SECRET, "")
    assert not any(part in rest for part in (SECRET[:6], SECRET[-6:], SECRET[10:16]))


def test_a_store_keeps_huge_traces_shortened() -> None:
    """If their size is known beforehand, and if only the trace itself shows it."""
    for n_bytes in (1, 5 * MAX_CHARS):
        trace = sample("chatcmpl-1", candidates=candidates("x" * 3 * MAX_CHARS, "short"))
        store = fill_memory(trace, n_bytes=n_bytes)
        kept = store.load("chatcmpl-1")
        assert kept is not None
        assert kept.cut_chars > 1.9 * MAX_CHARS
        assert [len(each.text) < 1.1 * MAX_CHARS for each in kept.candidates] == [True, True]
        assert kept.candidates[1].text == "short"


def test_a_store_shortens_a_trace_once() -> None:
    """One with characters of three bytes is still large after it; its number of cut characters is the true one."""
    trace = sample("chatcmpl-1", candidates=candidates("漢" * 2 * MAX_CHARS))
    kept = fill_memory(trace, n_bytes=5 * MAX_CHARS).load("chatcmpl-1")
    assert kept is not None
    (candidate,) = kept.candidates
    assert candidate.text.count("characters are left out") == 1
    assert kept.cut_chars == 2 * MAX_CHARS - candidate.text.count("漢")
