"""Asking the panel: all proposers at once, each a candidate or a failure."""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

from config.settings import Mixture, Proposer
from runtime.frozen import frozen
from synth.context_window import holds
from synth.contract.contract import Contract, Reading
from synth.contract.tool_calls import list_calls
from synth.events import CandidateArrived, CandidateFailed, Cause, Event, ProposerLeftOut
from synth.normalize import Completion, normalize
from synth.panel.straggler_policy import StragglerPolicy, explain_cancellation
from synth.prompts import adapt
from synth.request import ChatRequest
from synth.run import Run
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.gathering import Outcome

# What a model says to these it says again a moment later.
_LASTING = frozenset({Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED})


@frozen
class Candidate:
    """A proposer's usable answer.

    `finding` is how it breaks the contract, None where it keeps it; `outcome` is equal where answers come to the same.
    """

    call: Call
    completion: Completion
    finding: str | None
    outcome: Hashable

    @property
    def name(self) -> str:
        """The proposer's name."""
        return self.call.name


@dataclass(slots=True)
class Panel:
    """What came of asking: candidates in the order of the panel, which is the operator's ranking, and failures.

    `n_asked` proposers were asked for these candidates. Models that are `hopeless` would fail again. `quorum_wait_s` is
    for how long others were waited for once there was a quorum, in all layers together; None where there never was.
    """

    candidates: list[Candidate] = field(default_factory=list)
    failures: list[Cause] = field(default_factory=list)
    hopeless: frozenset[str] = frozenset()
    n_asked: int = 0
    quorum_wait_s: float | None = None

    def take(self, later: "Panel") -> None:
        """Take in what a later layer came to; what there is stays where that is no candidate, or only broken ones."""
        self.failures += later.failures
        self.hopeless |= later.hopeless
        if later.quorum_wait_s is not None:
            self.quorum_wait_s = later.quorum_wait_s + (self.quorum_wait_s or 0.0)
        stays = not later.candidates or (later.best() is None and self.best() is not None)
        if not self.candidates or not stays:
            self.candidates, self.n_asked = later.candidates, later.n_asked

    def best(self) -> Candidate | None:
        """Return the best-ranked candidate that keeps the contract, a weak one last; None where none does."""
        return next(iter(sound([candidate for candidate in self.candidates if candidate.finding is None])), None)


def sound(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that are neither truncated nor a refusal; all of them where there are no others."""
    strong = [candidate for candidate in candidates if not is_weak(candidate.completion)]
    return strong or list(candidates)


def is_weak(completion: Completion) -> bool:
    """Whether an answer broke off, or declines."""
    return completion.finish_reason in ("length", "content_filter") or completion.refusal is not None


@frozen
class Asking:
    """What a layer of proposers is asked, and until when.

    `request` is the client's, with the fenced candidates of the layer before at its end, where there is one: then
    `nonce` is the mark of their fences.
    """

    request: ChatRequest
    deadline: float
    layer: int = 1
    nonce: str = ""


async def ask(run: Run, mixture: Mixture, panel: Panel, asking: Asking) -> None:
    """Ask every proposer at once, and fill `panel` as they settle; those that cannot take the request are left out.

    A proposer that is waited for no longer (see straggler_policy.py) is cancelled, and its connection is closed
    before it counts as a failure.
    """
    calls: list[Call] = []
    is_seen = adapt.needs_vision(run.request.messages)
    for proposer in mixture.panel:
        unfit = _unfit(run, asking, proposer, panel.hopeless, is_seen=is_seen)
        if unfit is not None:
            await run.emit(ProposerLeftOut(proposer.name, unfit, asking.layer))
        else:
            calls.append(_call(run, asking, proposer))
    panel.n_asked = len(calls)
    patience = StragglerPolicy(mixture, run.pool.clock())
    async with run.pool.gather(calls) as gathering:
        while (settled := await gathering.next(patience.limit)) is not None:
            event = await _taken(panel, run.contract, asking, *settled)
            usable = isinstance(event, CandidateArrived)
            valid = usable and panel.candidates[-1].finding is None
            patience.note(run.pool.clock(), usable=usable, valid=valid)
            await run.emit(event)
        late = gathering.pending
        panel.quorum_wait_s = patience.quorum_wait_s(run.pool.clock())
    for call in late:
        await run.emit(_failed(panel, asking, call, explain_cancellation(call)))
    rank = {proposer.name: position for position, proposer in enumerate(mixture.panel)}
    panel.candidates.sort(key=lambda candidate: rank[candidate.name])


def _call(run: Run, asking: Asking, proposer: Proposer) -> Call:
    messages, params = adapt.adapt_for_proposer(asking.request, run.contract, run.models[proposer.model])
    return run.call(
        proposer.model,
        "proposer",
        messages,
        params=params,
        overrides=proposer.params,
        deadline=asking.deadline,
        alias=proposer.name,
    )


def _unfit(run: Run, asking: Asking, proposer: Proposer, hopeless: frozenset[str], *, is_seen: bool) -> str | None:
    """Return why a proposer cannot take the request, which has parts that are to be seen or not; None where it can."""
    model = run.models[proposer.model]
    if proposer.model in hopeless:
        return "it has failed in a way that lasts"
    if is_seen and "vision" not in model.capabilities:
        return "it lacks the capability vision"
    if not holds(model, asking.request.messages):
        return f"the conversation does not fit its {model.context_tokens} tokens of context"
    return None


async def _taken(panel: Panel, contract: Contract, asking: Asking, call: Call, outcome: Outcome) -> Event:
    try:
        reading = await _read(contract, asking, outcome)
    except CallError as error:
        call.outcome = error.kind
        return _failed(panel, asking, call, error)
    panel.candidates.append(Candidate(call, reading.completion, reading.finding, reading.outcome))
    return CandidateArrived(call, reading.completion, reading.finding, asking.layer)


async def _read(contract: Contract, asking: Asking, outcome: Outcome) -> Reading:
    """Read a proposer's answer; CallError where there is none, or one that copies the drafts with their fences."""
    if isinstance(outcome, CallError):
        raise outcome
    completion = normalize(outcome)
    if asking.nonce and asking.nonce in completion.text:
        raise CallError(Kind.BROKEN_CONTRACT, "it repeats the drafts instead of replying")
    return await contract.read_aside(_advice(contract, completion))


def _advice(contract: Contract, completion: Completion) -> Completion:
    """Return a proposer's answer as advice: members of the panel call no tools, so a call of theirs is put in words."""
    if not contract.tools or not (calls := list_calls(completion)):
        return completion
    text = "\n".join([completion.text, *(f"I would call {json.dumps(call)}" for call in calls)]).strip()
    return replace(completion, text=text, tool_calls=(), function_call=None, finish_reason="stop")


def _failed(panel: Panel, asking: Asking, call: Call, error: CallError) -> CandidateFailed:
    panel.failures.append(Cause(call.name, error))
    if error.kind in _LASTING:
        panel.hopeless |= {call.model.name}
    return CandidateFailed(call, error, asking.layer)
