"""The ways in which a mixture's answer can come about, shared by all modes: each tells what happens, and returns it.

No answer that was paid for is lost: SynthesisError is raised only where nobody has one.
"""

from collections.abc import Awaitable, Callable, Sequence

from config.settings import Mixture
from runtime.frozen import frozen
from synth.authoring.author import Task
from synth.authoring.review import write_reviewed
from synth.context_window import count_fitting
from synth.contract.contract import Form
from synth.events import Answered, Cause, DecidedBy, SynthesisError, split_into_deltas
from synth.normalize import Completion
from synth.panel.ask import Candidate, Panel, sound
from synth.preflight import list_authors
from synth.prompts import critic
from synth.run import Run
from upstream.errors import CallError, Kind


@frozen
class Case:
    """What a mode has to make an answer of: one choice of one request, after the panel has settled."""

    run: Run
    mixture: Mixture
    panel: Panel
    choice: int = 0


Mode = Callable[[Case], Awaitable[Answered]]
_Whole = tuple[Completion, str, DecidedBy]  # an answer that is there, its author, and how it came about


async def use_candidate(case: Case, candidate: Candidate, decided_by: DecidedBy) -> Answered:
    """Let a candidate be the answer, byte for byte."""
    return await use_completion(case, candidate.completion, candidate.name, decided_by)


async def use_completion(case: Case, completion: Completion, author: str, decided_by: DecidedBy) -> Answered:
    """Give an answer that is there as a whole."""
    if case.run.incremental:
        for delta in split_into_deltas(completion, case.choice):
            await case.run.emit(delta)
    return Answered(completion, decided_by, author, case.choice)


async def ask_critic_alone(case: Case) -> Answered:
    """Let the critic answer the conversation as it is, without candidates."""
    run = case.run
    able = list_authors(case.mixture, run.models, case.run.contract)
    authors = [name for name in able if name not in case.panel.hopeless]
    try:
        return await write_reviewed(run, _task(case, ()), authors, case.mixture.verify)
    except SynthesisError as error:
        rest = _as_it_is(case, error)
        if rest is None:
            raise SynthesisError([*case.panel.failures, *error.causes], interrupted=error.interrupted) from error
    return await use_completion(case, *rest)


async def ask_critic(case: Case) -> Answered:
    """Let the critic write one answer out of all candidates; where none can, the best valid candidate stands.

    Truncated candidates and refusals are shown only for want of others. Candidates that do not fit the critic's context
    are dropped, the worst-ranked first; if it turns out to be too small all the same, one more is, once.
    """
    authors = list_authors(case.mixture, case.run.models, case.run.contract)
    candidates = fitting(case, authors[0], sound(case.panel.candidates))
    failure = SynthesisError([])
    for shown in (candidates, candidates[:-1]):
        if len(shown) < 2 and case.run.contract.form is not Form.TOOLS:  # noqa: PLR2004 -- one needs no critic
            break
        try:
            return await write_reviewed(case.run, _task(case, shown), authors, case.mixture.verify)
        except SynthesisError as error:
            failure = error
            if error.interrupted or any(cause.error.kind is not Kind.CONTEXT_LENGTH for cause in error.causes):
                break
    return await use_completion(case, *_without_critic(case, failure))


def fitting(case: Case, author: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the best-ranked candidates that fit the author's context beside the conversation."""
    texts = [candidate.completion.text for candidate in candidates]
    return list(candidates[: count_fitting(case.run.models[author], case.run.request.messages, texts)])


def _task(case: Case, candidates: Sequence[Candidate]) -> Task:
    """Return the critic's task: the conversation, and the candidates in shuffled order behind it."""
    run, settings = case.run, case.mixture.critic
    if not candidates:
        return Task(
            run.request.messages,
            "critic",
            run.contract,
            settings.params,
            choice=case.choice,
            decided_by=DecidedBy.CRITIC_ALONE,
        )
    seed = run.rng.getrandbits(32)
    shown = [candidates[position] for position in critic.shuffled(len(candidates), seed)]
    texts = [candidate.completion.text for candidate in shown]
    nonce = critic.draw_nonce_outside(texts, run.draw_nonce)
    block = critic.fill_template(critic.find_last_request(run.request.messages), texts, nonce, settings.prompt)
    if run.contract.form is Form.TOOLS:
        block += critic.WITH_TOOLS
    return Task(
        messages=critic.append_block(run.request.messages, block),
        role="critic",
        contract=run.contract,
        overrides=settings.params,
        seed=seed,
        letters=tuple(candidate.name for candidate in shown),
        nonce=nonce,
        choice=case.choice,
    )


def _without_critic(case: Case, failure: SynthesisError) -> _Whole:
    """Return the best valid candidate as the answer; SynthesisError where there is none."""
    best = None if failure.interrupted else case.panel.best()
    rest = _as_it_is(case, failure) if best is None else (best.completion, best.name, DecidedBy.BEST_CANDIDATE)
    if rest is None:
        causes = [*case.panel.failures, *_broken(case), *failure.causes]
        raise SynthesisError(causes, interrupted=failure.interrupted) from failure
    return rest


def _as_it_is(case: Case, error: SynthesisError) -> _Whole | None:
    """Return a broken edit as the answer where there is none better: its tool says what is wrong, and asks again."""
    if error.interrupted or case.run.contract.form not in (Form.EDITS, Form.CODE):
        return None
    if case.panel.candidates:
        first = case.panel.candidates[0]
        return first.completion, first.name, DecidedBy.BEST_CANDIDATE
    return None if error.draft is None else (*error.draft, DecidedBy.CRITIC_ALONE)


def _broken(case: Case) -> list[Cause]:
    """Return why the candidates could not stand in."""
    findings = [(each.name, each.finding) for each in case.panel.candidates]
    return [Cause(model, CallError(Kind.BROKEN_CONTRACT, problem)) for model, problem in findings if problem]
