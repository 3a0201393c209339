"""Having an answer written and looked over: a draft, a second model's defects, and one revision where there are any."""

from collections.abc import Sequence
from dataclasses import replace

from config.settings import Verify
from synth.authoring.author import Task, Written, write
from synth.context_window import holds
from synth.contract.tool_calls import list_calls
from synth.events import (
    Answered,
    AuthorFailed,
    AuthorStarted,
    ReviewArrived,
    ReviewFailed,
    Revised,
    split_into_deltas,
)
from synth.normalize import Completion, normalize
from synth.prompts import critic, review
from synth.prompts.adapt import describe_media
from synth.run import Run
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.openai.conversation import Conversation


async def write_reviewed(run: Run, task: Task, authors: Sequence[str], verify: Verify | None) -> Answered:
    """Do as `write` does, and have what was written looked over where the mixture says by whom.

    Nothing of a draft goes out before it has been. Whatever happens to its verification, the draft is not lost.
    """
    if verify is None:
        return (await write(run, task, authors)).answer
    written = await write(replace(run, incremental=False), task, authors)
    answer = written.answer
    if _can_be_verified(answer, verify):
        answer = await _improved(run, task, verify, written)
    for delta in split_into_deltas(answer.completion, task.choice) if run.incremental else ():
        await run.emit(delta)
    return answer


def _can_be_verified(answer: Answered, verify: Verify) -> bool:
    """Whether there is a text to look over, and by somebody else: who reviews their own work finds little."""
    draft = answer.completion
    return (
        answer.author != verify.model and bool(draft.text.strip()) and not list_calls(draft) and draft.refusal is None
    )


async def _improved(run: Run, task: Task, verify: Verify, written: Written) -> Answered:
    """Return what becomes of a draft: its revision where that takes its place, else the draft."""
    draft = written.answer
    try:
        verified = await _verified(run, task, verify, draft.completion)
    except CallError as error:
        await run.emit(ReviewFailed(verify.model, error, task.choice))
        return draft
    await run.emit(verified)
    if not verified.defects:
        return draft
    call = _revision(run, task, written, verified.defects)
    await run.emit(AuthorStarted(call, call.messages, choice=task.choice))
    try:
        revision = await task.read(normalize(await run.pool.complete(call)))
    except CallError as error:
        call.outcome = error.kind
        await run.emit(AuthorFailed(call, error, task.choice))
        await run.emit(Revised(call, error.message, task.choice))
        return draft
    worse = review.worse(await task.read(draft.completion), revision)
    await run.emit(Revised(call, worse, task.choice))
    return replace(draft, completion=revision.completion) if worse is None else draft


async def _verified(run: Run, task: Task, verify: Verify, draft: Completion) -> ReviewArrived:
    """Have a draft looked over, in half of what time there is: the rest is a revision's. CallError where it fails."""
    model = run.models[verify.model]
    nonce = critic.draw_nonce_outside([draft.text], run.draw_nonce)
    template = review.template(run.contract)
    block = critic.fill_template(critic.find_last_request(run.request.messages), [draft.text], nonce, template)
    messages = critic.append_block(describe_media(run.request.messages, model), block)
    if not holds(model, messages):
        raise CallError(Kind.CONTEXT_LENGTH, f"the draft does not fit its {model.context_tokens} tokens of context")
    now = run.pool.clock()
    deadline = now + max(0.0, run.deadline - now) / 2
    params = review.params(model)
    call = run.call(verify.model, "verifier", messages, params=params, overrides=verify.params, deadline=deadline)
    try:
        listed, n_dismissed = _found(normalize(await run.pool.complete(call)), draft)
    except CallError as error:
        call.outcome = error.kind
        raise
    return ReviewArrived(call, listed, n_dismissed, task.choice)


def _found(said: Completion, draft: Completion) -> tuple[tuple[review.Defect, ...], int]:
    try:
        return review.found(said.text, draft.text)
    except ValueError as error:
        raise CallError(Kind.BROKEN_CONTRACT, f"its word on the draft cannot be read: {error}") from error


def _revision(run: Run, task: Task, written: Written, listed: Sequence[review.Defect]) -> Call:
    answer, drafting = written.answer, written.call
    messages = Conversation.of(drafting.messages).continue_with(
        {"role": "assistant", "content": answer.completion.text},
        {"role": "user", "content": review.revision_request(listed)},
    )
    return run.call(answer.author, task.role, messages, params=drafting.params, overrides=task.overrides)
