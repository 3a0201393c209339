"""Having an answer written and looked over: a draft, a second model's defects, and one revision where there are any."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from config.settings import Verify
from synth import critic, defects
from synth.adapt import for_reader
from synth.events import (
    Answered,
    AuthorFailed,
    AuthorStarted,
    Event,
    Revised,
    VerificationFailed,
    Verified,
    deltas,
)
from synth.fitting import holds
from synth.normalize import Completion, normalized
from synth.run import Run
from synth.tool_calls import called
from synth.writing import Task, write
from upstream.calls import Call
from upstream.conversation import Conversation
from upstream.errors import CallError, Kind


def write_verified(run: Run, task: Task, authors: Sequence[str], verify: Verify | None) -> AsyncGenerator[Event]:
    """Do as `write` does, and have what was written looked over where the mixture says by whom.

    Nothing of a draft goes out before it has been. Whatever happens to its verification, the draft is not lost.
    """
    return write(run, task, authors) if verify is None else _write_verified(run, task, authors, verify)


async def _write_verified(run: Run, task: Task, authors: Sequence[str], verify: Verify) -> AsyncGenerator[Event]:
    held = replace(run, incremental=False)
    started: AuthorStarted | None = None
    written: Answered | None = None
    async with aclosing(write(held, task, authors)) as events:
        async for event in events:
            if isinstance(event, Answered):
                written = event
            else:
                started = event if isinstance(event, AuthorStarted) else started
                yield event
    assert written is not None  # noqa: S101 -- `write` ends with it, or raises
    assert started is not None  # noqa: S101 -- nobody writes without having started
    if _can_be_verified(written, verify):
        async with aclosing(_improved(run, task, verify, started.call, written)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    written = event
                else:
                    yield event
    for delta in deltas(written.completion, task.choice) if run.incremental else ():
        yield delta
    yield written


def _can_be_verified(written: Answered, verify: Verify) -> bool:
    """Whether there is a text to look over, and by somebody else: who reviews their own work finds little."""
    draft = written.completion
    return written.author != verify.model and bool(draft.text.strip()) and not called(draft) and draft.refusal is None


async def _improved(run: Run, task: Task, verify: Verify, drafting: Call, written: Answered) -> AsyncGenerator[Event]:
    """Yield what becomes of a draft; an Answered only where its revision takes its place."""
    try:
        verified = await _verified(run, task, verify, written.completion)
    except CallError as error:
        yield VerificationFailed(verify.model, error, task.choice)
        return
    yield verified
    if not verified.defects:
        return
    call = _revision(run, task, drafting, written, verified.defects)
    yield AuthorStarted(call, call.messages, choice=task.choice)
    try:
        revision = await task.read(normalized(await run.pool.complete(call)))
    except CallError as error:
        call.outcome = error.kind
        yield AuthorFailed(call, error, task.choice)
        yield Revised(call, error.message, task.choice)
        return
    worse = defects.worse(await task.read(written.completion), revision)
    yield Revised(call, worse, task.choice)
    if worse is None:
        yield replace(written, completion=revision.completion)


async def _verified(run: Run, task: Task, verify: Verify, draft: Completion) -> Verified:
    """Have a draft looked over, in half of what time there is: the rest is a revision's. CallError where it fails."""
    model = run.models[verify.model]
    nonce = critic.fresh_nonce([draft.text], run.draw_nonce)
    template = defects.template(run.contract)
    block = critic.closing_block(critic.last_request(run.request.messages), [draft.text], nonce, template)
    messages = critic.with_block(for_reader(run.request.messages, model), block)
    if not holds(model, messages):
        raise CallError(Kind.CONTEXT_LENGTH, f"the draft does not fit its {model.context_tokens} tokens of context")
    now = run.pool.clock()
    deadline = now + max(0.0, run.deadline - now) / 2
    params = defects.params(model)
    call = run.call(verify.model, "verifier", messages, params=params, overrides=verify.params, deadline=deadline)
    try:
        listed, n_dismissed = _found(normalized(await run.pool.complete(call)), draft)
    except CallError as error:
        call.outcome = error.kind
        raise
    return Verified(call, listed, n_dismissed, task.choice)


def _found(said: Completion, draft: Completion) -> tuple[tuple[defects.Defect, ...], int]:
    try:
        return defects.found(said.text, draft.text)
    except ValueError as error:
        raise CallError(Kind.BROKEN_CONTRACT, f"its word on the draft cannot be read: {error}") from error


def _revision(run: Run, task: Task, drafting: Call, written: Answered, listed: Sequence[defects.Defect]) -> Call:
    messages = Conversation.of(drafting.messages).extended(
        {"role": "assistant", "content": written.completion.text},
        {"role": "user", "content": defects.revision_request(listed)},
    )
    return run.call(written.author, task.role, messages, params=drafting.params, overrides=task.overrides)
