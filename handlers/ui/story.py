"""From a trace document to what its page shows. Pure; applying edits and comparing texts takes its time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from handlers.traces.reading import Document
from handlers.ui.diffs import Diff, Effort, diff
from handlers.ui.digest import authors
from handlers.ui.edited import Edited, Editing
from handlers.ui.said import Said, conversation, critic_told
from handlers.ui.waterfall import Waterfall, waterfall

_MAX_DIFFS = 24

_HOW = {
    "critic": "The critic {author} wrote it from the candidates.",
    "chosen": "The critic chose what {author} said, byte for byte.",
    "panel_order": "The critic contradicted itself, so the best-ranked candidate stands: {author}.",
    "first": "The first valid candidate is the answer: {author}.",
    "only_candidate": "There was one usable candidate, so no critic was asked: {author}.",
    "equal_candidates": "All valid candidates come to the same, so no critic was asked: {author}.",
    "best_candidate": "Every critic failed, so the best valid candidate stands: {author}.",
    "critic_alone": "{author} answered without candidates.",
    "bypass": "{author} answered alone: this kind of request needs no panel.",
    "model": "The client asked for {author} by its name.",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a proposer said. `letters` are under which the critics saw it; `calls` the ledger's entry of its call."""

    model: str
    layer: int
    letters: Sequence[str]
    text: str
    reasoning: str | None
    tool_calls: Sequence[Any] | None
    finish_reason: str | None
    is_checked: bool
    finding: str | None
    is_answer: bool
    edited: Edited | None
    call: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer beside a candidate: what was put in its place."""

    model: str
    layer: int
    letters: Sequence[str]
    diff: Diff


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice of the reply, and how it came about; `n_uncompared` candidates are beyond what is compared."""

    choice: int
    how: str
    text: str
    reasoning: str | None
    tool_calls: Sequence[Any] | None
    finish_reason: str | None
    edited: Edited | None
    comparisons: Sequence[Comparison]
    n_uncompared: int


@dataclass(frozen=True, slots=True)
class Author:
    """A model that was to make the answer, and what it was told beyond the conversation.

    `verdict` is what it said where it chose, None where it wrote the answer itself.
    """

    model: str
    role: str
    choice: int
    seed: int | None
    letters: Mapping[str, str]
    failure: Mapping[str, Any] | None
    verdict: str | None
    reasoning: str | None
    n_before: int
    told: Sequence[Said]


@dataclass(frozen=True, slots=True)
class Story:
    """All that the page of one request shows; `trace` for what is shown as it is."""

    trace: Document
    waterfall: Waterfall
    candidates: Sequence[Candidate]
    answers: Sequence[Answer]
    authors: Sequence[Author]
    conversation: Sequence[Said]


def story(trace: Document) -> Story:
    """Return what the page of a trace shows."""
    request = trace["request"]
    editing = Editing.of(request["messages"], request["params"])
    effort = Effort()
    applied = cache(partial(editing.come_to, effort=effort)) if editing else _nothing  # a choice is a candidate again
    candidates = _candidates(trace, applied)
    budget = _MAX_DIFFS
    answers: list[Answer] = []
    for each in trace["answers"]:
        compared = candidates[:budget] if each["text"] else []
        budget -= len(compared)
        answers.append(_answer(each, candidates, compared, applied, effort))
    return Story(
        trace=trace,
        waterfall=waterfall(trace),
        candidates=candidates,
        answers=answers,
        authors=[_author(each, request["messages"]) for each in trace["authors"]],
        conversation=conversation(request["messages"]),
    )


def _nothing(_: str) -> None:
    """Apply an answer that edits no files."""


def _candidates(trace: Document, applied: Callable[[str], Edited | None]) -> list[Candidate]:
    answers = {each["text"] for each in trace["answers"] if each["text"]}
    last_layer = max((each["layer"] for each in trace["candidates"]), default=1)
    found: list[Candidate] = []
    for each in trace["candidates"]:
        letters = _letters(trace, each["model"]) if each["layer"] == last_layer else ()
        candidate = Candidate(
            model=each["model"],
            layer=each["layer"],
            letters=letters,
            text=each["text"],
            reasoning=each["reasoning"],
            tool_calls=each["tool_calls"],
            finish_reason=each["finish_reason"],
            is_checked="finding" in each,
            finding=each.get("finding"),
            is_answer=each["text"] in answers,
            edited=applied(each["text"]),
            call=_call_of(trace, each["model"], each["layer"]),
        )
        found.append(candidate)
    return sorted(found, key=lambda each: (each.layer, not each.is_answer))


def _letters(trace: Document, model: str) -> list[str]:
    """Return the letters of a proposer, in the order of the critics that were asked."""
    orders = [each["letters"] for each in trace["authors"] if each["letters"]]
    found = [letter for order in orders for letter, name in order.items() if name == model]
    return list(dict.fromkeys(found))


def _call_of(trace: Document, model: str, layer: int) -> Mapping[str, Any] | None:
    calls = [call for call in trace["calls"] if call["role"] == "proposer" and call["model"] == model]
    return calls[layer - 1] if 0 < layer <= len(calls) else None


def _answer(
    answer: Mapping[str, Any],
    candidates: Sequence[Candidate],
    compared: Sequence[Candidate],
    applied: Callable[[str], Edited | None],
    effort: Effort,
) -> Answer:
    return Answer(
        choice=answer["choice"],
        how=_how(answer, [each.model for each in candidates]),
        text=answer["text"],
        reasoning=answer["reasoning"],
        tool_calls=answer["tool_calls"],
        finish_reason=answer["finish_reason"],
        edited=applied(answer["text"]),
        comparisons=[
            Comparison(each.model, each.layer, each.letters, diff(each.text, answer["text"], effort))
            for each in compared
        ],
        n_uncompared=len(candidates) - len(compared) if answer["text"] else 0,
    )


def _how(answer: Mapping[str, Any], models: Sequence[str]) -> str:
    author = answer["author"]
    several = authors(author, models)
    if answer["decided_by"] == "chosen" and len(several) > 1:
        return f"The critic chose edits from several candidates: {', '.join(several)}."
    return _HOW.get(answer["decided_by"], "By {author}.").format(author=author or "the gateway")


def _author(author: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> Author:
    n_before, told = critic_told(author["messages"], messages)
    verdict = author["said"] or {}
    return Author(
        model=author["model"],
        role=author["role"],
        choice=author["choice"],
        seed=author["seed"],
        letters=author["letters"],
        failure=author["failure"],
        verdict=verdict.get("text"),
        reasoning=verdict.get("reasoning"),
        n_before=n_before,
        told=told,
    )
