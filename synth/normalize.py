"""One shape for every completion, whatever an upstream sent. Pure.

The answer's text is never tidied: splitting off reasoning is all that happens to it.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from runtime.frozen import frozen
from upstream.errors import CallError, Kind

_FINISH_REASONS = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "function_call",
    "content_filter": "content_filter",
    "safety": "content_filter",
}
_BROKEN_OFF = frozenset({"error", "insufficient_system_resource", "malformed_function_call", "other_error"})
_READ_FIELDS = frozenset(
    {"role", "content", "reasoning", "reasoning_content", "tool_calls", "function_call", "refusal", "index"}
)
_READ_AT_TOP = frozenset({"id", "object", "created", "model", "choices", "usage", "error", "timings"})
_COUNTS = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})
_OPEN, _CLOSE = "<think>", "</think>"
_MAX_LEAD_CHARS = 1000  # white space; a model that writes more than that does not think, it is stuck


@frozen
class Completion:
    """A usable answer.

    `text` is what a person reads, `reasoning` what the model thought before. `extra` holds message fields that the
    gateway has no word for, `beside` those of the completion itself, `usage_details` those of its usage.
    `completion_tokens` are the upstream's count, None where it gave none.
    """

    text: str
    reasoning: str = ""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    function_call: Mapping[str, Any] | None = None
    refusal: str | None = None
    finish_reason: str = "stop"
    logprobs: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    usage_details: Mapping[str, Any] = field(default_factory=dict)
    completion_tokens: int | None = None


def normalize(raw: Mapping[str, Any]) -> Completion:
    """Return the one shape of a checked completion; CallError (empty, truncated) where it is no whole answer."""
    choice = raw["choices"][0]
    message = choice["message"]
    stated_reason = str(choice.get("finish_reason")).lower()
    if stated_reason in _BROKEN_OFF:
        raise CallError(Kind.TRUNCATED, f"the model broke off: finish_reason {choice['finish_reason']}")
    content, part_thoughts = _content(message.get("content"))
    thought, text = _split(content) if _OPEN in content else ("", content)
    calls, function_call = message.get("tool_calls"), message.get("function_call") or None
    tool_calls = tuple(_whole(call) for call in calls if isinstance(call, dict)) if calls else ()
    refusal = message.get("refusal") or None
    reasoning = read_reasoning(message) + part_thoughts + thought
    finish_reason = _finish_reason(stated_reason, has_calls=bool(calls), has_function_call=function_call is not None)
    if not (tool_calls or function_call or refusal) and (not text or text.isspace()):
        why = "only reasoning" if reasoning else "an empty answer"
        raise CallError(Kind.EMPTY, f"the model gave {why} (finish_reason {finish_reason})")
    usage = raw.get("usage")
    counted = usage if isinstance(usage, dict) else {}
    return Completion(
        text=text,
        reasoning=reasoning,
        tool_calls=tool_calls,
        function_call=function_call,
        refusal=refusal,
        finish_reason=finish_reason,
        logprobs=choice.get("logprobs"),
        extra=_rest(message, _READ_FIELDS),
        beside=_rest(raw, _READ_AT_TOP),
        usage_details=_rest(counted, _COUNTS),
        completion_tokens=count(counted, "completion_tokens"),
    )


def _split(content: str) -> tuple[str, str]:
    """Return (reasoning, text) of a whole text."""
    splitter = ThinkSplitter()
    pieces = [splitter.feed(content), splitter.end()]
    return "".join(piece.reasoning for piece in pieces), "".join(piece.text for piece in pieces)


def _rest(fields: Mapping[str, Any], read: frozenset[str]) -> dict[str, Any]:
    """Return the fields of an object that are not read, nulls left out."""
    if fields.keys() <= read:
        return {}
    return {key: each for key, each in fields.items() if key not in read and each is not None}


def _whole(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tool call whose arguments are JSON text: some models send "" for none, some upstreams an object."""
    function = call.get("function")
    if not isinstance(function, dict) or (isinstance(function.get("arguments"), str) and function["arguments"]):
        return call
    return {**call, "function": {**function, "arguments": json.dumps(function.get("arguments") or {})}}


