"""The mode `fuse`: a critic writes one answer out of all candidates."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from config.settings import Mixture
from synth import critic
from synth.contract import Contract, Form, all_equal, finding
from synth.events import Answered, Cause, DecidedBy, Event, ReasoningDelta, SynthesisError, TextDelta, pieces
from synth.panel import Candidate, Panel
from synth.preflight import authors_of
from synth.run import Run
from synth.writing import Task, Written, write
from upstream.errors import CallError, Kind

# What a model says to these it says again a moment later.
_LASTING = frozenset({Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED})


async def fuse(run: Run, mixture: Mixture, contract: Contract, panel: Panel, choice: int = 0) -> AsyncGenerator[Event]:
    """Yield the events of one answer, the last of which is Answered. No answer that was paid for is lost.

    No candidate: the critic answers alone. One, or several that are equal: that is the answer, without a critic,
    unless tools are to be called, which the critic alone can. Every critic fails: the best candidate that keeps the
    contract. SynthesisError only where nobody has an answer.
    """
    standing = _standing(contract, panel)
    if not panel.candidates:
        answered = _critic_alone(run, mixture, contract, panel, choice)
    elif standing is not None:
        answered = _stands(run, *standing, choice)
    else:
        answered = _criticised(run, mixture, contract, panel, choice)
    async with aclosing(answered) as events:
        async for event in events:
            yield event


def _standing(contract: Contract, panel: Panel) -> tuple[Candidate, DecidedBy] | None:
    """Return the candidate that needs no critic, if there is one."""
    completions = [candidate.completion for candidate in panel.candidates]
    if contract.form is Form.TOOLS or any(finding(contract, completion) for completion in completions):
        return None
    best = panel.best(contract)
    if best is None or not all_equal(contract, completions):
        return None
    return best, DecidedBy.EQUAL_CANDIDATES if len(completions) > 1 else DecidedBy.ONLY_CANDIDATE


async def _criticised(
    run: Run, mixture: Mixture, contract: Contract, panel: Panel, choice: int
) -> AsyncGenerator[Event]:
    settings = mixture.critic
    seed = run.rng.getrandbits(32)
    shown = [panel.candidates[position] for position in critic.shuffled(len(panel.candidates), seed)]
    texts = [candidate.completion.text for candidate in shown]
    nonce = critic.fresh_nonce(texts, run.draw_nonce)
    messages = run.request.messages
    block = critic.closing_block(critic.last_request(messages), texts, nonce, settings.prompt)
    task = Task(
        messages=critic.with_block(messages, block),
        role="critic",
        contract=contract,
        overrides=settings.params,
        seed=seed,
        letters=tuple(candidate.model for candidate in shown),
        nonce=nonce,
        choice=choice,
    )
    try:
        async with aclosing(write(run, task, authors_of(mixture, run.models, contract))) as events:
            async for event in events:
                yield _answered(event, DecidedBy.CRITIC, choice)
    except SynthesisError as error:
        best = panel.best(contract)
        if error.interrupted or best is None:
            raise SynthesisError(
                [*panel.failures, *_broken(contract, panel), *error.causes], interrupted=error.interrupted
            ) from error
        async with aclosing(_stands(run, best, DecidedBy.BEST_CANDIDATE, choice)) as rest:
            async for event in rest:
                yield event


def _broken(contract: Contract, panel: Panel) -> list[Cause]:
    """Return why the candidates could not stand in."""
    findings = [(each.model, finding(contract, each.completion)) for each in panel.candidates]
    return [Cause(model, CallError(Kind.BROKEN_CONTRACT, problem)) for model, problem in findings if problem]


async def _critic_alone(
    run: Run, mixture: Mixture, contract: Contract, panel: Panel, choice: int
) -> AsyncGenerator[Event]:
    hopeless = {cause.model for cause in panel.failures if cause.error.kind in _LASTING}
    authors = [name for name in authors_of(mixture, run.models, contract) if name not in hopeless]
    task = Task(run.request.messages, "critic", contract, mixture.critic.params, choice=choice)
    try:
        async with aclosing(write(run, task, authors)) as events:
            async for event in events:
                yield _answered(event, DecidedBy.CRITIC_ALONE, choice)
    except SynthesisError as error:
        raise SynthesisError([*panel.failures, *error.causes], interrupted=error.interrupted) from error


async def _stands(run: Run, candidate: Candidate, decided_by: DecidedBy, choice: int) -> AsyncGenerator[Event]:
    """Yield a candidate as the answer, byte for byte."""
    completion = candidate.completion
    if run.incremental:
        if completion.reasoning:
            yield ReasoningDelta(completion.reasoning, choice)
        for piece in pieces(completion.text):
            yield TextDelta(piece, choice)
    yield Answered(completion, decided_by, candidate.model, choice)


def _answered(event: Event | Written, decided_by: DecidedBy, choice: int) -> Event:
    if isinstance(event, Written):
        return Answered(event.completion, decided_by, event.author, choice)
    return event
