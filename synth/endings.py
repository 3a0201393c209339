"""The ways in which a mixture's answer can come about, shared by all modes: each yields events, the last is Answered.

No answer that was paid for is lost: SynthesisError is raised only where nobody has one.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from config.settings import Mixture
from synth import critic
from synth.contract import Contract, finding
from synth.events import Answered, Cause, DecidedBy, Event, ReasoningDelta, SynthesisError, TextDelta, pieces
from synth.panel import Candidate, Panel
from synth.preflight import authors_of
from synth.run import Run
from synth.writing import Task, Written, write
from upstream.errors import CallError, Kind

# What a model says to these it says again a moment later.
_LASTING = frozenset({Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED})


@dataclass(frozen=True, slots=True)
class Case:
    """What a mode has to make an answer of: one choice of one request, after the panel has settled."""

    run: Run
    mixture: Mixture
    contract: Contract
    panel: Panel
    choice: int = 0


Mode = Callable[[Case], AsyncGenerator[Event]]


async def stands(case: Case, candidate: Candidate, decided_by: DecidedBy) -> AsyncGenerator[Event]:
    """Let a candidate be the answer, byte for byte."""
    completion = candidate.completion
    if case.run.incremental:
        if completion.reasoning:
            yield ReasoningDelta(completion.reasoning, case.choice)
        for piece in pieces(completion.text):
            yield TextDelta(piece, case.choice)
    yield Answered(completion, decided_by, candidate.model, case.choice)


async def critic_alone(case: Case) -> AsyncGenerator[Event]:
    """Let the critic answer the conversation as it is, without candidates."""
    run, settings = case.run, case.mixture.critic
    hopeless = {cause.model for cause in case.panel.failures if cause.error.kind in _LASTING}
    authors = [name for name in authors_of(case.mixture, run.models, case.contract) if name not in hopeless]
    task = Task(run.request.messages, "critic", case.contract, settings.params, choice=case.choice)
    try:
        async with aclosing(write(run, task, authors)) as events:
            async for event in events:
                yield _answered(event, DecidedBy.CRITIC_ALONE, case.choice)
    except SynthesisError as error:
        raise SynthesisError([*case.panel.failures, *error.causes], interrupted=error.interrupted) from error


async def criticised(case: Case) -> AsyncGenerator[Event]:
    """Let the critic write one answer out of all candidates; where none can, the best valid candidate stands."""
    run, settings = case.run, case.mixture.critic
    seed = run.rng.getrandbits(32)
    candidates = case.panel.candidates
    shown = [candidates[position] for position in critic.shuffled(len(candidates), seed)]
    texts = [candidate.completion.text for candidate in shown]
    nonce = critic.fresh_nonce(texts, run.draw_nonce)
    block = critic.closing_block(critic.last_request(run.request.messages), texts, nonce, settings.prompt)
    task = Task(
        messages=critic.with_block(run.request.messages, block),
        role="critic",
        contract=case.contract,
        overrides=settings.params,
        seed=seed,
        letters=tuple(candidate.model for candidate in shown),
        nonce=nonce,
        choice=case.choice,
    )
    try:
        async with aclosing(write(run, task, authors_of(case.mixture, run.models, case.contract))) as events:
            async for event in events:
                yield _answered(event, DecidedBy.CRITIC, case.choice)
    except SynthesisError as error:
        best = case.panel.best(case.contract)
        if error.interrupted or best is None:
            causes = [*case.panel.failures, *_broken(case), *error.causes]
            raise SynthesisError(causes, interrupted=error.interrupted) from error
        async with aclosing(stands(case, best, DecidedBy.BEST_CANDIDATE)) as rest:
            async for event in rest:
                yield event


def _broken(case: Case) -> list[Cause]:
    """Return why the candidates could not stand in."""
    findings = [(each.model, finding(case.contract, each.completion)) for each in case.panel.candidates]
    return [Cause(model, CallError(Kind.BROKEN_CONTRACT, problem)) for model, problem in findings if problem]


def _answered(event: Event | Written, decided_by: DecidedBy, choice: int) -> Event:
    if isinstance(event, Written):
        return Answered(event.completion, decided_by, event.author, choice)
    return event
