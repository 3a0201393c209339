"""Reviewing a draft: a second model looks for defects, and the author revises the draft once if there are any."""

from collections.abc import Sequence
from dataclasses import replace

from config.settings import Model, Verify
from synth.authoring.author import Assignment, Written
from synth.authoring.client_stream import ClientStream
from synth.context_window import fits
from synth.contract.tool_calls import list_calls
from synth.events import Answered, AuthorFailed, AuthorStarted, ReviewArrived, ReviewFailed, Revised
from synth.normalize import Completion, normalize
from synth.prompts import review
from synth.prompts.adapt import describe_media
from synth.prompts.candidates import show_candidates
from synth.request import Message
from synth.run import Run
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.openai.conversation import Conversation, add_message


async def finish_draft(run: Run, assignment: Assignment, written: Written, verify: Verify | None) -> Answered:
    """Return the answer made of a draft; with `verify`, after a review by that model, and emit it.

    Without `verify` the draft is the answer, and its text was already sent. If the review fails, the draft stands.
    """
    if verify is None:
        return written.answer
    answer = written.answer
    if _is_reviewable(answer, verify):
        answer = await _improve(run, assignment, verify, written)
    await ClientStream(run, assignment.choice).emit_completion(answer.completion)
    return answer


def _is_reviewable(answer: Answered, verify: Verify) -> bool:
    """Whether there is a text to review, written by another model: a model finds few defects in its own work."""
    draft = answer.completion
    return (
        answer.author != verify.model and bool(draft.text.strip()) and not list_calls(draft) and draft.refusal is None
    )


async def _improve(run: Run, assignment: Assignment, verify: Verify, written: Written) -> Answered:
    """Return the revision of a draft if it is no worse, otherwise the draft."""
    draft = written.answer
    try:
        review_event = await _ask_reviewer(run, assignment, verify, draft.completion)
    except CallError as error:
        await run.emit(ReviewFailed(verify.model, error, assignment.choice))
        return draft
    await run.emit(review_event)
    if not review_event.defects:
        return draft
    call = _revision_call(run, assignment, written, review_event.defects)
    await run.emit(AuthorStarted(call, call.messages, choice=assignment.choice))
    try:
        revision = await assignment.read(normalize(await run.pool.complete(call)))
    except CallError as error:
        call.outcome = error.kind
        await run.emit(AuthorFailed(call, error, assignment.choice))
        await run.emit(Revised(call, error.message, assignment.choice))
        return draft
    worse = review.find_regression(await assignment.read(draft.completion), revision)
    await run.emit(Revised(call, worse, assignment.choice, revision.completion.text))
    return replace(draft, completion=revision.completion) if worse is None else draft


async def _ask_reviewer(run: Run, assignment: Assignment, verify: Verify, draft: Completion) -> ReviewArrived:
    """Ask for defects, within half of the remaining time, to leave time for a revision. Raises CallError on failure."""
    model = run.models[verify.model]
    messages = _show_draft(run, model, draft)
    if not fits(model, messages):
        raise CallError(Kind.CONTEXT_LENGTH, f"the draft does not fit its {model.context_tokens} tokens of context")
    now = run.pool.clock()
    call = run.call(
        verify.model,
        "verifier",
        messages,
        params=review.build_params(model),
        overrides=verify.params,
        deadline=now + max(0.0, run.deadline - now) / 2,
    )
    try:
        defects, n_dismissed = _read_defects(normalize(await run.pool.complete(call)), draft)
    except CallError as error:
        call.outcome = error.kind
        raise
    return ReviewArrived(call, defects, n_dismissed, assignment.choice, draft.text)


def _show_draft(run: Run, model: Model, draft: Completion) -> Sequence[Message]:
    (showing,) = show_candidates(
        describe_media(run.request.messages, model),
        [draft.text],
        review.build_template(run.contract),
        rng=run.rng,
        draw_nonce=run.draw_nonce,
    )
    return showing.messages


def _read_defects(reply: Completion, draft: Completion) -> tuple[tuple[review.Defect, ...], int]:
    try:
        return review.read_defects(reply.text, draft.text)
    except ValueError as error:
        raise CallError(Kind.BROKEN_CONTRACT, f"its review of the draft cannot be read: {error}") from error


def _revision_call(run: Run, assignment: Assignment, written: Written, defects: Sequence[review.Defect]) -> Call:
    answer, drafting = written.answer, written.call
    messages = Conversation.of(drafting.messages).continue_with(
        {"role": "assistant", "content": answer.completion.text},
        add_message(review.build_revision_request(defects)),
    )
    return run.call(answer.author, assignment.role, messages, params=drafting.params, overrides=assignment.overrides)
