"""Writing an answer: ask one author after the other until one delivers an answer that keeps the contract."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from runtime.frozen import frozen
from synth.authoring.client_stream import ClientStream
from synth.contract.contract import Contract, Form, Reading
from synth.contract.tool_calls import list_calls
from synth.events import Answered, AuthorFailed, AuthorStarted, Cause, DecidedBy, SynthesisError
from synth.normalize import Completion, EmptyAnswerError, normalize
from synth.prompts import adapt
from synth.request import Message, answers_tool_call
from synth.run import Run
from upstream.calls import Call, Role
from upstream.errors import CallError, Kind
from upstream.openai.conversation import Conversation, add_message

_REVISION = """\
Your reply cannot be used: {finding}.
Write it again, whole, with this put right. Reply with nothing else."""


@frozen
class Assignment:
    """The conversation that an author answers, and the contract that the answer keeps.

    If `messages` show candidates, `seed` gives their order, `letters` their models and `nonce` marks their fences.
    `overrides` are params for the authors' calls; `own_params` replace them for single authors. `decided_by` is the
    way in which the answer is decided.
    """

    messages: Sequence[Message]
    role: Role
    contract: Contract = field(default_factory=Contract)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    own_params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int | None = None
    letters: tuple[str, ...] = ()
    nonce: str = ""
    choice: int = 0
    decided_by: DecidedBy = DecidedBy.CRITIC

    async def read(self, draft: Completion) -> Reading:
        """Read a draft under the contract. A draft that copies the candidates with their fences breaks any contract."""
        if self.is_copied(draft):
            return Reading(draft, "it repeats the drafts instead of replying", None)
        return await self.contract.read_async(draft)

    def is_copied(self, draft: Completion) -> bool:
        """Whether a draft copies the candidates with their fences."""
        return bool(self.nonce) and self.nonce in draft.text


@frozen
class Written:
    """An answer, and the call that brought it."""

    answer: Answered
    call: Call


async def write_answer(run: Run, assignment: Assignment, authors: Sequence[str], *, held: bool = False) -> Written:
    """Ask the authors in turn, and return the first answer that keeps the contract.

    The text of the answer is what a client that streams has received; with `held` nothing goes out yet. A complete
    answer whose text went out is returned even if it breaks the contract. Raises SynthesisError if all authors fail,
    `interrupted` if text has gone out by then.
    """
    # Text that a client has received cannot be taken back, and clients want it early. So:
    # - Plain text and code are sent while they are written. If the author then fails, the request fails: a second
    #   author would begin a second text in the middle of the first. A complete answer that merely breaks the contract
    #   (code that reached its token limit, say) is still the answer: a single model would have done no better.
    # - JSON and edits are held until they are complete, because only then can they be validated. A draft that breaks
    #   the contract goes back to its author once, with the finding; then the next author is asked.
    # - With tools, text is sent and calls are held: they follow the text, so they can be written again.
    if held:
        run = replace(run, incremental=False)
    causes: list[Cause] = []
    stream = ClientStream(run, assignment.choice)
    broken: tuple[Completion, str] | None = None
    for name in authors:
        author = _Author(run, assignment, name, stream)
        try:
            return Written(await author.write(), author.call)
        except CallError as error:
            author.call.outcome = error.kind
            causes.append(Cause(name, error))
            await run.emit(AuthorFailed(author.call, error, assignment.choice))
            broken = (author.broken, name) if author.broken else broken
            if stream.is_open:
                break
    raise SynthesisError(causes, interrupted=stream.has_begun, draft=broken)


class _Author:
    """One author at work: a draft, and one revision if the draft breaks the contract."""

    def __init__(self, run: Run, assignment: Assignment, name: str, stream: ClientStream) -> None:
        self._run = run
        self._assignment = assignment
        self._name = name
        self._stream = stream
        messages, self._params = adapt.adapt_for_critic(
            assignment.messages, run.request, assignment.contract, run.models[name]
        )
        self.call = self._new_call(messages)
        self.broken: Completion | None = None

    def _new_call(self, messages: Sequence[Message]) -> Call:
        assignment = self._assignment
        overrides = assignment.own_params.get(self._name, assignment.overrides)
        return self._run.call(self._name, assignment.role, messages, params=self._params, overrides=overrides)

    async def write(self) -> Answered:
        """Return the author's answer. Raises CallError if it is missing, or breaks the contract and can be replaced."""
        run, assignment, stream = self._run, self._assignment, self._stream
        await self._announce()
        streams = self._may_stream()
        first = await self._read(await (stream.forward(self.call) if streams else run.pool.complete(self.call)))
        draft = first if first.finding is None else await self._revise(first)
        stream.close()
        streamed = streams and draft.completion is first.completion
        self._check(draft, streamed=streamed)
        if not stream.has_begun:
            await stream.emit_completion(draft.completion, with_reasoning=not streamed)
        completion = replace(draft.completion, text=stream.text) if stream.has_begun else draft.completion
        return Answered(completion, assignment.decided_by, self._name, assignment.choice)

    async def _read(self, raw: Mapping[str, Any]) -> Reading:
        """Read a draft. Raises CallError if it broke off, or is empty and must not be."""
        try:
            strict = not self._stream.has_begun
            completion = normalize(raw, strict=strict, may_be_silent=answers_tool_call(self._run.request))
        except EmptyAnswerError as error:
            if error.completion.finish_reason == "length":
                self.broken = error.completion
            raise
        return await self._assignment.read(completion)

    async def _announce(self) -> None:
        assignment, call = self._assignment, self.call
        await self._run.emit(AuthorStarted(call, call.messages, assignment.seed, assignment.letters, assignment.choice))

    async def _revise(self, draft: Reading) -> Reading:
        """Return the revision of a draft that breaks the contract, or the draft if its text has gone out already.

        Raises CallError if the text that has gone out is a copy of the candidates.
        """
        if self._assignment.contract.form is Form.TOOLS:
            self._stream.close()  # calls of any author may follow this text
            return await self._revise_calls(draft)
        if not self._stream.has_begun:
            return await self._ask_again(draft)
        error = CallError(Kind.BROKEN_CONTRACT, str(draft.finding))
        if self._assignment.is_copied(draft.completion):
            raise error
        await self._emit_failure(error)
        return replace(draft, finding=None)

    async def _revise_calls(self, draft: Reading) -> Reading:
        """Return the revision of tool calls, or the original calls if the revision is no better."""
        # An agent recovers from a bad call itself: it reports the defect to the model, and continues. It cannot
        # continue after an error, after a broken stream, or with a panel member's advice in place of the call. So
        # after one revision a call is sent even if it is bad; the next author is asked only if a demanded call is
        # missing.
        first_call = self.call
        try:
            revised = await self._ask_again(draft)
        except CallError as error:
            if not (list_calls(draft.completion) or self._stream.has_begun):
                raise
            await self._emit_failure(error)
            revised = draft
        if revised.finding is None and (list_calls(revised.completion) or not self._stream.has_begun):
            return revised
        usable = next((each for each in (revised, draft) if list_calls(each.completion)), None)
        if usable is None and not self._stream.has_begun:
            return revised
        if usable is not revised:
            self.call = first_call
        chosen = usable or draft
        return replace(chosen, completion=self._keep_allowed(chosen.completion), finding=None)

    def _keep_allowed(self, completion: Completion) -> Completion:
        """Return a completion with one tool call, if more are not allowed."""
        calls = completion.tool_calls
        is_too_many = self._assignment.contract.one_call and len(calls) > 1
        return replace(completion, tool_calls=calls[:1]) if is_too_many else completion

    async def _ask_again(self, draft: Reading) -> Reading:
        """Send a draft back to its author with the finding; return the reply, even if it breaks the contract."""
        await self._emit_failure(CallError(Kind.BROKEN_CONTRACT, str(draft.finding)))
        self.call = self._new_call(_show_finding(self.call.messages, draft.completion, str(draft.finding)))
        await self._announce()
        return await self._read(await self._run.pool.complete(self.call))

    async def _emit_failure(self, error: CallError) -> None:
        self.call.outcome = error.kind
        await self._run.emit(AuthorFailed(self.call, error, self._assignment.choice))

    def _check(self, draft: Reading, *, streamed: bool) -> None:
        """Raise CallError if a draft breaks the contract, or if its text would follow text that was already sent."""
        if draft.finding is not None:
            self.broken = draft.completion
            raise CallError(Kind.BROKEN_CONTRACT, draft.finding)
        if self._stream.has_begun and not streamed and not list_calls(draft.completion):
            raise CallError(Kind.BROKEN_CONTRACT, "it answers in text after other text was sent")

    def _may_stream(self) -> bool:
        """Whether text may be sent as it arrives: JSON and edits are checked as a whole first."""
        held = self._assignment.contract.json or self._assignment.contract.form is Form.EDITS
        return self._run.incremental and not self._stream.has_begun and not held


def _show_finding(messages: Sequence[Message], draft: Completion, finding: str) -> Conversation:
    """Return the conversation with the draft and a request for its revision behind it."""
    calls = [*draft.tool_calls, *filter(None, [draft.function_call])]
    text = draft.text + ("\n" + json.dumps(calls) if calls else "")
    return Conversation.of(messages).continue_with(
        {"role": "assistant", "content": text},
        add_message(_REVISION.replace("{finding}", finding)),
    )
