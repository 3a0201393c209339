"""Splits reasoning off an answer, by the marks that models put around it. Pure.

Reasoning belongs in a field of its own, but servers without the right parser leave it at the beginning of the text,
between the marks of the model's template.
"""

import re
from collections.abc import Iterable

from runtime.frozen import frozen

_MAX_LEAD_CHARS = 1000  # white space; a model that writes more than that does not think, it is stuck


@frozen
class Split:
    """The text and reasoning in a piece of text. `signature` is that of the reasoning block that ends with it."""

    reasoning: str = ""
    text: str = ""
    signature: str = ""


@frozen
class _Mark:
    """A pair of marks around reasoning.

    One that is `doubtful` could be the answer's own: prompts ask for `<reasoning>…</reasoning><answer>…</answer>`. It
    marks reasoning only if it is closed, and if the text behind it does not begin with another tag.
    """

    opening: str
    closing: str
    doubtful: bool = False


_MARKS = (
    _Mark("<think>", "</think>"),  # DeepSeek, Qwen and most others
    _Mark("[THINK]", "[/THINK]"),  # Mistral
    _Mark("<seed:think>", "</seed:think>"),  # ByteDance
    _Mark("\u25c1think\u25b7", "\u25c1/think\u25b7"),  # Kimi
    _Mark("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere
    _Mark("<thought>", "</thought>", doubtful=True),  # Gemini and Gemma
    _Mark("<reasoning>", "</reasoning>", doubtful=True),
)
_HARMONY_STARTS = ("<|channel|>", "<|start|>")
_STARTS = (*(mark.opening for mark in _MARKS), *_HARMONY_STARTS)


class ReasoningSplitter:
    """Splits leading reasoning off a text that arrives in pieces of any size, in work linear in the text.

    Only marks at the very start count (after white space): later ones belong to the answer, which may well be about
    such marks. White space behind the closing mark goes with it.
    """

    # The states: `start` holds back a possible beginning of a mark. `thinking` releases reasoning as it arrives, except
    # for a possible beginning of the closing mark. `doubt` holds a whole doubtful block, until the first character
    # behind it decides. `harmony` leaves the rest to its own reader. `after` skips white space. `text`, the final state
    # of every text without marks, passes everything on.

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""
        self._mark = _MARKS[0]
        self._doubtful: list[str] = []
        self._is_closed = False
        self._harmony = _HarmonyReader()

    @property
    def is_past(self) -> bool:
        """Whether all that follows is text."""
        return self._state == "text"

    def feed(self, piece: str) -> Split:
        """Return the part of the text so far that is certain now."""
        if self._state == "text":
            return Split(text=piece)
        if self._state == "doubt":
            return self._feed_doubt(piece)
        if self._state == "harmony":
            return self._harmony.feed(piece)
        self._held += piece
        reasoning = ""
        if self._state == "start":
            split = self._recognise()
            if split is not None:
                return split
        if self._state == "thinking":
            reasoning = self._take_thought()
        if self._state == "after":
            self._held = self._held.lstrip()
            if self._held:
                self._state = "text"
        text = ""
        if self._state == "text":
            text, self._held = self._held, ""
        return Split(reasoning, text)

    def _recognise(self) -> Split | None:
        """Find the mark at the start, if any; return the split of a doubtful or harmony beginning."""
        start = self._held.lstrip()
        mark = next((mark for mark in _MARKS if start.startswith(mark.opening)), None)
        if mark is not None:
            self._mark = mark
            self._state = "doubt" if mark.doubtful else "thinking"
            if mark.doubtful:
                held, self._held = self._held, ""
                return self._feed_doubt(held)
            self._held = start[len(mark.opening) :]
        elif start.startswith(_HARMONY_STARTS):
            self._state, self._held = "harmony", ""
            return self._harmony.feed(start)
        elif not any(opening.startswith(start) for opening in _STARTS) or len(self._held) > _MAX_LEAD_CHARS:
            self._state = "text"
        return None

    def _take_thought(self) -> str:
        thought, closed, rest = self._held.partition(self._mark.closing)
        if closed:
            self._state, self._held = "after", rest
            return thought
        certain = len(thought) - _count_overlap(thought, self._mark.closing)
        self._held = thought[certain:]
        return thought[:certain]

    def _feed_doubt(self, piece: str) -> Split:
        self._doubtful.append(piece)
        if not self._is_closed:
            tail = self._held + piece
            self._is_closed = self._mark.closing in tail
            self._held = tail[-len(self._mark.closing) + 1 :]
            if not self._is_closed:
                return Split()
        elif not piece.strip():
            return Split()
        block = "".join(self._doubtful)
        thought, _, rest = block.partition(self._mark.closing)
        answer = rest.lstrip()
        if not answer:
            return Split()
        self._state, self._held = "text", ""
        self._doubtful.clear()
        if answer.startswith("<"):
            return Split(text=block)
        return Split(thought.lstrip()[len(self._mark.opening) :], answer)

    def end(self) -> Split:
        """Return the text held back, at the end. An unclosed block is reasoning, unless its mark is doubtful."""
        held, self._held = self._held, ""
        if self._state == "doubt":
            return Split(text="".join(self._doubtful))
        if self._state == "harmony":
            return self._harmony.end()
        return Split(reasoning=held) if self._state == "thinking" else Split(text=held)


class _HarmonyReader:
    """Reads OpenAI's harmony format: the channel `final` is the answer, all others are reasoning.

    `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`, see
    https://cookbook.openai.com/articles/openai-harmony.
    """

    _TOKEN = re.compile(r"<\|(start|end|message|channel|constrain|return|call)\|>")
    _LONGEST = len("<|constrain|>")

    def __init__(self) -> None:
        self._held = ""
        self._header: list[str] | None = []  # None: a message's body is being read
        self._is_final = False

    def feed(self, piece: str) -> Split:
        """Return the reasoning and text that a piece completes."""
        data = self._held + piece
        cut = data.rfind("<", max(0, len(data) - self._LONGEST + 1))
        whole = data if cut < 0 or self._TOKEN.match(data, cut) else data[:cut]
        self._held = data[len(whole) :]
        return self._read(whole)

    def _read(self, data: str) -> Split:
        reasoning: list[str] = []
        text: list[str] = []
        for number, part in enumerate(self._TOKEN.split(data)):
            if number % 2:
                self._switch(part)
            elif self._header is not None:
                self._header.append(part)
            else:
                (text if self._is_final else reasoning).append(part)
        return Split("".join(reasoning), "".join(text))

    def _switch(self, token: str) -> None:
        if token == "message":  # noqa: S105 -- of a format
            header = "".join(self._header or ()).split()
            self._is_final = bool(header) and header[-1].startswith("final")
            self._header = None
        elif token in ("start", "channel", "constrain"):
            self._header = [] if self._header is None or token != "constrain" else self._header  # noqa: S105
        else:
            self._header = []

    def end(self) -> Split:
        """Return the text held back, at the end."""
        held, self._held = self._held, ""
        return self._read(held)


def split_reasoning(text: str) -> tuple[str, str]:
    """Return (reasoning, text) of a whole text."""
    splitter = ReasoningSplitter()
    return _join([splitter.feed(text), splitter.end()])


def _join(splits: Iterable[Split]) -> tuple[str, str]:
    listed = list(splits)
    return "".join(split.reasoning for split in listed), "".join(split.text for split in listed)


def has_mark(text: str) -> bool:
    """Whether a text may begin with reasoning: a cheap test, false for nearly all texts."""
    return text.lstrip()[:1] in ("<", "[", "\u25c1")


def _count_overlap(text: str, mark: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `mark`."""
    return next((n for n in range(len(mark) - 1, 0, -1) if text.endswith(mark[:n])), 0)
