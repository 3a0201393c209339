"""Having the answer written: one author after the other is asked, until one delivers what the contract demands."""

import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import field, replace
from typing import Any

from synth import adapt
from synth.contract import Contract, Form, Reading
from synth.events import (
    Answered,
    AuthorFailed,
    AuthorStarted,
    Cause,
    DecidedBy,
    Event,
    ReasoningDelta,
    SynthesisError,
    TextDelta,
    pieces,
)
from synth.normalize import Completion, DeltaReader, Split, normalized
from synth.request import Message
from synth.run import Run
from synth.tool_calls import called
from upstream.assembly import Assembler
from upstream.calls import Call, Role
from upstream.conversation import Conversation
from upstream.errors import CallError, Kind
from upstream.frozen import frozen

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
    critic's own. What is not `checked` passes as it comes. `decided_by` is how its answer comes about.
    """

    messages: Sequence[Message]
    role: Role
    contract: Contract = field(default_factory=Contract)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    letters: tuple[str, ...] = ()
    nonce: str = ""
    choice: int = 0
    checked: bool = True
    decided_by: DecidedBy = DecidedBy.CRITIC

    async def read(self, draft: Completion) -> Reading:
        """Read a draft. One that copies the candidates with their fences cannot be used, whatever the contract."""
        if not self.checked:
            return Reading(draft, None, None)
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
    out: list[str] = []
    broken: tuple[Completion, str] | None = None
    for author in authors:
        drafting = _Drafting(run, task, author, out)
        try:
            return Written(await drafting.answered(), drafting.call)
        except CallError as error:
            drafting.call.outcome = error.kind
            causes.append(Cause(author, error))
            await run.tell(AuthorFailed(drafting.call, error, task.choice))
            broken = (drafting.broken, author) if drafting.broken else broken
            if drafting.flowing:
                break
    raise SynthesisError(causes, interrupted=bool(out), draft=broken)


class _Drafting:
    """One author at work: a draft, and its revision where one is needed. `out` is the text that has gone out."""

    def __init__(self, run: Run, task: Task, author: str, out: list[str]) -> None:
        self._run = run
        self._task = task
        self._author = author
        self._out = out
        self._lead = ""
        messages, self._params = adapt.for_author(
            task.messages, run.request, task.contract, run.models[author], passed_through=not task.checked
        )
        self.call = self._new_call(messages)
        self.flowing = False
        self.broken: Completion | None = None

    def _new_call(self, messages: Sequence[Message]) -> Call:
        task = self._task
        return self._run.call(self._author, task.role, messages, params=self._params, overrides=task.overrides)

    async def answered(self) -> Answered:
        """Return the author's answer; CallError where none comes that keeps the contract."""
        await self._start()
        streams = self._may_stream()
        raw = await self._streamed() if streams else await self._run.pool.complete(self.call)
        completion = normalized(raw)
        self.flowing = False
        draft = await self._task.read(completion)
        if draft.finding is not None:
            draft, streams = await self._revised(draft.completion, draft.finding), False
        self._check(draft, streamed=streams)
        if self._run.incremental and not self._out:
            await self._tell_whole(draft.completion, with_reasoning=not streams)
        shown = "".join(self._out)
        completion = replace(draft.completion, text=shown) if shown else draft.completion
        return Answered(completion, self._task.decided_by, self._author, self._task.choice)

    async def _start(self) -> None:
        task, call = self._task, self.call
        await self._run.tell(AuthorStarted(call, call.messages, task.seed, task.letters, task.choice))

    async def _revised(self, draft: Completion, finding: str) -> Reading:
        """Have a draft written again that breaks the contract; CallError where too much of it has gone out."""
        error = CallError(Kind.BROKEN_CONTRACT, finding)
        if self._out and self._task.contract.form is not Form.TOOLS:
            self.flowing = True  # it can't be taken back
            raise error
        self.call.outcome = error.kind
        await self._run.tell(AuthorFailed(self.call, error, self._task.choice))
        self.call = self._new_call(_with_finding(self.call.messages, draft, finding))
        await self._start()
        return await self._task.read(normalized(await self._run.pool.complete(self.call)))

    def _check(self, draft: Reading, *, streamed: bool) -> None:
        """Raise where a draft can't be the answer: it breaks the contract, or its words come after other words."""
        if draft.finding is not None:
            self.broken = draft.completion
            raise CallError(Kind.BROKEN_CONTRACT, draft.finding)
        if self._out and not streamed and not called(draft.completion):
            raise CallError(Kind.BROKEN_CONTRACT, "it answers in words, where other words have gone out")

    async def _tell_whole(self, completion: Completion, *, with_reasoning: bool) -> None:
        if completion.reasoning and with_reasoning:
            await self._run.tell(ReasoningDelta(completion.reasoning, self._task.choice))
        for piece in pieces(completion.text):
            self._out.append(piece)
            await self._run.tell(TextDelta(piece, self._task.choice))

    def _may_stream(self) -> bool:
        """Say whether text may go out as it comes: JSON and edits are checked as a whole before any of it does."""
        held = self._task.contract.json or self._task.contract.form is Form.EDITS
        return self._run.incremental and not self._out and not held

    async def _streamed(self) -> dict[str, Any]:
        """Return the completion that a stream comes to, and tell of its pieces as they come."""
        assembler, reader = Assembler(), DeltaReader()
        async with aclosing(self._run.pool.stream(self.call)) as chunks:
            async for chunk in chunks:
                assembler.feed(chunk)
                for delta in self._deltas(reader.feed(chunk)):
                    await self._run.tell(delta)
        for delta in self._deltas(reader.end()):
            await self._run.tell(delta)
        return assembler.completion()

    def _deltas(self, split: Split) -> list[Event]:
        """Return what may go out; white space waits for the first word, for it may be all there is."""
        choice = self._task.choice
        deltas: list[Event] = [ReasoningDelta(split.reasoning, choice)] if split.reasoning else []
        text = self._lead + split.text
        if not self._out and not text.strip():
            self._lead = text
        elif text:
            self._lead = ""
            self.flowing = True
            self._out.append(text)
            deltas.append(TextDelta(text, choice))
        return deltas


def _with_finding(messages: Sequence[Message], draft: Completion, problem: str) -> Conversation:
    calls = [*draft.tool_calls, *filter(None, [draft.function_call])]
    said = draft.text + ("\n" + json.dumps(calls) if calls else "")
    return Conversation.of(messages).extended(
        {"role": "assistant", "content": said},
        {"role": "user", "content": _REVISION.replace("{finding}", problem)},
    )
