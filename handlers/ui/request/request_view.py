"""The page of one request: from its trace to the template's context. Pure; takes a while for large traces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from markupsafe import Markup
from msgspec import UNSET

from handlers.traces import schema
from handlers.traces.as_json import decode_trace
from handlers.traces.schema import Trace, find_question
from handlers.ui.diffs import Diff, DiffBudget, compute_diff
from handlers.ui.digest import split_authors
from handlers.ui.formats import format_seconds
from handlers.ui.request.curl import to_curl
from handlers.ui.request.file_changes import EditContext, FileChanges
from handlers.ui.request.markdown import RenderBudget, render_markdown
from handlers.ui.request.messages import ShownMessage, show_messages, split_prompt
from handlers.ui.request.waterfall import Waterfall, build_waterfall
from handlers.ui.templating import render

_MAX_DIFFS = 24
_LEAST_S = 0.001

_EXPLANATIONS = {
    "critic": "The critic {author} wrote it from the candidates.",
    "chosen": "The critic picked the candidate of {author}, unchanged.",
    "panel_order": "The critic's two picks differ, or there is none; the best-ranked candidate is used: {author}.",
    "first": "The first valid candidate is the answer: {author}.",
    "only_candidate": "There was only one usable candidate, so no critic was asked: {author}.",
    "equal_candidates": "All valid candidates have the same outcome, so no critic was asked: {author}.",
    "evidence": "Running the candidates decided, so no critic was asked: {author}.",
    "best_candidate": "Every critic failed, so the best valid candidate is the answer: {author}.",
    "critic_alone": "{author} answered without candidates.",
    "bypass": "{author} answered alone: this kind of request needs no panel.",
    "model": "The client asked for {author} by name.",
}

_SHARING = {
    "running": "joined an equal request that was running",
    "replay": "was given the reply of an equal request",
    "left": "began the run, and left it to an equal request",
}
"""How a request shares a run, by `Trace.shared`."""

_SIGNALS = {
    "examples": "the share of the examples that they pass",
    "alive": "whether they load and run at all",
    "agreement": "agreement with the others",
    "checker": "the checker",
}
"""The signal that ranks candidates, by `Evidence.by`."""


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A candidate. `letters` are those under which the critics saw it; `call` is None if the ledger has none.

    `html` is its text as rendered Markdown, or None if it is to be shown as it is.
    """

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
    html: Markup | None
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
    """One choice of the reply, and how it was decided; `n_uncompared` candidates are beyond the limit of a page.

    `html` is its text as rendered Markdown, or None if it is to be shown as it is.
    """

    choice: int
    explanation: str
    text: str
    reasoning: str | None
    tool_calls: Sequence[Any] | None
    finish_reason: str | None
    html: Markup | None
    changes: FileChanges | None
    comparisons: Sequence[Comparison]
    n_uncompared: int


@dataclass(frozen=True, slots=True)
class AuthorView:
    """A model that was asked to make the answer. Its prompt is `n_shared` messages of the conversation and `added`.

    `pick` is what it said if it was asked to pick, or None if it wrote the answer itself. `order` is `order 1` or
    `order 2` if the same candidates were shown in two orders, otherwise "".
    """

    model: str
    role: str
    order: str
    choice: int
    seed: int | None
    letters: Mapping[str, str]
    failure: schema.Failure | None
    pick: str | None
    reasoning: str | None
    n_shared: int
    added: Sequence[ShownMessage]


@dataclass(frozen=True, slots=True)
class ReviewView:
    """A review of a draft; `revision` is the difference from the draft to its revision, or None without one."""

    review: schema.Verification
    revision: Diff | None


@dataclass(frozen=True, slots=True)
class RequestView:
    """The context of the page of one request; `trace` has the values that are shown unchanged.

    `question` is the user's last message, or None if there is none; `curl` the command that sends the request again.
    `evidence` is a sentence about the result of running the candidates, or None if none was run; `sharing` one about
    the run that the request shares with another, or None.
    """

    trace: Trace
    question: str | None
    question_html: Markup | None
    curl: str | None
    orders: Sequence[str]
    waterfall: Waterfall
    evidence: str | None
    sharing: str | None
    candidates: Sequence[CandidateView]
    answers: Sequence[AnswerView]
    authors: Sequence[AuthorView]
    reviews: Sequence[ReviewView]
    conversation: Sequence[ShownMessage]


def build_page(text: str, base_url: str, is_file: bool, *, is_plain: bool = False) -> bytes:  # noqa: FBT001 -- pickled
    """Return the HTML page of the trace whose JSON is `text`. Raises ValueError if it is not a trace.

    A worker process may call it, so nothing that it needs imports aiohttp.
    """
    view = build_request_view(decode_trace(text), base_url, is_plain=is_plain)
    return render("request.html", {"nav": "requests", "view": view, "file": is_file})


