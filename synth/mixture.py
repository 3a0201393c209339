"""The pipeline: ask the panel, settle, have the answer made; yields events.

Close the generator, or cancel its reader, and every call upstream is cancelled before that returns.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

from config.settings import BypassRule, Mixture, Proposer
from synth import bypass, layers
from synth.choices import interleaved
from synth.contract import Contract, Form
from synth.edits import code_block
from synth.endings import Case, Mode, critic_alone
from synth.events import Answered, DecidedBy, Event, Finished, ModeChosen, PanelSettled
from synth.first import first
from synth.fuse import fuse
from synth.panel import Panel
from synth.request import ChatRequest, answers_a_tool
from synth.run import Run
from synth.select import select
from synth.writing import Task, write

MODES: Mapping[str, Mode] = {"fuse": fuse, "select": select, "first": first, "direct": critic_alone}
"""How an answer is made of a panel's candidates. A new mode is a function in a file of its own, and a line here."""

_CHOOSING = (Form.JSON, Form.EDITS, Form.CODE)


def answer(run: Run, mixture: Mixture) -> AsyncGenerator[Event]:
    """Yield the events of a mixture's run, the last of which is Finished; SynthesisError where there is no answer."""
    rule = bypassing(run.request, mixture)
    return _by_panel(run, mixture) if rule is None else _bypassed(run, mixture, rule)


def answer_directly(run: Run, model: str) -> AsyncGenerator[Event]:
    """Yield the events of one model's run, asked for by its own name: no panel, no critic, no check of its answer."""
    return _made(run, lambda choice: _direct(run, model, choice), _without_panel(run))


async def _by_panel(run: Run, mixture: Mixture) -> AsyncGenerator[Event]:
    panel = Panel()
    if needs_no_panel(run.request, mixture):
        settled = _without_panel(run)
    else:
        asked = layers.ask(run, _hasty(mixture) if mixture.mode == "first" else mixture, panel)
        async with aclosing(asked) as events:
            async for event in events:
                yield event
        settled = PanelSettled(len(panel.candidates), panel.n_asked, run.elapsed_s(), panel.quorum_wait_s)
    name = _suitable_mode(run.contract, panel) if mixture.mode == "auto" else mixture.mode
    mode = MODES[name]
    made = _made(run, lambda choice: mode(Case(run, mixture, panel, choice)), settled, ModeChosen(name))
    async with aclosing(made) as events:
        async for event in events:
            yield event


def _without_panel(run: Run) -> PanelSettled:
    return PanelSettled(0, 0, run.elapsed_s())


async def _made(
    run: Run, make: Callable[[int], AsyncGenerator[Event]], settled: PanelSettled, *chosen: ModeChosen
) -> AsyncGenerator[Event]:
    """Yield what is settled and chosen, and the events of all choices; Finished, the last, has the answers in order."""
    yield settled
    for mode in chosen:
        yield mode
    answers: list[Answered] = []
    async with aclosing(interleaved(run.request.n, make, spare=not run.incremental)) as events:
        async for event in events:
            if isinstance(event, Answered):
                answers.append(event)
            yield event
    answers.sort(key=lambda each: each.choice)
    yield Finished(tuple(answers), run.elapsed_s() - settled.seconds)


def _hasty(mixture: Mixture) -> Mixture:
    """Return the mixture as one that waits for nobody once it has a candidate."""
    return replace(mixture, quorum=1, grace_s=0, grace_ratio=None, layers=1)


def _suitable_mode(contract: Contract, panel: Panel) -> str:
    """Return `select` where the answer's bytes matter, because a rewritten edit breaks; `fuse` for prose and tools."""
    if contract.form in _CHOOSING:
        return "select"
    texts = [candidate.completion.text for candidate in panel.candidates]
    is_code = contract.form is Form.PLAIN and len(texts) > 1 and all(code_block(text) for text in texts)
    return "select" if is_code else "fuse"


def bypassing(request: ChatRequest, mixture: Mixture) -> BypassRule | None:
    """Return the rule by which a request needs no panel, None where there is none."""
    return bypass.matching(request, mixture.bypass.rules + (bypass.BUILT_IN if mixture.bypass.built_in else ()))


def _bypassed(run: Run, mixture: Mixture, rule: BypassRule) -> AsyncGenerator[Event]:
    """One model answers; the mixture's critics step in where it fails."""
    critics = (mixture.critic.model, *mixture.critic.fallbacks)
    authors = list(dict.fromkeys([mixture.bypass.model or critics[0], *critics]))

    def made(choice: int) -> AsyncGenerator[Event]:
        task = Task(run.request.messages, "critic", run.contract, choice=choice, decided_by=DecidedBy.BYPASS)
        return write(run, task, authors)

    return _made(run, made, _without_panel(run), ModeChosen("direct", rule.name))


def _direct(run: Run, model: str, choice: int) -> AsyncGenerator[Event]:
    task = Task(run.request.messages, "direct", choice=choice, checked=False, decided_by=DecidedBy.MODEL)
    return write(run, task, [model])


def needs_no_panel(request: ChatRequest, mixture: Mixture) -> bool:
    """Whether the critic's model answers alone: asked to, amid work with tools, or as the only one on the panel."""
    goes_on = mixture.tools_fan_out == "new_turns" and answers_a_tool(request)
    return mixture.mode == "direct" or goes_on or mixture.panel == (Proposer(mixture.critic.model),)
