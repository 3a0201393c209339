"""Answering a request: ask the panel, choose the mode, make the answer, and emit the events."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from config.settings import BypassRule, Mixture, Proposer
from runtime.frozen import frozen
from synth import bypass
from synth.authoring.author import Assignment, write_answer
from synth.authoring.side_by_side import make_side_by_side
from synth.authoring.single_model import ask_single_model
from synth.context_window import fits
from synth.contract.contract import Contract, Form
from synth.edits import find_code_block
from synth.events import Answered, DecidedBy, Emit, Finished, ModeChosen, PanelSettled
from synth.modes.first import first
from synth.modes.fuse import fuse
from synth.modes.outcomes import Case, Mode, ask_critic_alone
from synth.modes.select import select
from synth.panel.ask import Panel
from synth.panel.evidence import PanelEvidence
from synth.panel.layers import ask_panel
from synth.prompts.adapt import needs_vision
from synth.request import ChatRequest
from synth.run import Run
from synth.tool_turns import find_fan_out
from upstream.openai.tools import read_tool_choice

MODES: Mapping[str, Mode] = {"fuse": fuse, "select": select, "first": first, "direct": ask_critic_alone}
"""How candidates become an answer, by mode. A new mode is a module, a line here and a word in config.settings.Mode."""

NOTHING_TO_RANK_BY = "nothing-to-rank-by"
"""The bypass rule of a panel without critic and evidence: its first member answers, as others cannot be ranked."""

_BYTE_EXACT = (Form.JSON, Form.EDITS, Form.CODE)


@frozen
class _Plan:
    """How the answers of one request are made, once the panel has settled."""

    make: Callable[[Run, int], Awaitable[Answered]]
    settled: PanelSettled
    chosen: ModeChosen | None = None


async def answer(run: Run, target: Mixture | str) -> Finished:
    """Answer a request by a mixture, or by the single model of this name. Raises SynthesisError if all models fail.

    Finished is also the last event. Cancelling this cancels every upstream call before it returns.
    """
    async with AsyncExitStack() as connections:
        plan = _plan_single(run, target) if isinstance(target, str) else await _ask_and_plan(run, target, connections)
        await run.emit(plan.settled)
        if plan.chosen is not None:
            await run.emit(plan.chosen)
        if run.request.n == 1:
            answers = [await plan.make(run, 0)]
            await run.emit(answers[0])
        else:

            def make(emit: Emit, choice: int) -> Awaitable[Answered]:
                return plan.make(replace(run, emit=emit), choice)

            answers = await make_side_by_side(run.request.n, make, run.emit, spare=not run.incremental)
        finished = Finished(tuple(answers), run.elapsed_s() - plan.settled.seconds)
        await run.emit(finished)
    return finished


def _plan_single(run: Run, model: str) -> _Plan:
    """Plan for a model that the client named: no panel, no critic, no check of its answer."""
    return _Plan(lambda each, choice: ask_single_model(each, model, choice), _settle_without_panel(run))


async def _ask_and_plan(run: Run, mixture: Mixture, connections: AsyncExitStack) -> _Plan:
    """Ask the mixture's panel if the request needs one, and choose the mode; `connections` last as long as the run."""
    rule = find_bypass_rule(run.request, mixture)
    if rule is not None:
        authors = list(dict.fromkeys([mixture.bypass.model or mixture.authors[0], *mixture.authors]))
        return _plan_bypass(run, mixture, authors, rule.name)
    needs_panel, why = find_panel_reason(run.request, mixture)
    if needs_panel and run.arrange is not None:  # never during work with tools: a new actor would read a cold cache
        mixture, arranged = run.arrange(mixture)
        if arranged is not None:
            await run.emit(arranged)
    if await _needs_first_member_only(run, mixture):
        return _plan_bypass(run, mixture, mixture.panel_models, NOTHING_TO_RANK_BY)
    panel, settled = Panel(), _settle_without_panel(run)
    if needs_panel:
        await _connect_ahead(run, mixture, connections)
        panel = await ask_panel(run, _settle_at_first(mixture) if mixture.mode == "first" else mixture)
        settled = PanelSettled(len(panel.candidates), panel.n_asked, run.elapsed_s(), panel.quorum_wait_s)
    name = _choose_mode(run.contract, panel) if mixture.mode == "auto" else mixture.mode
    mode = MODES[name]
    return _Plan(lambda each, choice: mode(Case(each, mixture, panel, choice)), settled, ModeChosen(name, why=why))


