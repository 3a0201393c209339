"""The page of one request: from its trace to what the template shows. Pure; takes a while for large traces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from msgspec import UNSET

from handlers.traces import schema
from handlers.traces.schema import Trace
from handlers.ui.diffs import Diff, DiffBudget, compute_diff
from handlers.ui.digest import split_authors
from handlers.ui.file_changes import EditContext, FileChanges
from handlers.ui.messages import ShownMessage, show_messages, split_prompt
from handlers.ui.waterfall import Waterfall, build_waterfall

_MAX_DIFFS = 24

_EXPLANATIONS = {
    "critic": "The critic {author} wrote it from the candidates.",
    "chosen": "The critic picked the candidate of {author}, unchanged.",
    "panel_order": "The critic's two picks differ, so the best-ranked candidate is the answer: {author}.",
    "first": "The first valid candidate is the answer: {author}.",
    "only_candidate": "There was only one usable candidate, so no critic was asked: {author}.",
    "equal_candidates": "All valid candidates have the same outcome, so no critic was asked: {author}.",
    "best_candidate": "Every critic failed, so the best valid candidate is the answer: {author}.",
    "critic_alone": "{author} answered without candidates.",
    "bypass": "{author} answered alone: this kind of request needs no panel.",
    "model": "The client asked for {author} by name.",
}


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A candidate. `letters` are those under which the critics saw it; `call` is None if the ledger has none."""

    model: str
    layer: int
    letters: Sequence[str]
    text: str
    reasoning: str | None
    tool_calls: Sequence[Any] | None
    finish_reason: str | None
    is_checked: bool
    finding: str | None
    evidence: schema.Standing | None
    is_answer: bool
    changes: FileChanges | None
    call: schema.Call | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference from a candidate to the answer."""

    model: str
    layer: int
    letters: Sequence[str]
    diff: Diff


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One choice of the reply, and how it was decided; `n_uncompared` candidates are beyond the limit of a page."""

    choice: int
    explanation: str
    text: str
    reasoning: str | None
    tool_calls: Sequence[Any] | None
    finish_reason: str | None
    changes: FileChanges | None
    comparisons: Sequence[Comparison]
    n_uncompared: int


@dataclass(frozen=True, slots=True)
class AuthorView:
    """A model that was asked to make the answer. Its prompt is `n_shared` messages of the conversation and `added`.

    `pick` is what it said if it was asked to pick, None if it wrote the answer itself.
    """

    model: str
    role: str
    choice: int
    seed: int | None
    letters: Mapping[str, str]
    failure: schema.Failure | None
    pick: str | None
    reasoning: str | None
    n_shared: int
    added: Sequence[ShownMessage]


@dataclass(frozen=True, slots=True)
class RequestView:
    """All that the page of one request shows; `trace` for what is shown as it is."""

    trace: Trace
    waterfall: Waterfall
    candidates: Sequence[CandidateView]
    answers: Sequence[AnswerView]
    authors: Sequence[AuthorView]
    conversation: Sequence[ShownMessage]


def build_request_view(trace: Trace) -> RequestView:
    """Return what the page of a trace shows. The work is bounded for the page as a whole (`DiffBudget`, _MAX_DIFFS)."""
    request = trace.request
    context = EditContext.of_request(request.messages, request.params)
    budget = DiffBudget()
    # Cached by text: an answer is often one of the candidates.
    find_changes = cache(partial(context.apply, budget=budget)) if context else _no_changes
    candidates = _candidates(trace, find_changes)
    n_diffs = _MAX_DIFFS
    answers: list[AnswerView] = []
    for answer in trace.answers:
        compared = candidates[:n_diffs] if answer.text else []
        n_diffs -= len(compared)
        answers.append(_answer(answer, candidates, compared, find_changes, budget))
    return RequestView(
        trace=trace,
        waterfall=build_waterfall(trace),
        candidates=candidates,
        answers=answers,
        authors=[_author(each, request.messages) for each in trace.authors],
        conversation=show_messages(request.messages),
    )


def _no_changes(_: str) -> None:
    """Return no changes: the answers to this request edit no files."""


def _candidates(trace: Trace, find_changes: Callable[[str], FileChanges | None]) -> list[CandidateView]:
    answers = {answer.text for answer in trace.answers if answer.text}
    last_layer = max((each.layer for each in trace.candidates), default=1)
    views = [
        CandidateView(
            model=each.model,
            layer=each.layer,
            letters=_letters(trace, each.model) if each.layer == last_layer else (),
            text=each.text,
            reasoning=each.reasoning,
            tool_calls=each.tool_calls,
            finish_reason=each.finish_reason,
            is_checked=each.finding is not UNSET,
            finding=each.finding or None,
            evidence=trace.evidence.find(each.model) if trace.evidence and each.layer == last_layer else None,
            is_answer=each.text in answers,
            changes=find_changes(each.text),
            call=_find_call(trace, each.model, each.layer),
        )
        for each in trace.candidates
    ]
    return sorted(views, key=lambda each: (each.layer, not each.is_answer))


def _letters(trace: Trace, model: str) -> list[str]:
    """Return the letters of a proposer, in the order in which the critics were asked."""
    found = [letter for author in trace.authors for letter, name in author.letters.items() if name == model]
    return list(dict.fromkeys(found))


def _find_call(trace: Trace, model: str, layer: int) -> schema.Call | None:
    calls = [call for call in trace.calls if call.role == "proposer" and call.model == model]
    return calls[layer - 1] if 0 < layer <= len(calls) else None


def _answer(
    answer: schema.Answer,
    candidates: Sequence[CandidateView],
    compared: Sequence[CandidateView],
    find_changes: Callable[[str], FileChanges | None],
    budget: DiffBudget,
) -> AnswerView:
    return AnswerView(
        choice=answer.choice,
        explanation=_explain(answer, [each.model for each in candidates]),
        text=answer.text,
        reasoning=answer.reasoning,
        tool_calls=answer.tool_calls,
        finish_reason=answer.finish_reason,
        changes=find_changes(answer.text),
        comparisons=[
            Comparison(each.model, each.layer, each.letters, compute_diff(each.text, answer.text, budget))
            for each in compared
        ],
        n_uncompared=len(candidates) - len(compared) if answer.text else 0,
    )


def _explain(answer: schema.Answer, models: Sequence[str]) -> str:
    several = split_authors(answer.author, models)
    if answer.decided_by == "chosen" and len(several) > 1:
        return f"The critic picked edits of several candidates: {', '.join(several)}."
    explanation = _EXPLANATIONS.get(answer.decided_by, "By {author}.")
    return explanation.format(author=answer.author or "the gateway")


def _author(author: schema.Author, conversation: Sequence[Mapping[str, Any]]) -> AuthorView:
    n_shared, added = split_prompt(author.messages, conversation)
    return AuthorView(
        model=author.model,
        role=author.role,
        choice=author.choice,
        seed=author.seed,
        letters=author.letters,
        failure=author.failure,
        pick=author.said.text if author.said else None,
        reasoning=author.said.reasoning if author.said else None,
        n_shared=n_shared,
        added=added,
    )
