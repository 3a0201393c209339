"""Reasoning that is closed and never opened, because the prompt's template has opened it. Pure.

With DeepSeek-R1's and Qwen's templates the prompt itself ends in `<think>`. A server without a parser for them returns
the rest: reasoning, `</think>`, answer. The missing mark is put back here, and everything else then reads as usual.
"""

from collections.abc import Iterator
from typing import Any

from upstream.openai.finish_reasons import is_stated, read_finish_reason
from upstream.openai.stream_assembler import Text

_OPENING, _CLOSING = "<think>", "</think>"
_FENCE = "```"
_MAX_WATCHED_CHARS = 2**17  # of a stream whose model is not known to think


def restore_opening(message: dict[str, Any]) -> bool:
    """Put the opening mark back into a message, and return whether one was missing, beyond doubt.

    An answer may be about such marks. So there must be a single one, at the end of a line, outside code, with an
    answer behind it, and no reasoning in a field of its own.
    """
    content = message.get("content")
    if not isinstance(content, str) or _CLOSING not in content or _OPENING in content:
        return False
    thought, _, answer = content.partition(_CLOSING)
    is_line_end = answer.startswith(("\n", "\r")) or thought.endswith("\n")
    is_alone = _CLOSING not in answer and thought.count(_FENCE) % 2 == 0 and not thought.endswith("`")
    if not is_line_end or not is_alone or not answer.strip() or message.get("reasoning_content"):
        return False
    message["content"] = _OPENING + content
    return True


class ThoughtOpener:
    """Puts the opening mark back into a stream, if its model is known to leave it out.

    `is_unopened`, at the end: True if the stream had a closing mark alone, False if it had none although one was
    expected, else None.
    """

    # Whether a closing mark will come is unknown until it does, and by then the reasoning was sent as text. So the
    # model's earlier replies decide. If it never closes the reasoning this time, its whole text was sent as reasoning:
    # then it is repeated as text, which looks odd but loses nothing.

    def __init__(self, *, expects: bool) -> None:
        self.is_unopened: bool | None = None
        self._state = "start" if expects else "watch"
        self._text = Text()
        self._is_cut = False

    def feed(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """Return a checked chunk, with the mark if this is its place."""
        if self._state == "done":
            return chunk
        for choice in chunk["choices"]:
            delta = choice["delta"]
            if delta.get("reasoning_content") or delta.get("reasoning"):
                self._state = "done"
            content = delta.get("content")
            if isinstance(content, str) and content and self._state != "done":
                delta["content"] = self._read(content)
            if is_stated(choice.get("finish_reason")):
                self._is_cut = read_finish_reason(choice["finish_reason"])[0] == "length"
        return chunk

    def _read(self, content: str) -> str:
        opening = ""
        if self._state == "start" and content.strip():
            self._state = "done" if content.lstrip()[:1] in ("<", "[") else "open"
            opening = _OPENING if self._state == "open" else ""
        self._text.append(content)
        if self._state == "watch" and len(self._text) > _MAX_WATCHED_CHARS:
            self._state = "done"
        return opening + content

    def end(self) -> Iterator[dict[str, Any]]:
        """Yield the text once more if it was expected to be reasoning, and was not closed."""
        text = str(self._text)
        is_closed = restore_opening({"content": text}) if self._state == "watch" else _CLOSING in text
        if is_closed and self._state in ("watch", "open"):
            self.is_unopened = True
        elif self._state == "open" and not self._is_cut:
            self.is_unopened = False
            yield {"choices": [{"index": 0, "delta": {"content": _CLOSING + text}, "finish_reason": None}]}
