"""The pipeline: ask the panel, settle, have the answer made. What happens is told to the run's readers.

Cancelling it cancels every call upstream before it returns.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from config.settings import BypassRule, Mixture, Proposer
from synth import bypass
from synth.authoring.author import Task, write
from synth.authoring.side_by_side import side_by_side
from synth.authoring.single_model import direct
from synth.contract.contract import Contract, Form
from synth.edits import find_code_block
from synth.events import Answered, DecidedBy, Emit, Finished, ModeChosen, PanelSettled
from synth.modes.first import first
from synth.modes.fuse import fuse
from synth.modes.outcomes import Case, Mode, ask_critic_alone
from synth.modes.select import select
from synth.panel import layers
from synth.panel.ask import Panel
from synth.request import ChatRequest, answers_tool_call
from synth.run import Run

MODES: Mapping[str, Mode] = {"fuse": fuse, "select": select, "first": first, "direct": ask_critic_alone}
"""How an answer is made of a panel's candidates. A new mode is a function in a file of its own, and a line here."""

_CHOOSING = (Form.JSON, Form.EDITS, Form.CODE)


async def answer(run: Run, mixture: Mixture) -> Finished:
    """Have a mixture answer; return Finished, which is also the last that is told. SynthesisError without an answer."""
    rule = find_bypass_rule(run.request, mixture)
    if rule is not None:
        return await _bypassed(run, mixture, rule)
    if needs_no_panel(run.request, mixture):
        return await _synthesised(run, mixture, Panel(), _without_panel(run))
    if not _has_critic_apart(run, mixture):
        return await _by_panel(run, mixture)
    async with run.pool.connected(run.models[mixture.critic.model]):
        return await _by_panel(run, mixture)


def _has_critic_apart(run: Run, mixture: Mixture) -> bool:
    """Whether a critic is to come whose upstream can be connected to while the panel answers, and is not by then."""
    critic = mixture.critic.model
    return (
        mixture.mode != "first"
        and run.models[critic].weights is None
        and run.pool.is_apart(critic, [proposer.model for proposer in mixture.panel])
    )


async def _by_panel(run: Run, mixture: Mixture) -> Finished:
    panel = Panel()
    await layers.ask(run, _hasty(mixture) if mixture.mode == "first" else mixture, panel)
    settled = PanelSettled(len(panel.candidates), panel.n_asked, run.elapsed_s(), panel.quorum_wait_s)
    return await _synthesised(run, mixture, panel, settled)


async def _synthesised(run: Run, mixture: Mixture, panel: Panel, settled: PanelSettled) -> Finished:
    name = _suitable_mode(run.contract, panel) if mixture.mode == "auto" else mixture.mode
    mode = MODES[name]
    return await _made(run, lambda each, choice: mode(Case(each, mixture, panel, choice)), settled, ModeChosen(name))


async def answer_directly(run: Run, model: str) -> Finished:
    """Have one model answer that was asked for by its own name: no panel, no critic, no check of its answer."""
    return await _made(run, lambda each, choice: direct(each, model, choice), _without_panel(run))


def _without_panel(run: Run) -> PanelSettled:
    return PanelSettled(0, 0, run.elapsed_s())


async def _made(
    run: Run, make: Callable[[Run, int], Awaitable[Answered]], settled: PanelSettled, *chosen: ModeChosen
) -> Finished:
    """Emit what is settled and chosen, have all choices made, and tell how it has ended."""
    await run.emit(settled)
    for mode in chosen:
        await run.emit(mode)
    if run.request.n == 1:
        answers = [await make(run, 0)]
        await run.emit(answers[0])
    else:

        def made(emit: Emit, choice: int) -> Awaitable[Answered]:
            return make(replace(run, emit=emit), choice)

        answers = await side_by_side(run.request.n, made, run.emit, spare=not run.incremental)
    finished = Finished(tuple(answers), run.elapsed_s() - settled.seconds)
    await run.emit(finished)
    return finished


def _hasty(mixture: Mixture) -> Mixture:
    """Return the mixture as one that waits for nobody once it has a candidate."""
    return replace(mixture, quorum=1, grace_s=0, grace_ratio=None, layers=1)


def _suitable_mode(contract: Contract, panel: Panel) -> str:
    """Return `select` where the answer's bytes matter, because a rewritten edit breaks; `fuse` for prose and tools."""
    if contract.form in _CHOOSING:
        return "select"
    texts = [candidate.completion.text for candidate in panel.candidates]
    is_code = contract.form is Form.PLAIN and len(texts) > 1 and all(find_code_block(text) for text in texts)
    return "select" if is_code else "fuse"


def find_bypass_rule(request: ChatRequest, mixture: Mixture) -> BypassRule | None:
    """Return the rule by which a request needs no panel, None where there is none."""
    return bypass.matching(request, mixture.bypass.rules + (bypass.BUILT_IN if mixture.bypass.built_in else ()))


async def _bypassed(run: Run, mixture: Mixture, rule: BypassRule) -> Finished:
    """One model answers; the mixture's critics step in where it fails."""
    critics = (mixture.critic.model, *mixture.critic.fallbacks)
    authors = list(dict.fromkeys([mixture.bypass.model or critics[0], *critics]))

    async def made(run: Run, choice: int) -> Answered:
        task = Task(run.request.messages, "critic", run.contract, choice=choice, decided_by=DecidedBy.BYPASS)
        return (await write(run, task, authors)).answer

    return await _made(run, made, _without_panel(run), ModeChosen("direct", rule.name))


def needs_no_panel(request: ChatRequest, mixture: Mixture) -> bool:
    """Whether the critic's model answers alone: asked to, amid work with tools, or as the only one on the panel."""
    goes_on = mixture.tools_fan_out == "new_turns" and answers_tool_call(request)
    return mixture.mode == "direct" or goes_on or mixture.panel == (Proposer(mixture.critic.model),)
