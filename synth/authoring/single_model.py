"""Answering with the one model that the client named: no panel, no critic, the answer streamed as it arrives."""

from dataclasses import replace

from synth.authoring.client_stream import ClientStream
from synth.events import Answered, AuthorFailed, AuthorStarted, Cause, DecidedBy, SynthesisError
from synth.normalize import normalize
from synth.request import answers_tool_call
from synth.run import Run
from upstream.errors import CallError


async def ask_single_model(run: Run, model: str, choice: int) -> Answered:
    """Return the model's answer. Raises SynthesisError without one, `interrupted` if text was already sent."""
    request = run.request
    call = run.call(model, "direct", request.messages, params=request.params)
    await run.emit(AuthorStarted(call, call.messages, choice=choice))
    stream = ClientStream(run, choice)
    try:
        raw = await (stream.forward(call) if run.incremental else run.pool.complete(call))
        completion = normalize(raw, strict=False, may_be_silent=answers_tool_call(request))
    except CallError as error:
        call.outcome = error.kind
        await run.emit(AuthorFailed(call, error, choice))
        raise SynthesisError([Cause(model, error)], interrupted=stream.has_begun) from error
    if run.incremental:
        if not stream.has_begun:
            await stream.emit_completion(completion, with_reasoning=False)
        completion = replace(completion, text=stream.text)
    return Answered(completion, DecidedBy.MODEL, model, choice)
