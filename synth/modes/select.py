"""The mode `select`: a critic chooses, and the chosen candidate is the answer byte for byte.

For code and edits picking beats rewriting, because a rewritten edit block breaks (arXiv 2603.20324, 2503.15838). A
critic that changes its mind with the order of the candidates has said nothing: then the panel's own order decides, so
a weak critic never costs the user the best member's answer.
"""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from synth.contract.contract import Form
from synth.edits import Hunk, apply_edits, assemble_hunks, find_code_block, find_conflict
from synth.events import Answered, AuthorFailed, AuthorStarted, DecidedBy, Event, PickMade
from synth.modes.fuse import fuse
from synth.modes.outcomes import Case, ask_critic, ask_critic_alone, fitting, use_candidate, use_completion
from synth.normalize import Completion, normalize
from synth.panel.ask import Candidate, is_weak, sound
from synth.preflight import list_authors
from synth.prompts import critic, pick
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.openai.wire import TOKEN_LIMITS

_TOP_LOGPROBS = 10


@dataclass(frozen=True, slots=True)
class Ballot:
    """One order in which the candidates are put to the critic."""

    shown: tuple[Candidate, ...]
    messages: Sequence[Any]
    seed: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What a critic's word comes to: an answer, and whose it is."""

    completion: Completion
    author: str
    outcome: Hashable
    written: bool = False


async def select(case: Case) -> Answered:
    """Return one answer.

    Candidates that break the contract are out; of those with the same outcome the best-ranked is shown. One outcome
    left: no critic. None left: the critic writes. With tools, which the critic alone can call, as in `fuse`.
    """
    clusters = _clusters(case)
    if case.run.contract.form is Form.TOOLS:
        return await fuse(case)
    if not case.panel.candidates:
        return await ask_critic_alone(case)
    if not clusters:
        return await ask_critic(case)
    if len(clusters) == 1:
        alone = len(_valid(case)) == 1
        return await use_candidate(case, clusters[0], DecidedBy.ONLY_CANDIDATE if alone else DecidedBy.EQUAL_CANDIDATES)
    return await _elected(case, clusters)


def _clusters(case: Case) -> list[Candidate]:
    """Return the best-ranked candidate of each outcome, best first."""
    by_outcome: dict[Hashable, Candidate] = {}
    for candidate in _valid(case):
        by_outcome.setdefault(_outcome(case, candidate), candidate)
    return list(by_outcome.values())


def _valid(case: Case) -> list[Candidate]:
    """Return the candidates that keep the contract; truncated or refusing ones for want of others."""
    return sound([candidate for candidate in case.panel.candidates if candidate.finding is None])


def _outcome(case: Case, candidate: Candidate) -> Hashable:
    """Return what a candidate comes to: where nothing demanded code but it is code, that code."""
    if case.run.contract.form is Form.PLAIN and (block := find_code_block(candidate.completion.text)) is not None:
        return block.outcome
    return candidate.outcome


async def _elected(case: Case, clusters: Sequence[Candidate]) -> Answered:
    """Put the candidates to the critics in turn, each time in all orders at once, until one has spoken.

    Candidates that do not fit the critic's context are dropped, the worst-ranked first; if it turns out to be too
    small all the same, one more is, once.
    """
    authors = list_authors(case.mixture, case.run.models, case.run.contract)
    fit = fitting(case, authors[0], clusters)
    for shown in (fit, fit[:-1]):
        errors: list[CallError] = []
        ballots = _ballots(case, shown) if len(shown) > 1 else []
        for author in authors if ballots else ():
            calls = [_call(case, author, ballot) for ballot in ballots]
            for call, ballot in zip(calls, ballots, strict=True):
                letters = tuple(candidate.name for candidate in ballot.shown)
                await case.run.emit(AuthorStarted(call, ballot.messages, ballot.seed, letters, case.choice))
            said = await _asked(case, calls)
            for call, word in zip(calls, said, strict=True):
                await case.run.emit(_heard(call, word, case.choice))
            words = [word for word in said if isinstance(word, Completion)]
            if len(words) == len(calls):
                return await _decided(case, author, clusters, ballots, words)
            errors += [word for word in said if isinstance(word, CallError)]
        if any(error.kind is not Kind.CONTEXT_LENGTH for error in errors):
            break
    return await use_candidate(case, clusters[0], DecidedBy.BEST_CANDIDATE)


