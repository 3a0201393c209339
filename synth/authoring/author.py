"""Having the answer written: one author after the other is asked, until one delivers what the contract demands."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from runtime.frozen import frozen
from synth.authoring.client_stream import Flow
from synth.contract.contract import Contract, Form, Reading
from synth.contract.tool_calls import list_calls
from synth.events import (
    Answered,
    AuthorFailed,
    AuthorStarted,
    Cause,
    DecidedBy,
    SynthesisError,
)
from synth.normalize import Completion, normalize
from synth.prompts import adapt
from synth.request import Message
from synth.run import Run
from upstream.calls import Call, Role
from upstream.errors import CallError, Kind
from upstream.openai.conversation import Conversation

_REVISION = """\
Your reply cannot be used: {finding}.
Write it again, whole, with this put right. Reply with nothing else."""


@frozen
class Written:
    """An answer, and the call that has brought it."""

    answer: Answered
    call: Call


@frozen
class Task:
    """What the author is to answer, and the form to keep.

    `seed`, `letters` and `nonce` tell of the candidates inside `messages`, if any; `overrides` are params of the
    critic's own. `decided_by` is how its answer comes about.
    """

    messages: Sequence[Message]
    role: Role
    contract: Contract = field(default_factory=Contract)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    letters: tuple[str, ...] = ()
    nonce: str = ""
    choice: int = 0
    decided_by: DecidedBy = DecidedBy.CRITIC

    async def read(self, draft: Completion) -> Reading:
        """Read a draft. One that copies the candidates with their fences cannot be used, whatever the contract."""
        if self.nonce and self.nonce in draft.text:
            return Reading(draft, "it repeats the drafts instead of replying", None)
        return await self.contract.read_aside(draft)


async def write(run: Run, task: Task, authors: Sequence[str]) -> Written:
    """Ask the authors in turn; return what was written, whose text is what a client that streams has seen.

    A draft that breaks the contract goes back to its author once, with the finding; then it is the next author's
    turn. Once text has gone out only tool calls can follow it. SynthesisError where all fail, and `interrupted` where
    text has gone out by then.
    """
    causes: list[Cause] = []
    flow = Flow(run, task.choice)
    broken: tuple[Completion, str] | None = None
    for author in authors:
        drafting = _Drafting(run, task, author, flow)
        try:
            return Written(await drafting.answered(), drafting.call)
        except CallError as error:
            drafting.call.outcome = error.kind
            causes.append(Cause(author, error))
            await run.emit(AuthorFailed(drafting.call, error, task.choice))
            broken = (drafting.broken, author) if drafting.broken else broken
            if flow.is_amid:
                break
    raise SynthesisError(causes, interrupted=flow.has_begun, draft=broken)


class _Drafting:
    """One author at work: a draft, and its revision where one is needed."""

    def __init__(self, run: Run, task: Task, author: str, flow: Flow) -> None:
        self._run = run
        self._task = task
        self._author = author
        self._flow = flow
        messages, self._params = adapt.adapt_for_critic(task.messages, run.request, task.contract, run.models[author])
        self.call = self._new_call(messages)
        self.broken: Completion | None = None

    def _new_call(self, messages: Sequence[Message]) -> Call:
        task = self._task
        return self._run.call(self._author, task.role, messages, params=self._params, overrides=task.overrides)

    async def answered(self) -> Answered:
        """Return the author's answer; CallError where none comes that keeps the contract."""
        run, task, flow = self._run, self._task, self._flow
        await self._start()
        streams = self._may_stream()
        completion = normalize(await (flow.streamed(self.call) if streams else run.pool.complete(self.call)))
        flow.is_amid = False
        draft = await task.read(completion)
        if draft.finding is not None:
            draft, streams = await self._revised(draft.completion, draft.finding), False
        self._check(draft, streamed=streams)
        if run.incremental and not flow.has_begun:
            await flow.whole(draft.completion, with_reasoning=not streams)
        completion = replace(draft.completion, text=flow.text) if flow.has_begun else draft.completion
        return Answered(completion, task.decided_by, self._author, task.choice)

    async def _start(self) -> None:
        task, call = self._task, self.call
        await self._run.emit(AuthorStarted(call, call.messages, task.seed, task.letters, task.choice))

    async def _revised(self, draft: Completion, finding: str) -> Reading:
        """Have a draft written again that breaks the contract; CallError where too much of it has gone out."""
        error = CallError(Kind.BROKEN_CONTRACT, finding)
        if self._flow.has_begun and self._task.contract.form is not Form.TOOLS:
            self._flow.is_amid = True  # it can't be taken back
            raise error
        self.call.outcome = error.kind
        await self._run.emit(AuthorFailed(self.call, error, self._task.choice))
        self.call = self._new_call(_with_finding(self.call.messages, draft, finding))
        await self._start()
        return await self._task.read(normalize(await self._run.pool.complete(self.call)))

    def _check(self, draft: Reading, *, streamed: bool) -> None:
        """Raise where a draft can't be the answer: it breaks the contract, or its words come after other words."""
        if draft.finding is not None:
            self.broken = draft.completion
            raise CallError(Kind.BROKEN_CONTRACT, draft.finding)
        if self._flow.has_begun and not streamed and not list_calls(draft.completion):
            raise CallError(Kind.BROKEN_CONTRACT, "it answers in words, where other words have gone out")

    def _may_stream(self) -> bool:
        """Say whether text may go out as it comes: JSON and edits are checked as a whole before any of it does."""
        held = self._task.contract.json or self._task.contract.form is Form.EDITS
        return self._run.incremental and not self._flow.has_begun and not held


def _with_finding(messages: Sequence[Message], draft: Completion, problem: str) -> Conversation:
    calls = [*draft.tool_calls, *filter(None, [draft.function_call])]
    said = draft.text + ("\n" + json.dumps(calls) if calls else "")
    return Conversation.of(messages).continue_with(
        {"role": "assistant", "content": said},
        {"role": "user", "content": _REVISION.replace("{finding}", problem)},
    )
