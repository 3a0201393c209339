"""Asking the panel: all proposers at the same time; each gives a candidate or a failure."""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from config.settings import Mixture, Model, Proposer
from runtime.frozen import frozen
from synth.context_window import fits
from synth.contract.contract import Contract, Form, Reading
from synth.contract.tool_calls import list_calls
from synth.edits import find_code_block
from synth.events import CandidateArrived, CandidateFailed, Cause, Event, ProposerLeftOut
from synth.evidence.inquiry import Ranking
from synth.normalize import Completion, normalize
from synth.panel.straggler_policy import StragglerPolicy, explain_cancellation
from synth.prompts import adapt
from synth.request import ChatRequest
from synth.run import Run
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.gathering import Outcome

_LASTING = frozenset({Kind.AUTH, Kind.CONTEXT_LENGTH, Kind.REJECTED})  # the same a moment later


@frozen
class Candidate:
    """A proposer's usable answer.

    `finding` is how it breaks the contract, or None if it keeps it. Candidates with the same outcome have equal
    `outcome`.
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
    """The result of asking: candidates in the order of the panel, which is the operator's ranking, and failures.

    `n_asked` proposers were asked for these candidates. `unfit_models` have failed in a way that lasts. `quorum_wait_s`
    is how long others had after the quorum was reached, summed over all layers, or None if it never was. `ranking` is
    the evidence that decides, None without any; with it `is_settled` is set if a candidate passes every visible
    example, so that no further stage was asked. `agreed` is the candidate that settled it instead: a different model
    has the same outcome.
    """

    candidates: list[Candidate] = field(default_factory=list)
    failures: list[Cause] = field(default_factory=list)
    unfit_models: frozenset[str] = frozenset()
    n_asked: int = 0
    quorum_wait_s: float | None = None
    ranking: Ranking | None = None
    is_settled: bool = False
    agreed: Candidate | None = None

    def merge(self, later: "Panel") -> None:
        """Take over the result of a later layer, unless that gives up valid candidates."""
        self.failures += later.failures
        self.unfit_models |= later.unfit_models
        if later.quorum_wait_s is not None:
            self.quorum_wait_s = later.quorum_wait_s + (self.quorum_wait_s or 0.0)
        stays = not later.candidates or (later.best() is None and self.best() is not None)
        if not self.candidates or not stays:
            self.candidates, self.n_asked = later.candidates, later.n_asked

    def valid(self) -> list[Candidate]:
        """Return the candidates that keep the contract; weak ones only if there are no others."""
        return drop_weak([candidate for candidate in self.candidates if candidate.finding is None])

    def leaders(self) -> list[Candidate]:
        """Return the valid candidates that evidence ranks first, which are all of them without evidence.

        Evidence counts before weakness: a truncated answer whose code passes beats a complete one that fails.
        """
        valid = [candidate for candidate in self.candidates if candidate.finding is None]
        if self.ranking is None or not valid:
            return drop_weak(valid)
        tiers = [self.ranking.standing(candidate.name).tier for candidate in valid]
        first = min(tiers)
        return drop_weak([each for each, tier in zip(valid, tiers, strict=True) if tier == first])

    def best(self) -> Candidate | None:
        """Return the best-ranked of the leaders, or None if no candidate keeps the contract."""
        return next(iter(self.leaders()), None)


def drop_weak(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that are neither truncated nor a refusal; all of them if there are no others."""
    strong = [candidate for candidate in candidates if not is_weak(candidate.completion)]
    return strong or list(candidates)


def is_weak(completion: Completion) -> bool:
    """Whether an answer is cut off or is a refusal."""
    return completion.finish_reason in ("length", "content_filter") or completion.refusal is not None


def find_outcome(contract: Contract, candidate: Candidate | CandidateArrived) -> Hashable:
    """Return a candidate's outcome: that of its code, if the contract is plain text but the candidate is code."""
    if contract.form is Form.PLAIN and (block := find_code_block(candidate.completion.text)) is not None:
        return block.outcome
    return candidate.outcome


@frozen
class Question:
    """The question to the proposers: the request, the proposers, the deadline.

    `request` is the client's; in a further layer the candidates of the layer before are fenced at its end, and `nonce`
    marks their fences. With `is_advice` the request is one for advice, and is sent as it is.
    """

    request: ChatRequest
    deadline: float
    proposers: Sequence[Proposer]
    is_advice: bool = False
    layer: int = 1
    nonce: str = ""


