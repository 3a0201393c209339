"""The ways in which a mixture's answer is decided, shared by all modes.

No answer that was paid for is lost: SynthesisError is raised only if no model has given one.
"""

from collections.abc import Awaitable, Callable, Sequence

from config.settings import Mixture
from runtime.frozen import frozen
from synth.authoring.author import Assignment, write_answer
from synth.authoring.client_stream import ClientStream
from synth.authoring.review import finish_draft
from synth.context_window import count_fitting
from synth.contract.contract import Form
from synth.events import Answered, Cause, DecidedBy, SynthesisError
from synth.normalize import Completion
from synth.panel.ask import Candidate, Panel, drop_weak, find_outcome
from synth.preflight import list_authors
from synth.prompts import advice, critic
from synth.prompts.candidates import show_candidates
from synth.run import Run
from upstream.errors import CallError, Kind


@frozen
class Case:
    """The input of a mode: one choice of one request, after the panel has settled."""

    run: Run
    mixture: Mixture
    panel: Panel
    choice: int = 0


Mode = Callable[[Case], Awaitable[Answered]]
_Complete = tuple[Completion, str, DecidedBy]  # a complete answer, its author, and how it was decided


async def use_candidate(case: Case, candidate: Candidate, decided_by: DecidedBy) -> Answered:
    """Use the candidate verbatim as the answer."""
    return await use_completion(case, candidate.completion, candidate.name, decided_by)


async def use_completion(case: Case, completion: Completion, author: str, decided_by: DecidedBy) -> Answered:
    """Use a complete text as the answer."""
    await ClientStream(case.run, case.choice).emit_completion(completion)
    return Answered(completion, decided_by, author, case.choice)


async def ask_critic_alone(case: Case) -> Answered:
    """Ask the critics in turn to answer the conversation as it is, without candidates.

    Without a critic the panel's own models are asked, unless all of them have just failed.
    """
    run, verify = case.run, case.mixture.verify
    authors = [
        name for name in list_authors(case.mixture, run.models, run.contract) if name not in case.panel.unfit_models
    ]
    if case.mixture.critic is None and case.panel.failures and not case.panel.candidates:
        authors = []
    assignment = _assign_alone(case)
    try:
        written = await write_answer(run, assignment, authors, held=verify is not None)
    except SynthesisError as error:
        broken = _find_broken(case, error)
        if broken is None:
            raise SynthesisError([*case.panel.failures, *error.causes], interrupted=error.interrupted) from error
        return await use_completion(case, *broken)
    return await finish_draft(run, assignment, written, verify)


async def ask_critic(case: Case) -> Answered:
    """Ask the critics in turn to write one answer from the candidates; the best valid candidate if all fail.

    Truncated candidates and refusals are shown only if there are no others, and those that evidence ranks behind others
    not at all. Candidates that do not fit the critic's context are dropped, the worst-ranked first. Without a critic
    the best valid candidate is the answer, or a model of the panel answers alone if there is none.
    """
    if case.mixture.critic is None:
        best = case.panel.best()
        return await (ask_critic_alone(case) if best is None else use_candidate(case, best, DecidedBy.PANEL_ORDER))
    # The size of a prompt is an estimate, so the critic may still refuse it as too long. Then one more candidate is
    # dropped, once. Any other failure would be the same with fewer candidates: the best candidate is the answer.
    # With tools a single candidate is no answer, so the critic is asked with it, or without any.
    run, verify = case.run, case.mixture.verify
    authors = list_authors(case.mixture, run.models, run.contract)
    candidates = keep_fitting(case, authors[0], _list_contenders(case.panel))
    failure = SynthesisError([])
    for shown in (candidates, candidates[:-1]):
        if len(shown) < 2 and run.contract.form is not Form.TOOLS:  # noqa: PLR2004 -- one needs no critic
            break
        assignment = _assign(case, shown) if shown else _assign_alone(case)
        try:
            written = await write_answer(run, assignment, authors, held=verify is not None)
        except SynthesisError as error:
            failure = error
            if error.interrupted or any(cause.error.kind is not Kind.CONTEXT_LENGTH for cause in error.causes):
                break
        else:
            return await finish_draft(run, assignment, written, verify)
    return await use_completion(case, *_replace_critic(case, failure))


def find_evident(case: Case) -> Candidate | None:
    """Return the candidate that evidence decides for: it leaves one outcome of several, or has settled the panel.

    Without a critic, the best-ranked of the remaining candidates is the answer.
    """
    contract = case.run.contract
    if case.panel.ranking is None or contract.form is Form.TOOLS or not (leaders := case.panel.leaders()):
        return None
    left = {find_outcome(contract, candidate) for candidate in leaders}
    seen = {find_outcome(contract, candidate) for candidate in case.panel.candidates if candidate.finding is None}
    if len(left) == 1:
        return leaders[0] if len(seen) > 1 or case.panel.is_settled else None
    return leaders[0] if len(left) < len(seen) and case.mixture.critic is None else None


