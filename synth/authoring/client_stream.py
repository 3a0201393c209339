"""The text of an answer on its way to a streaming client: the part that may be sent, and the part that was."""

from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

from synth.events import Event, ReasoningDelta, TextDelta
from synth.normalize import Completion, DeltaReader
from synth.reasoning_marks import Split
from synth.run import Run
from upstream.calls import Call
from upstream.openai.stream_assembler import StreamAssembler, Text

MAX_DELTA_CHARS = 5000
"""The longest text of one delta. Some clients read lines of 64 KiB at most, and a character may need 12 bytes."""

_DELTA_CHARS = 48  # of a complete text, so that a client renders it smoothly
_MAX_DELTAS = 4_000  # a longer text comes in larger deltas


class ClientStream:
    """The text of one choice as the client has received it; none of it can be taken back.

    It `is_open` while an author writes into it: from the author's first text until `close`. If the author fails before
    that, no other author may continue.
    """

    def __init__(self, run: Run, choice: int) -> None:
        self.is_open = False
        self._run = run
        self._choice = choice
        self._out: list[str] = []
        self._lead = Text()

    @property
    def has_begun(self) -> bool:
        """Whether any text was sent."""
        return bool(self._out)

    @property
    def text(self) -> str:
        """All text that was sent."""
        return "".join(self._out)

    def close(self) -> None:
        """Note that the text of an author is complete."""
        self.is_open = False

    async def forward(self, call: Call) -> dict[str, Any]:
        """Stream a call, emit its deltas as they arrive, and return the assembled completion; CallError as the pool."""
        self._lead = Text()
        assembler, reader = StreamAssembler(), DeltaReader()
        async with aclosing(self._run.pool.stream(call)) as chunks:
            async for chunk in chunks:
                assembler.feed(chunk)
                for delta in self._take(reader.feed(chunk)):
                    await self._run.emit(delta)
        for delta in self._take(reader.end()):
            await self._run.emit(delta)
        return assembler.completion()

    async def emit_completion(self, completion: Completion, *, with_reasoning: bool = True) -> None:
        """Emit a complete answer in deltas, if the client streams.

        The only place that does so: for candidates, for critics whose text was held back, for reviewed drafts.
        """
        if not self._run.incremental:
            return
        if with_reasoning:
            for part in split_text(completion.reasoning, MAX_DELTA_CHARS):
                await self._run.emit(ReasoningDelta(part, self._choice))
        size = min(max(_DELTA_CHARS, len(completion.text) // _MAX_DELTAS), MAX_DELTA_CHARS)
        for part in split_text(completion.text, size):
            self._out.append(part)
            await self._run.emit(TextDelta(part, self._choice))

    def _take(self, split: Split) -> list[Event]:
        """Return the deltas that may be sent; leading white space waits for the first word, which may never come."""
        has_reasoning = split.reasoning or split.signature
        deltas: list[Event] = [ReasoningDelta(split.reasoning, self._choice, split.signature)] if has_reasoning else []
        if not split.text:
            return deltas
        if not self._out and not split.text.strip():
            self._lead.append(split.text)
            return deltas
        text, self._lead = str(self._lead) + split.text, Text()
        self.is_open = True
        self._out.append(text)
        return [*deltas, *(TextDelta(part, self._choice) for part in split_text(text, MAX_DELTA_CHARS))]


def split_text(text: str, size: int = _DELTA_CHARS) -> Iterator[str]:
    """Yield a text in parts of `size` characters; joined they are the text."""
    for start in range(0, len(text), size):
        yield text[start : start + size]