async def ask_proposers(
    run: Run, mixture: Mixture, panel: Panel, question: Question, on_candidate: Callable[[Candidate], None]
) -> None:
    """Ask the proposers at the same time, and add candidates and failures to `panel` as the calls settle.

    `on_candidate` receives each candidate at once; `panel` may hold those of an earlier stage already. Proposers that
    cannot take the request are left out. One that is given up (see straggler_policy.py) is cancelled, and its
    connection is closed before it counts as a failure.
    """
    # All calls start at once, and the fastest decide how long the slowest may take: after each outcome the policy
    # computes the limit anew. Outcomes are read here, one after the other, so that candidates and events are in one
    # order for all readers. Leaving the `async with`, for any reason, cancels the pending calls: a client that hangs up
    # closes every connection. At the end the candidates are sorted into the operator's ranking, so no later decision
    # depends on their speed.
    calls: list[Call] = []
    needs_vision = adapt.needs_vision(question.request.messages)
    for proposer in question.proposers:
        unfit = _find_unfitness(run, question, proposer, panel.unfit_models, needs_vision=needs_vision)
        if unfit is not None:
            await run.emit(ProposerLeftOut(proposer.name, unfit, question.layer))
        else:
            calls.append(_new_call(run, question, proposer))
    panel.n_asked += len(calls)
    n_valid = sum(candidate.finding is None for candidate in panel.candidates)
    policy = StragglerPolicy(mixture, run.pool.clock(), n_valid, has_candidate=bool(panel.candidates))
    async with run.pool.gather(calls) as gathering:
        while (settled := await gathering.next(policy.limit)) is not None:
            event = await take_outcome(panel, run.contract, question, *settled)
            usable = isinstance(event, CandidateArrived)
            valid = usable and panel.candidates[-1].finding is None
            policy.note(run.pool.clock(), usable=usable, valid=valid)
            if usable:
                on_candidate(panel.candidates[-1])
            await run.emit(event)
        late = gathering.pending
        wait_s = policy.quorum_wait_s(run.pool.clock())
        panel.quorum_wait_s = panel.quorum_wait_s if wait_s is None else wait_s
    for call in late:
        await run.emit(_fail(panel, question, call, explain_cancellation(call)))
    rank = {proposer.name: position for position, proposer in enumerate(mixture.panel)}
    panel.candidates.sort(key=lambda candidate: rank[candidate.name])


def _new_call(run: Run, question: Question, proposer: Proposer) -> Call:
    messages, params = question.request.messages, question.request.params
    if not question.is_advice:
        messages, params = adapt.adapt_for_proposer(question.request, run.contract, run.models[proposer.model])
    call = run.call(
        proposer.model,
        "proposer",
        messages,
        params=params,
        overrides=_vary_seed(question.request, run.models[proposer.model], proposer),
        deadline=question.deadline,
        alias=proposer.name,
    )
    if run.on_candidate_text is not None:
        call.on_text = partial(run.on_candidate_text, call)
    return call


def _vary_seed(request: ChatRequest, model: Model, proposer: Proposer) -> Mapping[str, Any]:
    """Return a proposer's params; a client's seed is counted up for its samples, which would be equal otherwise."""
    seed = request.params.get("seed")
    if proposer.sample is None or type(seed) is not int or "seed" in proposer.params or "seed" in model.params:
        return proposer.params
    return {**proposer.params, "seed": seed + proposer.sample - 1}


def _find_unfitness(
    run: Run, question: Question, proposer: Proposer, unfit_models: frozenset[str], *, needs_vision: bool
) -> str | None:
    """Return why a proposer cannot take the request, or None if it can."""
    model = run.models[proposer.model]
    if proposer.model in unfit_models:
        return "it has failed in a way that lasts"
    if needs_vision and "vision" not in model.capabilities:
        return "it lacks the capability vision"
    if not fits(model, question.request.messages):
        return f"the conversation does not fit its {model.context_tokens} tokens of context"
    return None


async def take_outcome(panel: Panel, contract: Contract, question: Question, call: Call, outcome: Outcome) -> Event:
    """Add an outcome to the panel, and return its event."""
    try:
        reading = await _read(contract, question, outcome)
    except CallError as error:
        call.outcome = error.kind
        return _fail(panel, question, call, error)
    panel.candidates.append(Candidate(call, reading.completion, reading.finding, reading.outcome))
    return CandidateArrived(call, reading.completion, reading.finding, question.layer, reading.outcome)


async def _read(contract: Contract, question: Question, outcome: Outcome) -> Reading:
    """Read a proposer's answer. Raises CallError if there is none, or if it copies the drafts with their fences."""
    if isinstance(outcome, CallError):
        raise outcome
    completion = normalize(outcome)
    if question.nonce and question.nonce in completion.text:
        raise CallError(Kind.BROKEN_CONTRACT, "it repeats the drafts instead of replying")
    return await contract.read_async(_describe_calls(contract, completion))


def _describe_calls(contract: Contract, completion: Completion) -> Completion:
    """Return an answer with its tool calls as text: members of a panel advise, only the critic calls tools."""
    if not contract.tools or not (calls := list_calls(completion)):
        return completion
    text = "\n".join([completion.text, *(f"I would call {json.dumps(call)}" for call in calls)]).strip()
    return replace(completion, text=text, tool_calls=(), function_call=None, finish_reason="stop")


def _fail(panel: Panel, question: Question, call: Call, error: CallError) -> CandidateFailed:
    panel.failures.append(Cause(call.name, error))
    if error.kind in _LASTING:
        panel.unfit_models |= {call.model.name}
    return CandidateFailed(call, error, question.layer)
