"""An author's words on their way to a client that streams: what may go out, and what has."""

from contextlib import aclosing
from typing import Any

from synth.events import Event, ReasoningDelta, TextDelta, split_text
from synth.normalize import Completion, DeltaReader, Split
from synth.run import Run
from upstream.calls import Call
from upstream.openai.stream_assembler import StreamAssembler


class Flow:
    """The text of one choice, as the client has it; it can't be taken back.

    `is_amid` tells whether an author has begun to write into it and has not come to an end.
    """

    def __init__(self, run: Run, choice: int) -> None:
        self.is_amid = False
        self._run = run
        self._choice = choice
        self._out: list[str] = []
        self._lead = ""

    @property
    def has_begun(self) -> bool:
        """Whether any text has gone out."""
        return bool(self._out)

    @property
    def text(self) -> str:
        """All that has gone out."""
        return "".join(self._out)

    async def streamed(self, call: Call) -> dict[str, Any]:
        """Return the completion that a stream comes to, and tell of its pieces as they come; CallError as the pool."""
        self.is_amid, self._lead = False, ""
        assembler, reader = StreamAssembler(), DeltaReader()
        async with aclosing(self._run.pool.stream(call)) as chunks:
            async for chunk in chunks:
                assembler.feed(chunk)
                for delta in self._deltas(reader.feed(chunk)):
                    await self._run.emit(delta)
        for delta in self._deltas(reader.end()):
            await self._run.emit(delta)
        return assembler.completion()

    async def whole(self, completion: Completion, *, with_reasoning: bool) -> None:
        """Emit of a completion that is there as a whole."""
        if completion.reasoning and with_reasoning:
            await self._run.emit(ReasoningDelta(completion.reasoning, self._choice))
        for piece in split_text(completion.text):
            self._out.append(piece)
            await self._run.emit(TextDelta(piece, self._choice))

    def _deltas(self, split: Split) -> list[Event]:
        """Return what may go out; white space waits for the first word, for it may be all there is."""
        deltas: list[Event] = [ReasoningDelta(split.reasoning, self._choice)] if split.reasoning else []
        text = self._lead + split.text
        if not self._out and not text.strip():
            self._lead = text
        elif text:
            self._lead = ""
            self.is_amid = True
            self._out.append(text)
            deltas.append(TextDelta(text, self._choice))
        return deltas