def _ballots(case: Case, clusters: Sequence[Candidate]) -> list[Ballot]:
    seed = case.run.rng.getrandbits(32)
    order = critic.shuffled(len(clusters), seed)
    texts = [candidate.completion.text for candidate in clusters]
    nonce = critic.draw_nonce_outside(texts, case.run.draw_nonce)
    template = pick.PROMPT.replace("{hunks}", pick.HUNKS if case.run.contract.form is Form.EDITS else "")
    request = critic.find_last_request(case.run.request.messages)

    def ballot(positions: Sequence[int]) -> Ballot:
        shown = tuple(clusters[position] for position in positions)
        block = critic.fill_template(request, [each.completion.text for each in shown], nonce, template)
        return Ballot(shown, critic.append_block(case.run.request.messages, block), seed)

    return [ballot(order), ballot(order[::-1])][: case.mixture.orders]


def _call(case: Case, author: str, ballot: Ballot) -> Call:
    """Return the call for a verdict: a few tokens, and none of the client's params, which are about its answer."""
    model = case.run.models[author]
    configured = next((name for name in TOKEN_LIMITS if name in model.params), None)
    limit = configured or ("max_completion_tokens" if model.provider == "openai" else "max_tokens")
    params: dict[str, Any] = {limit: case.mixture.verdict_max_tokens}
    if "logprobs" in model.capabilities:
        params |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
    return case.run.call(author, "critic", ballot.messages, params=params, overrides=case.mixture.critic.params)


def _heard(call: Call, word: Completion | CallError, choice: int) -> Event:
    return AuthorFailed(call, word, choice) if isinstance(word, CallError) else PickMade(call, word, choice)


async def _asked(case: Case, calls: Sequence[Call]) -> list[Completion | CallError]:
    tasks = [asyncio.create_task(_word(case, call)) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _word(case: Case, call: Call) -> Completion | CallError:
    """Return what the critic says; a second time without logprobs where the upstream will not give them."""
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


async def _choice(case: Case, author: str, ballot: Ballot, said: Completion) -> Choice | None:
    """Return what a critic's word comes to, None where it names nobody and is no answer of its own."""
    likeliest = pick.likeliest(said.logprobs, len(ballot.shown))
    named = pick.picks(said.text, len(ballot.shown))
    if len(named) > 1 or (named and named[0].hunk is not None):
        return await asyncio.to_thread(_assembled, case, ballot, named)
    position = named[0].position if named else likeliest
    if named and likeliest is not None:
        position = likeliest
    if position is not None:
        chosen = ballot.shown[position]
        return Choice(chosen.completion, chosen.name, _outcome(case, chosen))
    written = await case.run.contract.read_aside(said)
    checked = case.run.contract.form in (Form.JSON, Form.EDITS) and not written.in_words
    if not checked or written.finding is not None or is_weak(said):
        return None
    return Choice(written.completion, author, written.outcome, written=True)


def _assembled(case: Case, ballot: Ballot, named: Sequence[pick.Pick]) -> Choice | None:
    """Return the answer that is made of the named hunks, each verbatim; None where they are none or clash."""
    contract = case.run.contract
    if contract.edits is None:
        return None
    groups: dict[int, list[Hunk]] = {}
    order: list[Hunk] = []
    for picked in named:
        text = ballot.shown[picked.position].completion.text
        hunks = {hunk.index + 1: hunk for hunk in apply_edits(contract.edits, contract.workspace, text).hunks}
        if picked.hunk not in hunks:
            return None
        order.append(hunks[picked.hunk])
        groups.setdefault(picked.position, []).append(hunks[picked.hunk])
    if find_conflict(contract.edits, contract.workspace, list(groups.values())) is not None:
        return None
    reading = contract.read(Completion(assemble_hunks(contract.edits, order)))
    if reading.finding is not None:
        return None
    authors = dict.fromkeys(ballot.shown[position].name for position in groups)
    return Choice(reading.completion, "+".join(authors), reading.outcome)


async def _decided(
    case: Case,
    author: str,
    clusters: Sequence[Candidate],
    ballots: Sequence[Ballot],
    words: Sequence[Completion],
) -> Answered:
    """Return the choice that holds in every order, else the panel's first."""
    choices = [await _choice(case, author, *each) for each in zip(ballots, words, strict=True)]
    first = choices[0]
    if first is not None and all(choice is not None and choice.outcome == first.outcome for choice in choices):
        decided_by = DecidedBy.CRITIC if first.written else DecidedBy.CHOSEN
    else:
        best = clusters[0]
        first, decided_by = Choice(best.completion, best.name, None), DecidedBy.PANEL_ORDER
    return await use_completion(case, first.completion, first.author, decided_by)
