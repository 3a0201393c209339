"""The mode `select`: a critic picks a candidate, which becomes the answer byte for byte.

For code and edits picking beats rewriting, because a rewritten edit block breaks (arXiv 2603.20324, 2503.15838).
"""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from synth.contract.contract import Form
from synth.events import Answered, AuthorFailed, AuthorStarted, DecidedBy, Event, PickMade
from synth.modes.fuse import fuse
from synth.modes.outcomes import (
    Case,
    ask_critic,
    ask_critic_alone,
    find_evident,
    keep_fitting,
    list_findings,
    use_candidate,
    use_completion,
)
from synth.normalize import Completion, normalize
from synth.panel.ask import Candidate, find_outcome, is_weak
from synth.preflight import list_authors
from synth.prompts import pick
from synth.prompts.candidates import show_candidates
from synth.request import Message
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.openai.wire import token_limit_name

_TOP_LOGPROBS = 10


@dataclass(frozen=True, slots=True)
class Ballot:
    """The candidates in one order, as the critic reads them."""

    shown: tuple[Candidate, ...]
    messages: Sequence[Message]
    seed: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer chosen by a critic's reply to one ballot; `written` if the critic wrote it itself."""

    completion: Completion
    author: str
    outcome: Hashable
    written: bool = False


async def select(case: Case) -> Answered:
    """Return one answer.

    Candidates that break the contract, or that evidence ranks behind others, are out; of several with the same outcome
    only the best-ranked is shown. With one outcome left, or one by which a stage was settled, no critic is asked; with
    none left the critic writes. If tools may be called, as `fuse` does: only the critic can call them.
    """
    clusters = _cluster(case)
    if case.run.contract.form is Form.TOOLS:
        return await fuse(case)
    if not case.panel.candidates:
        return await ask_critic_alone(case)
    if not clusters:
        return await ask_critic(case)
    if case.panel.agreed is not None and find_evident(case) is None:
        return await use_candidate(case, case.panel.agreed, DecidedBy.EQUAL_CANDIDATES)
    settled = _find_settled(case, clusters)
    return await (_elect(case, clusters) if settled is None else use_candidate(case, clusters[0], settled))


def _find_settled(case: Case, clusters: Sequence[Candidate]) -> DecidedBy | None:
    """Return why the best-ranked outcome needs no critic, or None if the critic has to pick."""
    if find_evident(case) is not None:
        return DecidedBy.EVIDENCE
    if len(clusters) == 1:
        return DecidedBy.ONLY_CANDIDATE if len(case.panel.leaders()) == 1 else DecidedBy.EQUAL_CANDIDATES
    return DecidedBy.PANEL_ORDER if case.mixture.critic is None else None


def _cluster(case: Case) -> list[Candidate]:
    """Return the best-ranked candidate of each outcome, best first."""
    by_outcome: dict[Hashable, Candidate] = {}
    for candidate in case.panel.leaders():
        by_outcome.setdefault(find_outcome(case.run.contract, candidate), candidate)
    return list(by_outcome.values())


async def _elect(case: Case, clusters: Sequence[Candidate]) -> Answered:
    """Have the critics pick, one critic after the other, until one has replied to all ballots.

    Candidates that do not fit the critic's context are dropped, the worst-ranked first.
    """
    # A small critic prefers the first candidate: in our recorded evaluation its pick followed the position, not the
    # candidate, on 32 of 39 items. So it is asked twice at the same time, in one order and in its reverse, and its
    # pick counts only if both replies mean the same outcome. Otherwise the operator's own ranking decides: a weak
    # critic can never make the answer worse than the best-ranked member's.
    # If the prompt turns out to be too long after all, one more candidate is dropped, once.
    authors = list_authors(case.mixture, case.run.models, case.run.contract)
    fit = keep_fitting(case, authors[0], clusters)
    for shown in (fit, fit[:-1]):
        errors: list[CallError] = []
        ballots = _draw_ballots(case, shown) if len(shown) > 1 else []
        for author in authors if ballots else ():
            replies = await _ask_ballots(case, author, ballots)
            completions = [reply for reply in replies if isinstance(reply, Completion)]
            if len(completions) == len(ballots):
                return await _decide(case, author, clusters, ballots, completions)
            errors += [reply for reply in replies if isinstance(reply, CallError)]
        if any(error.kind is not Kind.CONTEXT_LENGTH for error in errors):
            break
    return await use_candidate(case, clusters[0], DecidedBy.BEST_CANDIDATE)


