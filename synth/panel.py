"""Asking the panel: all proposers at once, each a candidate or a failure."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from config.settings import Mixture
from synth import adapt
from synth.contract import Contract, cleaned, finding
from synth.events import CandidateArrived, CandidateFailed, Cause, Event, PanelSettled, ProposerLeftOut
from synth.normalize import Completion, normalized
from synth.run import Run
from upstream.calls import Call
from upstream.errors import CallError
from upstream.pool import Outcome


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposer's usable answer."""

    call: Call
    completion: Completion

    @property
    def model(self) -> str:
        """The proposer's configured name."""
        return self.call.model.name


@dataclass(slots=True)
class Panel:
    """What came of asking: candidates in the order of the panel, which is the operator's ranking, and failures."""

    candidates: list[Candidate] = field(default_factory=list)
    failures: list[Cause] = field(default_factory=list)

    def best(self, contract: Contract) -> Candidate | None:
        """Return the best-ranked candidate that keeps the contract, a truncated one last; None where none does."""
        valid = [candidate for candidate in self.candidates if finding(contract, candidate.completion) is None]
        whole = [candidate for candidate in valid if candidate.completion.finish_reason != "length"]
        return next(iter(whole or valid), None)


async def ask(run: Run, mixture: Mixture, contract: Contract, panel: Panel) -> AsyncGenerator[Event]:
    """Ask every proposer at once, and fill `panel` as they settle; those that cannot take the request are left out.

    The panel's deadline leaves `critic_reserve_s` of the run's, but is never before its half.
    """
    time_s = run.deadline - run.started
    deadline = max(run.deadline - mixture.critic_reserve_s, run.started + time_s / 2)
    asked = list(mixture.panel)
    if adapt.needs_vision(run.request.messages):
        asked = [name for name in mixture.panel if "vision" in run.models[name].capabilities]
        for name in mixture.panel:
            if name not in asked:
                yield ProposerLeftOut(name, "it lacks the capability vision")
    calls: list[Call] = []
    for name in asked:
        messages, params = adapt.for_proposer(run.request, contract, run.models[name])
        calls.append(run.call(name, "proposer", messages, params=params, deadline=deadline))
    async with aclosing(run.pool.gather(calls)) as outcomes:
        async for call, outcome in outcomes:
            yield _taken(panel, contract, call, outcome)
    rank = {name: position for position, name in enumerate(mixture.panel)}
    panel.candidates.sort(key=lambda candidate: rank[candidate.model])
    yield PanelSettled(len(panel.candidates), len(calls), run.elapsed_s())


def _taken(panel: Panel, contract: Contract, call: Call, outcome: Outcome) -> Event:
    try:
        if isinstance(outcome, CallError):
            raise outcome
        completion = cleaned(contract, normalized(outcome))
    except CallError as error:
        call.outcome = error.kind
        panel.failures.append(Cause(call.model.name, error))
        return CandidateFailed(call, error)
    panel.candidates.append(Candidate(call, completion))
    return CandidateArrived(call, completion)