def count(usage: Mapping[str, Any] | None, name: str) -> int | None:
    """Return a token count out of an upstream's `usage`, None where it is missing or no count."""
    value = usage.get(name) if usage else None
    return value if type(value) is int and value >= 0 else None  # a bool is an int too, but no count


def read_reasoning(message: Mapping[str, Any]) -> str:
    """Return the reasoning that a message or delta carries in a field of its own."""
    for key in ("reasoning_content", "reasoning"):
        stated = message.get(key)
        if isinstance(stated, str):
            return stated
    return ""


def _finish_reason(stated: str, *, has_calls: bool, has_function_call: bool) -> str:
    reason = _FINISH_REASONS.get(stated, "stop")
    if reason == "length":
        return reason
    if has_calls:
        return "tool_calls"  # some upstreams say "stop", and agents would stop there
    return "function_call" if has_function_call else reason


def _content(content: Any) -> tuple[str, str]:
    """Return (text, reasoning) of a message's content: a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content, ""
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
            thoughts.append(_content(part.get("thinking") or part.get("text"))[0])
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "".join(texts), "".join(thoughts)


@frozen
class Split:
    """What a piece of text turned out to be."""

    reasoning: str = ""
    text: str = ""


class ThinkSplitter:
    """Splits a leading `<think>…</think>` off a text that arrives in pieces of any size.

    Only a block at the very start counts (after white space): later ones belong to the answer, which may well be
    about such tags. White space after the block goes with it.
    """

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"

    def feed(self, piece: str) -> Split:
        """Return what is certain now of all that was fed."""
        if self._state == "text":
            return Split(text=piece)
        self._held += piece
        reasoning = ""
        if self._state == "start":
            self._recognise_start()
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

    def _recognise_start(self) -> None:
        start = self._held.lstrip()
        if start.startswith(_OPEN):
            self._state, self._held = "thinking", start[len(_OPEN) :]
        elif not _OPEN.startswith(start) or len(self._held) > _MAX_LEAD_CHARS:
            self._state = "text"

    def _take_thought(self) -> str:
        thought, closed, rest = self._held.partition(_CLOSE)
        if closed:
            self._state, self._held = "after", rest
            return thought
        certain = len(thought) - _overlap(thought, _CLOSE)
        self._held = thought[certain:]
        return thought[:certain]

    @property
    def is_past(self) -> bool:
        """Whether all that follows is text."""
        return self._state == "text"

    def end(self) -> Split:
        """Return what was held back, now that nothing follows. An unclosed block is all reasoning."""
        held, self._held = self._held, ""
        return Split(reasoning=held) if self._state == "thinking" else Split(text=held)


def _overlap(text: str, mark: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `mark`."""
    return next((n for n in range(len(mark) - 1, 0, -1) if text.endswith(mark[:n])), 0)


def _plain_text(chunk: Mapping[str, Any]) -> str | None:
    """Return the text of a chunk that brings nothing else, as nearly every one does; None for any other."""
    choices = chunk["choices"]
    if len(choices) != 1 or choices[0].get("index") not in (0, None):
        return None
    delta = choices[0]["delta"]
    content = delta.get("content")
    return content if len(delta) == 1 and isinstance(content, str) else None


class DeltaReader:
    """Reads the chunks of one stream into pieces of text and reasoning, as they may be shown."""

    def __init__(self) -> None:
        self._splitter = ThinkSplitter()

    def feed(self, chunk: Mapping[str, Any]) -> Split:
        """Return what a checked chunk's first choice brings."""
        plain = _plain_text(chunk) if self._splitter.is_past else None
        if plain is not None:
            return Split(text=plain)
        reasoning: list[str] = []
        text: list[str] = []
        for choice in chunk["choices"]:
            if choice.get("index") in (0, None):
                content, thought = _content(choice["delta"].get("content"))
                split = self._splitter.feed(content) if content else Split()
                reasoning += [read_reasoning(choice["delta"]), thought, split.reasoning]
                text.append(split.text)
        return Split("".join(reasoning), "".join(text))

    def end(self) -> Split:
        """Return what was held back, now that the stream has ended."""
        return self._splitter.end()