def build_request_view(trace: Trace, base_url: str = "http://127.0.0.1:8000", *, is_plain: bool = False) -> RequestView:
    """Return the context of a trace's page; `base_url` is the gateway's, for the curl command.

    `is_plain` leaves out the parts that may take long: applied edits, differences, Markdown.

    The work is bounded for the page as a whole: by _MAX_DIFFS, a `DiffBudget` and a `RenderBudget`.
    """
    request = trace.request
    context = None if is_plain else EditContext.of_request(request.messages, request.params)
    budget = DiffBudget(0, 0) if is_plain else DiffBudget()
    # Cached by text: an answer is often one of the candidates.
    find_changes = cache(partial(context.apply, budget=budget)) if context else _no_changes
    render = (
        _plain if is_plain or request.params.get("response_format") else partial(render_markdown, budget=RenderBudget())
    )
    question = find_question(request.messages) or None
    question_html = render(question) if question else None
    answers_html = [render(answer.text) for answer in trace.answers]
    candidates = _candidates(trace, find_changes, render)
    orders = _find_orders(trace)
    n_diffs = 0 if is_plain else _MAX_DIFFS
    answers: list[AnswerView] = []
    for answer, html in zip(trace.answers, answers_html, strict=True):
        compared = candidates[:n_diffs] if answer.text else []
        n_diffs -= len(compared)
        answers.append(
            _answer(answer, html, candidates=candidates, compared=compared, find_changes=find_changes, budget=budget)
        )
    call_orders = _assign_orders(trace, orders)
    return RequestView(
        trace=trace,
        question=question,
        question_html=question_html,
        curl=None if trace.cut_chars else to_curl(request, base_url),
        orders=call_orders,
        waterfall=build_waterfall(trace, call_orders),
        evidence=_summarize_evidence(trace.evidence, trace.decided_by),
        sharing=_SHARING.get(trace.shared, trace.shared) if trace.shared else None,
        candidates=candidates,
        answers=answers,
        authors=[_author(author, order, request.messages) for author, order in zip(trace.authors, orders, strict=True)],
        reviews=[_review(each, budget) for each in trace.verifications],
        conversation=show_messages(request.messages),
    )


def _no_changes(_: str) -> None:
    """Return None, because the answers to this request edit no files."""


def _plain(_: str) -> None:
    """Return None, because answers that are data are shown unchanged."""


def _find_orders(trace: Trace) -> list[str]:
    """Return each author's order: `order 1` or `order 2` if the candidates were shown in several, otherwise ""."""
    orders: dict[tuple[int, frozenset[str]], list[dict[str, str]]] = {}
    for author in trace.authors:
        shown = orders.setdefault((author.choice, frozenset(author.letters.values())), [])
        if author.letters and author.letters not in shown:
            shown.append(author.letters)
    names: list[str] = []
    for author in trace.authors:
        shown = orders[author.choice, frozenset(author.letters.values())]
        names.append(f"order {shown.index(author.letters) + 1}" if len(shown) > 1 else "")
    return names


def _assign_orders(trace: Trace, orders: Sequence[str]) -> list[str]:
    """Return the order of each call: the authors of a model and role are its calls of that role, one by one."""
    by_caller: dict[tuple[str, str], list[str]] = {}
    for author, order in zip(trace.authors, orders, strict=True):
        by_caller.setdefault((author.model, author.role), []).append(order)
    queues = {caller: iter(found) for caller, found in by_caller.items()}
    return [next(queues.get((call.model, call.role), iter(())), "") for call in trace.calls]


def _review(review: schema.Verification, budget: DiffBudget) -> ReviewView:
    has_both = bool(review.draft) and review.revision is not None
    return ReviewView(review, compute_diff(review.draft, review.revision or "", budget) if has_both else None)


def _candidates(
    trace: Trace, find_changes: Callable[[str], FileChanges | None], render: Callable[[str], Markup | None]
) -> list[CandidateView]:
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
            html=render(each.text),
            changes=find_changes(each.text),
            call=_find_call(trace, each.model, each.layer),
        )
        for each in trace.candidates
    ]
    return sorted(views, key=lambda each: (each.layer, not each.is_answer))


def _summarize_evidence(evidence: schema.Evidence | None, decided_by: str | None) -> str | None:
    """Describe how many candidates were run, the signal that separates them, and its effect; None if none was run."""
    if evidence is None or not evidence.n_ran:
        return None
    took = "under 1 ms" if evidence.run_s < _LEAST_S else format_seconds(evidence.run_s)
    ran = f"{evidence.n_ran} candidate{'' if evidence.n_ran == 1 else 's'} run in {took}"
    unknown = f", {evidence.n_unknown} without a result" if evidence.n_unknown else ""
    if not evidence.by:
        return f"{ran}{unknown}. No signal separates them."
    signal = _SIGNALS.get(evidence.by, evidence.by)
    has_decided = evidence.decides and decided_by == "evidence"
    effect = ", which decided" if has_decided else "" if evidence.decides else ", recorded only"
    return f"{ran}{unknown}. Ranked by {signal}{effect}."


def _letters(trace: Trace, model: str) -> list[str]:
    """Return the letters of a proposer, in the order in which the critics were asked."""
    found = [letter for author in trace.authors for letter, name in author.letters.items() if name == model]
    return list(dict.fromkeys(found))


def _find_call(trace: Trace, model: str, layer: int) -> schema.Call | None:
    calls = [call for call in trace.calls if call.role == "proposer" and call.model == model]
    return calls[layer - 1] if 0 < layer <= len(calls) else None


def _answer(
    answer: schema.Answer,
    html: Markup | None,
    *,
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
        html=html,
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


def _author(author: schema.Author, order: str, conversation: Sequence[Mapping[str, Any]]) -> AuthorView:
    n_shared, added = split_prompt(author.messages, conversation)
    return AuthorView(
        model=author.model,
        role=author.role,
        order=order,
        choice=author.choice,
        seed=author.seed,
        letters=author.letters,
        failure=author.failure,
        pick=author.said.text if author.said else None,
        reasoning=author.said.reasoning if author.said else None,
        n_shared=n_shared,
        added=added,
    )
