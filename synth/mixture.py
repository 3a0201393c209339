"""The pipeline: ask the panel, settle, have the answer made; yields events.

Close the generator, or cancel its reader, and every call upstream is cancelled before that returns.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from config.settings import Mixture
from synth import panel as panels
from synth.choices import interleaved
from synth.contract import contract_of
from synth.endings import Case, Mode
from synth.events import Answered, DecidedBy, Event, Finished, PanelSettled
from synth.fuse import fuse
from synth.request import ChatRequest
from synth.run import Run
from synth.writing import Task, Written, write

MODES: dict[str, Mode] = {"fuse": fuse}


async def answer(run: Run, mixture: Mixture) -> AsyncGenerator[Event]:
    """Yield the events of a mixture's run, the last of which is Finished; SynthesisError where there is no answer."""
    panel = panels.Panel()
    contract = contract_of(run.request)
    if mixture.tools_fan_out == "new_turns" and _answers_a_tool(run.request):
        yield PanelSettled(0, 0, run.elapsed_s())
    else:
        async with aclosing(panels.ask(run, mixture, contract, panel)) as asked:
            async for event in asked:
                yield event
    mode = MODES[mixture.mode]
    made = interleaved(run.request.n, lambda choice: mode(Case(run, mixture, contract, panel, choice)))
    async with aclosing(_finished(run, made)) as events:
        async for event in events:
            yield event


async def answer_directly(run: Run, model: str) -> AsyncGenerator[Event]:
    """Yield the events of one model's run, asked for by its own name: no panel, no critic, no check of its answer."""
    made = interleaved(run.request.n, lambda choice: _direct(run, model, choice))
    async with aclosing(_finished(run, made)) as events:
        async for event in events:
            yield event


async def _direct(run: Run, model: str, choice: int) -> AsyncGenerator[Event]:
    task = Task(run.request.messages, "direct", choice=choice)
    async with aclosing(write(run, task, [model])) as events:
        async for event in events:
            if isinstance(event, Written):
                yield Answered(event.completion, DecidedBy.MODEL, event.author, choice)
            else:
                yield event


async def _finished(run: Run, made: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """Pass the events on, and add Finished with all answers in their order."""
    started_s = run.elapsed_s()
    answers: list[Answered] = []
    async with aclosing(made) as events:
        async for event in events:
            if isinstance(event, Answered):
                answers.append(event)
            yield event
    yield Finished(tuple(sorted(answers, key=lambda each: each.choice)), run.elapsed_s() - started_s)


def _answers_a_tool(request: ChatRequest) -> bool:
    """Whether this turn hands the model what a tool said: the work goes on, and there is nothing to propose."""
    return request.messages[-1].get("role") in ("tool", "function")
