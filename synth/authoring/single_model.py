"""One model answers that was asked for by its own name: no panel, no critic, and its answer passes as it comes."""

from dataclasses import replace

from synth.authoring.client_stream import Flow
from synth.events import Answered, AuthorFailed, AuthorStarted, Cause, DecidedBy, SynthesisError
from synth.normalize import Completion, normalize
from synth.run import Run
from upstream.calls import Call
from upstream.errors import CallError


async def direct(run: Run, model: str, choice: int) -> Answered:
    """Return the model's answer; SynthesisError where it gives none, `interrupted` where text has gone out by then."""
    request = run.request
    call = run.call(model, "direct", request.messages, params=request.params)
    await run.emit(AuthorStarted(call, call.messages, choice=choice))
    flow = Flow(run, choice) if run.incremental else None
    try:
        completion = normalize(await run.pool.complete(call)) if flow is None else await _streamed(flow, call)
    except CallError as error:
        call.outcome = error.kind
        await run.emit(AuthorFailed(call, error, choice))
        interrupted = flow is not None and flow.has_begun
        raise SynthesisError([Cause(model, error)], interrupted=interrupted) from error
    return Answered(completion, DecidedBy.MODEL, model, choice)


async def _streamed(flow: Flow, call: Call) -> Completion:
    """Return the completion with the text that the client has."""
    completion = normalize(await flow.streamed(call))
    if not flow.has_begun:
        await flow.whole(completion, with_reasoning=False)
    return replace(completion, text=flow.text)
