"""Asking the panel: all proposers at once, each a candidate or a failure."""

import json
from collections.abc import AsyncGenerator, Hashable
from dataclasses import dataclass, field, replace

from config.settings import Mixture, Model
from synth import adapt
from synth.contract import Contract
from synth.events import CandidateArrived, CandidateFailed, Cause, Event, PanelSettled, ProposerLeftOut
from synth.fitting import holds
from synth.normalize import Completion, normalized
from synth.patience import Patience, given_up
from synth.run import Run
from synth.tool_calls import called
from upstream.calls import Call
from upstream.errors import CallError
from upstream.gathering import Outcome


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposer's usable answer.

    `finding` is how it breaks the contract, None where it keeps it; `outcome` is equal where answers come to the same.
    """

    call: Call
    completion: Completion
    finding: str | None
    outcome: Hashable

    @property
    def model(self) -> str:
        """The proposer's configured name."""
        return self.call.model.name


@dataclass(slots=True)
class Panel:
    """What came of asking: candidates in the order of the panel, which is the operator's ranking, and failures."""

    candidates: list[Candidate] = field(default_factory=list)
    failures: list[Cause] = field(default_factory=list)

    def best(self) -> Candidate | None:
        """Return the best-ranked candidate that keeps the contract, a truncated one last; None where none does."""
        valid = [candidate for candidate in self.candidates if candidate.finding is None]
        whole = [candidate for candidate in valid if candidate.completion.finish_reason != "length"]
        return next(iter(whole or valid), None)


async def ask(run: Run, mixture: Mixture, panel: Panel) -> AsyncGenerator[Event]:
    """Ask every proposer at once, and fill `panel` as they settle; those that cannot take the request are left out.

    The panel's deadline leaves `critic_reserve_s` of the run's, but is never before its half. A proposer that is waited
    for no longer (see synth/patience.py) is cancelled, and its connection is closed before it counts as a failure.
    """
    time_s = run.deadline - run.started
    deadline = max(run.deadline - mixture.critic_reserve_s, run.started + time_s / 2)
    calls: list[Call] = []
    for name in mixture.panel:
        unfit = _unfit(run, run.models[name])
        if unfit is not None:
            yield ProposerLeftOut(name, unfit)
            continue
        messages, params = adapt.for_proposer(run.request, run.contract, run.models[name])
        calls.append(run.call(name, "proposer", messages, params=params, deadline=deadline))
    patience = Patience(mixture, run.pool.clock())
    async with run.pool.gather(calls) as gathering:
        while (settled := await gathering.next(patience.limit)) is not None:
            event = await _taken(panel, run.contract, *settled)
            usable = isinstance(event, CandidateArrived)
            valid = usable and panel.candidates[-1].finding is None
            patience.note(run.pool.clock(), usable=usable, valid=valid)
            yield event
        late = gathering.pending
    for call in late:
        yield _failed(panel, call, given_up(call))
    rank = {name: position for position, name in enumerate(mixture.panel)}
    panel.candidates.sort(key=lambda candidate: rank[candidate.model])
    yield PanelSettled(len(panel.candidates), len(calls), run.elapsed_s())


def _unfit(run: Run, model: Model) -> str | None:
    """Return why a proposer cannot take the request, None where it can."""
    if adapt.needs_vision(run.request.messages) and "vision" not in model.capabilities:
        return "it lacks the capability vision"
    if not holds(model, run.request.messages):
        return f"the conversation does not fit its {model.context_tokens} tokens of context"
    return None


async def _taken(panel: Panel, contract: Contract, call: Call, outcome: Outcome) -> Event:
    try:
        if isinstance(outcome, CallError):
            raise outcome
        reading = await contract.read_aside(_advice(contract, normalized(outcome)))
    except CallError as error:
        call.outcome = error.kind
        return _failed(panel, call, error)
    panel.candidates.append(Candidate(call, reading.completion, reading.finding, reading.outcome))
    return CandidateArrived(call, reading.completion, reading.finding)


def _advice(contract: Contract, completion: Completion) -> Completion:
    """Return a proposer's answer as advice: members of the panel call no tools, so a call of theirs is put in words."""
    calls = called(completion)
    if not contract.tools or not calls:
        return completion
    text = "\n".join([completion.text, *(f"I would call {json.dumps(call)}" for call in calls)]).strip()
    return replace(completion, text=text, tool_calls=(), function_call=None, finish_reason="stop")


def _failed(panel: Panel, call: Call, error: CallError) -> CandidateFailed:
    panel.failures.append(Cause(call.model.name, error))
    return CandidateFailed(call, error)
