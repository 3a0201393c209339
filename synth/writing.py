"""Having the answer written: one author after the other is asked, until one delivers what the contract demands."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from synth import adapt
from synth.contract import Contract, Form, cleaned, finding
from synth.events import (
    AuthorFailed,
    AuthorStarted,
    Cause,
    Event,
    ReasoningDelta,
    SynthesisError,
    TextDelta,
    pieces,
)
from synth.normalize import Completion, DeltaReader, Split, normalized
from synth.request import Message
from synth.run import Run
from upstream.calls import Call, Role
from upstream.errors import CallError, Kind
from upstream.wire import Assembler

_REVISION = """\
Your reply cannot be used: {finding}.
Write it again, whole, with this put right. Reply with nothing else."""


@dataclass(frozen=True, slots=True)
class Written:
    """The answer as its author wrote it; the last thing that `write` yields."""

    completion: Completion
    author: str


@dataclass(frozen=True, slots=True)
class Task:
    """What the author is to answer, and the form to keep.

    `seed`, `letters` and `nonce` tell of the candidates inside `messages`, if any; `overrides` are params of the
    critic's own.
    """

    messages: Sequence[Message]
    role: Role
    contract: Contract = field(default_factory=Contract)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    letters: tuple[str, ...] = ()
    nonce: str = ""
    choice: int = 0

    def finding(self, draft: Completion) -> str | None:
        """Return what makes a draft unusable: it breaks the contract, or copies the candidates with their fences."""
        if self.nonce and self.nonce in draft.text:
            return "it repeats the drafts instead of replying"
        return finding(self.contract, draft)


async def write(run: Run, task: Task, authors: Sequence[str]) -> AsyncGenerator[Event | Written]:
    """Ask the authors in turn; yield their events, then Written.

    A draft that breaks the contract goes back to its author once, with the finding; then it is the next author's
    turn. SynthesisError where all fail, or where a stream breaks after text of it has gone out (`interrupted`).
    """
    causes: list[Cause] = []
    text_is_out = False
    for author in authors:
        drafting = _Drafting(run, task, author, text_is_out=text_is_out)
        try:
            async with aclosing(drafting.events()) as events:
                async for event in events:
                    yield event
        except CallError as error:
            drafting.call.outcome = error.kind
            causes.append(Cause(author, error))
            yield AuthorFailed(drafting.call, error, task.choice)
            if drafting.flowing:
                raise SynthesisError(causes, interrupted=True) from error
        else:
            return
        text_is_out = drafting.text_is_out
    raise SynthesisError(causes)


class _Drafting:
    """One author at work: a draft, and its revision where one is needed.

    Once text has gone out to a client that streams, nothing but tool calls can be added to it.
    """

    def __init__(self, run: Run, task: Task, author: str, *, text_is_out: bool) -> None:
        self._run = run
        self._task = task
        self._author = author
        messages, self._params = adapt.for_author(task.messages, run.request, task.contract, run.models[author])
        self.call = self._new_call(messages)
        self.text_is_out = text_is_out
        self.flowing = False

    def _new_call(self, messages: Sequence[Message]) -> Call:
        task = self._task
        return self._run.call(self._author, task.role, messages, params=self._params, overrides=task.overrides)

    def _started(self) -> AuthorStarted:
        return AuthorStarted(self.call, self.call.messages, self._task.seed, self._task.letters, self._task.choice)

    async def events(self) -> AsyncGenerator[Event | Written]:
        """Yield the author's events, then Written; CallError where no answer comes that keeps the contract."""
        contract = self._task.contract
        yield self._started()
        draft: Completion | None = None
        async with aclosing(self._streamed() if self._may_stream() else self._whole()) as events:
            async for event in events:
                if isinstance(event, Completion):
                    draft = cleaned(contract, event)
                else:
                    yield event
        assert draft is not None  # noqa: S101 -- both ways of asking end with a Completion or raise
        problem = self._task.finding(draft)
        if problem is not None and self.text_is_out and contract.form is not Form.TOOLS:
            self.flowing = True  # it can't be taken back
            raise CallError(Kind.BROKEN_CONTRACT, problem)
        if problem is not None:
            self.call = self._new_call(_with_finding(self.call.messages, draft, problem))
            yield self._started()
            draft = cleaned(contract, normalized(await self._run.pool.complete(self.call)))
            problem = self._task.finding(draft)
        if problem is not None:
            raise CallError(Kind.BROKEN_CONTRACT, problem)
        if self._run.incremental and not self.text_is_out:
            for piece in pieces(draft.text):
                yield TextDelta(piece, self._task.choice)
        yield Written(draft, self._author)

    def _may_stream(self) -> bool:
        """JSON is checked as a whole before any of it goes out."""
        return self._run.incremental and not self.text_is_out and not self._task.contract.json

    async def _whole(self) -> AsyncGenerator[Event | Completion]:
        yield normalized(await self._run.pool.complete(self.call))

    async def _streamed(self) -> AsyncGenerator[Event | Completion]:
        assembler, reader = Assembler(), DeltaReader()
        async with aclosing(self._run.pool.stream(self.call)) as chunks:
            async for chunk in chunks:
                assembler.feed(chunk)
                for delta in self._deltas(reader.feed(chunk)):
                    yield delta
        for delta in self._deltas(reader.end()):
            yield delta
        yield normalized(assembler.completion())
        self.flowing = False

    def _deltas(self, split: Split) -> list[Event]:
        choice = self._task.choice
        deltas: list[Event] = [ReasoningDelta(split.reasoning, choice)] if split.reasoning else []
        if split.text:
            self.text_is_out = self.flowing = True
            deltas.append(TextDelta(split.text, choice))
        return deltas


def _with_finding(messages: Sequence[Message], draft: Completion, problem: str) -> list[Message]:
    calls = [*draft.tool_calls, *filter(None, [draft.function_call])]
    said = draft.text + ("\n" + json.dumps(calls) if calls else "")
    return [
        *messages,
        {"role": "assistant", "content": said},
        {"role": "user", "content": _REVISION.replace("{finding}", problem)},
    ]
