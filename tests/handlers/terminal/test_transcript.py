"""A run as text on a terminal."""

from typing import Any

import pytest

from handlers.terminal.transcript import AnswerOnly, Transcript, describe_decision
from synth.events import DecidedBy

Event = dict[str, Any]
USAGE = {"mom": {"calls": 3, "prompt_tokens": 20, "completion_tokens": 10, "cost": 0.0012, "currency": "EUR"}}


def writing(model: str, text: str, attempt: int = 1) -> Event:
    return {"type": "writing", "model": model, "attempt": attempt, "text": text}


def candidate(model: str, text: str, finding: str | None = None) -> Event:
    return {"type": "candidate", "model": model, "layer": 1, "text": text, "finding": finding, "seconds": 1.25}


def failure(model: str, message: str, kind: str = "timeout") -> Event:
    return {"type": "failure", "model": model, "layer": 1, "kind": kind, "message": message}


def author(reads: int = 2) -> Event:
    return {"type": "author", "model": "c", "role": "critic", "reads": reads}


def text(piece: str) -> Event:
    return {"type": "text", "text": piece}


def answer(whole: str, decided_by: str = "critic", by: str = "c") -> Event:
    return {"type": "answer", "text": whole, "author": by, "decided_by": decided_by}


def shown(*events: Event, colours: bool = False) -> str:
    """Return what the events write, with the rules of the heads shortened."""
    transcript = Transcript(colours=colours)
    return "".join(map(transcript.read, events)).replace("─", "").replace("  ", " ")


def test_the_first_to_write_has_the_screen() -> None:
    """Its text is shown as it comes; the others' follows when it is done, complete ones at once."""
    transcript = Transcript(colours=False)
    assert transcript.read(writing("a", "One")).endswith("──\nOne")
    assert transcript.read(writing("b", "Two")) == ""
    assert transcript.read(candidate("b", "Two.")) == ""
    assert transcript.read(writing("d", "Thr")) == ""
    assert transcript.read(writing("a", " and")) == " and"
    rest = transcript.read(candidate("a", "One and all."))
    assert rest.startswith(" all.\n[1.2 s]\n── b ")
    assert "\nTwo.\n[1.2 s]\n── d " in rest
    assert rest.endswith("\nThr")
    assert transcript.read(candidate("d", "Three.")) == "ee.\n[1.2 s]\n"


def test_a_whole_run_is_shown() -> None:
    """Members, failures with their cause in one line, the critic, the verdict, the price."""
    run = [
        {"type": "begin", "id": "chatcmpl-1"},
        candidate("a", "One.\n", "no JSON"),
        failure("b", "slow\nnetwork", "rate_limited"),
        author(reads=1),
        text("Bo"),
        text("th."),
        answer("Both."),
        {"type": "end", "usage": USAGE},
        {"type": "of a later version"},
    ]
    assert shown(*run) == (
        " a \nOne.\n[1.2 s; no JSON]\n b \n[rate limited: slow network]\n"
        " answer \n[c, critic, reads 1 answer]\nBoth.\n[written by the critic c]\n"
        "[3 calls, 20 + 10 tokens, 0.001200 EUR]\n"
    )


def test_a_model_that_answers_alone_is_no_critic() -> None:
    run = [
        {**author(reads=0), "role": "direct"},
        text("One."),
        answer("One.", "bypass"),
        {"type": "end", "usage": {"mom": {"calls": 1, "prompt_tokens": 2, "completion_tokens": 1}}},
    ]
    assert shown(*run) == (
        " answer \n[c]\nOne.\n[a request of this kind needs no panel; written by c]\n[1 call, 2 + 1 tokens]\n"
    )


def test_a_retry_replaces_the_text_of_the_failed_attempt() -> None:
    """A retry's text replaces the failed attempt's; what a slower attempt adds is skipped."""
    run = [writing("a", "Hal"), writing("a", "He", 2), writing("a", "f"), candidate("a", "Hello")]
    assert shown(*run) == " a \nHal\n[begun anew]\nHello\n[1.2 s]\n"


def test_members_that_are_not_waited_for() -> None:
    """Their parts are closed before the answer, whose author is named."""
    run = [writing("a", "Lo"), candidate("b", "Quick."), answer("Quick.", "first", "b")]
    assert shown(*run) == (
        " a \nLo\n[not needed]\n b \nQuick.\n[1.2 s]\n answer \nQuick.\n[the first valid answer: that of b]\n"
    )


def test_picks_evidence_and_failed_critics() -> None:
    """The decision is shown beside the answer."""
    run = [
        {"type": "stage", "stage": 1, "models": ["a"]},
        {"type": "stage", "stage": 2, "models": ["b"]},
        {"type": "evidence", "decides": False, "by": "", "findings": {"a": "hidden"}},
        {"type": "evidence", "decides": True, "by": "examples", "findings": {"a": "fails 1 of 2"}},
        author(),
        {"type": "author_failure", "model": "c", "message": "overloaded"},
        {"type": "pick", "model": "d", "text": "B" * 1000},
        {"type": "reasoning", "text": "Hm."},
        answer("Two.", "chosen", "b"),
    ]
    assert shown(*run) == (
        "[not settled yet; stage 2 asks b]\n answer \n[c, critic, reads 2 answers]\n[c failed: overloaded]\n"
        f"[d picks: {'B' * 400} …]\nHm.\nTwo.\n[run: a: fails 1 of 2]\n[chosen by the critic: the answer of b]\n"
    )


def test_an_answer_that_differs_from_the_streamed_text_is_shown_whole() -> None:
    """It is shown as a whole, because it is the final text."""
    assert shown(text("Draft"), answer("Final.")).endswith("Draft\n\nFinal.\n[written by the critic c]\n")


def test_colours_mark_heads_and_notes() -> None:
    """And only if they are wanted; no text of a model brings its own."""
    run = [candidate("a", "\x1b[31mred"), failure("b", "\x1b]0;title\x07"), text("\x9b2J"), answer("\x9b2J")]
    plain = shown(*run)
    assert "\x1b" not in plain
    assert "\x9b" not in plain
    coloured = shown(*run, colours=True)
    assert coloured.count("\x1b[") == 2 * 6  # three heads, three notes, each with its end
    assert "[31m" in plain
    assert "\x1b[31mred" not in coloured


@pytest.mark.parametrize("decided_by", DecidedBy)
def test_every_decision_has_words(decided_by: DecidedBy) -> None:
    """They name the author, and read as a sentence; one of a later version is shown as it is."""
    words = describe_decision(decided_by.value, "somebody")
    assert "somebody" in words
    assert len(words.split()) > 2
    assert describe_decision("coin_flip", "a") == "coin flip: a"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([candidate("a", "One."), text("Bo"), text("th."), answer("Both.")], "Both.\n"),
        ([answer("One.\n")], "One.\n"),
        ([text("One.\n"), answer("One.\n")], "One.\n"),
        ([text("\x1b[1m"), answer("\x1b[1m")], "\x1b[1m\n"),
    ],
)
def test_the_answer_alone_may_be_written(events: list[Event], expected: str) -> None:
    """Byte for byte, ended like a line."""
    writer = AnswerOnly()
    assert "".join(map(writer.read, events)) == expected