def _draw_ballots(case: Case, clusters: Sequence[Candidate]) -> list[Ballot]:
    run = case.run
    showings = show_candidates(
        run.request.messages,
        [candidate.completion.text for candidate in clusters],
        pick.PROMPT.replace("{hunks}", pick.HUNKS if run.contract.form is Form.EDITS else ""),
        rng=run.rng,
        draw_nonce=run.draw_nonce,
        n_orders=case.mixture.orders,
        findings=list_findings(case, clusters),
    )
    return [
        Ballot(tuple(clusters[position] for position in showing.order), showing.messages, showing.seed)
        for showing in showings
    ]


async def _ask_ballots(case: Case, author: str, ballots: Sequence[Ballot]) -> list[Completion | CallError]:
    """Return a critic's reply to each ballot; all are asked at the same time."""
    calls = [_new_call(case, author, ballot) for ballot in ballots]
    for call, ballot in zip(calls, ballots, strict=True):
        letters = tuple(candidate.name for candidate in ballot.shown)
        await case.run.emit(AuthorStarted(call, ballot.messages, ballot.seed, letters, case.choice))
    tasks = [asyncio.create_task(_ask_ballot(case, call)) for call in calls]
    try:
        replies = list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for call, reply in zip(calls, replies, strict=True):
        await case.run.emit(_reply_event(call, reply, case.choice))
    return replies


def _new_call(case: Case, author: str, ballot: Ballot) -> Call:
    """Return the call for a pick: few tokens, and none of the client's params, which are about its answer."""
    model = case.run.models[author]
    params: dict[str, Any] = {token_limit_name(model.params, model.provider): case.mixture.verdict_max_tokens}
    if "logprobs" in model.capabilities:
        params |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
    return case.run.call(author, "critic", ballot.messages, params=params, overrides=case.mixture.author_params)


def _reply_event(call: Call, reply: Completion | CallError, choice: int) -> Event:
    return AuthorFailed(call, reply, choice) if isinstance(reply, CallError) else PickMade(call, reply, choice)


async def _ask_ballot(case: Case, call: Call) -> Completion | CallError:
    """Return the critic's reply, asked again without logprobs if the upstream rejects them."""
    try:
        try:
            return normalize(await case.run.pool.complete(call))
        except CallError as error:
            if error.kind is not Kind.REJECTED or "logprobs" not in call.params:
                raise
            plain = {name: value for name, value in call.params.items() if "logprobs" not in name}
            again = case.run.call(call.model.name, "critic", call.messages, params=plain, overrides=call.overrides)
            return normalize(await case.run.pool.complete(again))
    except CallError as error:
        call.outcome = error.kind
        return error


async def _decide(
    case: Case, author: str, clusters: Sequence[Candidate], ballots: Sequence[Ballot], replies: Sequence[Completion]
) -> Answered:
    """Return the choice that is the same in every order, or else the best-ranked candidate."""
    choices = [await _read_choice(case, author, *each) for each in zip(ballots, replies, strict=True)]
    first = choices[0]
    if first is not None and all(choice is not None and choice.outcome == first.outcome for choice in choices):
        decided_by = DecidedBy.CRITIC if first.written else DecidedBy.CHOSEN
        return await use_completion(case, first.completion, first.author, decided_by)
    return await use_candidate(case, clusters[0], DecidedBy.PANEL_ORDER)


async def _read_choice(case: Case, author: str, ballot: Ballot, reply: Completion) -> Choice | None:
    """Return the choice in a critic's reply, or None if it names no candidate and is no answer of its own."""
    likeliest = pick.find_likeliest(reply.logprobs, len(ballot.shown))
    picks = pick.read_picks(reply.text, len(ballot.shown))
    if len(picks) > 1 or (picks and picks[0].hunk is not None):
        return await _assemble(case, ballot, picks)
    position = picks[0].position if picks and likeliest is None else likeliest
    if position is not None:
        picked = ballot.shown[position]
        return Choice(picked.completion, picked.name, find_outcome(case.run.contract, picked))
    written = await case.run.contract.read_async(reply)
    checked = case.run.contract.form in (Form.JSON, Form.EDITS) and not written.is_without_edits
    if not checked or written.finding is not None or is_weak(reply):
        return None
    return Choice(written.completion, author, written.outcome, written=True)


async def _assemble(case: Case, ballot: Ballot, picks: Sequence[pick.Pick]) -> Choice | None:
    """Return the answer made of the picked hunks, each verbatim, or None if one does not exist or two clash."""
    contract = case.run.contract
    if any(picked.hunk is None for picked in picks):
        return None
    hunks = [(ballot.shown[picked.position].completion.text, picked.hunk or 0) for picked in picks]
    text = await contract.assemble(hunks)
    if text is None:
        return None
    reading = await contract.read_async(Completion(text))
    if reading.finding is not None:
        return None
    authors = dict.fromkeys(ballot.shown[picked.position].name for picked in picks)
    return Choice(reading.completion, "+".join(authors), reading.outcome)