def list_findings(case: Case, candidates: Sequence[Candidate]) -> list[str]:
    """Return the finding of evidence on each candidate, or "" without one."""
    ranking = case.panel.ranking
    return ["" if ranking is None else ranking.standing(candidate.name).finding for candidate in candidates]


def _list_contenders(panel: Panel) -> list[Candidate]:
    """Return the candidates that a critic writes from: broken ones too, unless evidence separates the valid ones."""
    if panel.ranking is not None and len(leaders := panel.leaders()) < len(panel.valid()):
        return leaders
    return drop_weak(panel.candidates)


def keep_fitting(case: Case, author: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the best-ranked candidates that fit the author's context beside the conversation."""
    texts = [candidate.completion.text for candidate in candidates]
    return list(candidates[: count_fitting(case.run.models[author], case.run.request.messages, texts)])


def _assign_alone(case: Case) -> Assignment:
    """Return the critic's assignment without candidates: the conversation as it is."""
    return Assignment(
        messages=case.run.request.messages,
        role="critic" if case.mixture.critic else "direct",
        contract=case.run.contract,
        overrides=case.mixture.author_params,
        choice=case.choice,
        decided_by=DecidedBy.CRITIC_ALONE,
    )


def _assign(case: Case, candidates: Sequence[Candidate]) -> Assignment:
    """Return the critic's assignment: the conversation, and the candidates in random order behind it."""
    run = case.run
    (showing,) = show_candidates(
        run.request.messages,
        [candidate.completion.text for candidate in candidates],
        _choose_template(case),
        rng=run.rng,
        draw_nonce=run.draw_nonce,
        findings=list_findings(case, candidates),
    )
    return Assignment(
        messages=showing.messages,
        role="critic",
        contract=run.contract,
        overrides=case.mixture.author_params,
        seed=showing.seed,
        letters=tuple(candidates[position].name for position in showing.order),
        nonce=showing.nonce,
        choice=case.choice,
    )


def _choose_template(case: Case) -> str:
    """Return the prompt that shows the candidates: as drafts of the answer, or as advice to a model that acts."""
    mixture, is_acting = case.mixture, case.run.contract.form is Form.TOOLS
    if is_acting and mixture.tools_advice == "prose":
        return advice.PROMPT
    authors = [case.run.models[name] for name in mixture.authors]
    template = (mixture.critic and mixture.critic.prompt) or critic.choose_prompt(authors)
    return template + critic.WITH_TOOLS if is_acting else template


def _replace_critic(case: Case, failure: SynthesisError) -> _Complete:
    """Return the best valid candidate as the answer. Raises SynthesisError if there is none."""
    best = None if failure.interrupted or _is_draft_of_calls(case, failure) else case.panel.best()
    if best is not None:
        return best.completion, best.name, DecidedBy.BEST_CANDIDATE
    broken = _find_broken(case, failure)
    if broken is None:
        causes = [*case.panel.failures, *_list_findings(case), *failure.causes]
        raise SynthesisError(causes, interrupted=failure.interrupted) from failure
    return broken


def _is_draft_of_calls(case: Case, error: SynthesisError) -> bool:
    """Whether a critic with tools has written something: an agent cannot use a panel member's text in its place."""
    return case.run.contract.form is Form.TOOLS and error.draft is not None


def _find_broken(case: Case, error: SynthesisError) -> _Complete | None:
    """Return an answer that breaks the contract, if the client can still use it.

    A tool that asked for edits or calls reports their defects, and asks again; an answer that reached its token limit
    before its first word would be the same from every model.
    """
    if error.interrupted:
        return None
    if case.run.contract.form in (Form.EDITS, Form.CODE) and case.panel.candidates:
        first = case.panel.candidates[0]
        return first.completion, first.name, DecidedBy.BEST_CANDIDATE
    if error.draft is None:
        return None
    is_usable = case.run.contract.form in (Form.EDITS, Form.CODE, Form.TOOLS)
    is_usable = is_usable or error.draft[0].finish_reason == "length"
    return (*error.draft, DecidedBy.CRITIC_ALONE) if is_usable else None


def _list_findings(case: Case) -> list[Cause]:
    """Return why the candidates could not be the answer."""
    findings = [(each.name, each.finding) for each in case.panel.candidates]
    return [Cause(model, CallError(Kind.BROKEN_CONTRACT, finding)) for model, finding in findings if finding]