async def _connect_ahead(run: Run, mixture: Mixture, connections: AsyncExitStack) -> None:
    """Begin to connect to the critic's upstream while the panel answers, if the panel does not do so itself."""
    if mixture.critic is None or mixture.mode == "first":
        return
    critic = run.models[mixture.critic.model]
    panel = [proposer.model for proposer in mixture.panel]
    if critic.weights is None and run.pool.is_apart(critic.name, panel):
        await connections.enter_async_context(run.pool.connected(critic))


def _settle_without_panel(run: Run) -> PanelSettled:
    return PanelSettled(0, 0, run.elapsed_s())


def _settle_at_first(mixture: Mixture) -> Mixture:
    """Return the mixture with a panel that settles as soon as it has one valid candidate."""
    return replace(mixture, quorum=1, grace_s=0, grace_ratio=None, layers=1)


def _choose_mode(contract: Contract, panel: Panel) -> str:
    """Return `select` if the answer's bytes matter, because a rewritten edit breaks; `fuse` for prose and tools."""
    if contract.form in _BYTE_EXACT:
        return "select"
    texts = [candidate.completion.text for candidate in panel.candidates]
    is_code = contract.form is Form.PLAIN and len(texts) > 1 and all(find_code_block(text) for text in texts)
    return "select" if is_code else "fuse"


def _plan_bypass(run: Run, mixture: Mixture, authors: Sequence[str], rule: str) -> _Plan:
    """Plan for one model that answers without a panel; if it fails, the other authors are asked.

    Without a critic they are members of the panel, each of which has its own params: those of its first sample.
    """
    own_params = {} if mixture.critic else {each.model: each.params for each in reversed(mixture.panel)}

    async def write(each: Run, choice: int) -> Answered:
        assignment = Assignment(
            each.request.messages,
            "critic" if mixture.critic else "direct",
            each.contract,
            own_params=own_params,
            choice=choice,
            decided_by=DecidedBy.BYPASS,
        )
        return (await write_answer(each, assignment, authors)).answer

    return _Plan(write, _settle_without_panel(run), ModeChosen("direct", rule))


async def _needs_first_member_only(run: Run, mixture: Mixture) -> bool:
    """Whether the first stage, a single proposer, will be the answer of a client that streams."""
    # A candidate is sent to the client as a whole, because it may still lose. In a mixture without a critic whose first
    # stage is one proposer, it cannot lose if the request gives no means to rank candidates: no further stage is asked.
    # Then its text may as well be streamed. Forms that are checked as a whole are held anyway, so they take the usual
    # path, which has more candidates to fall back on.
    first = run.models[mixture.panel[0].model]
    may_stream = run.incremental and run.contract.form is Form.PLAIN
    if mixture.critic is not None or mixture.stages[:1] != (1,) or mixture.mode == "direct" or not may_stream:
        return False
    if needs_vision(run.request.messages) or not fits(first, run.request.messages):
        return False
    async with PanelEvidence(run, mixture, run.deadline) as evidence:
        return not await evidence.can_rank()


def find_bypass_rule(request: ChatRequest, mixture: Mixture) -> BypassRule | None:
    """Return the rule by which a request needs no panel, or None if no rule matches."""
    return bypass.find_rule(request, mixture.bypass.rules + (bypass.BUILT_IN if mixture.bypass.built_in else ()))


def find_panel_reason(request: ChatRequest, mixture: Mixture) -> tuple[bool, str]:
    """Return whether the panel is asked, and why as far as tools are concerned.

    The first author answers alone if the request or the mode says so, in the middle of work with tools, if no other
    model could call them, or as the only member.
    """
    cannot_call = mixture.critic is None and bool(read_tool_choice(request.params)[0])
    is_alone = mixture.panel == (Proposer(mixture.authors[0]),) and not mixture.repair
    fans_out, why = find_fan_out(request, mixture)
    return fans_out and not (mixture.mode == "direct" or cannot_call or is_alone), why
