"""Decoding the body of a successful reply, whatever form it has: one JSON object, or server-sent events. No I/O.

The Content-Type is unreliable. Servers label JSON as an event stream and event streams as text, stream to clients that
did not ask, and send a whole completion to those that did. The body itself is unmistakable: it begins with `{` or `[`,
or with a field of an event.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Any

from runtime import json_steps
from runtime.json_steps import LargeTextError, Steps, exceeds_values, finish
from runtime.time_slice import TimeSlice
from upstream.errors import CallError, Kind
from upstream.http.sse import ErrorData, EventReader
from upstream.openai import wire
from upstream.openai.error_replies import read_error
from upstream.openai.finish_reasons import is_stated
from upstream.openai.stream_assembler import StreamAssembler

_BOM = b"\xef\xbb\xbf"
_DONE = re.compile(rb'"?\[?done\]?"?', re.IGNORECASE)
_HEARTBEAT = re.compile(
    rb"(?:null|\W*(?:connected|heart-?beat|keep-?alive|ok|ping|pending|processing|started|waiting)\W*)?", re.IGNORECASE
)
_MAX_WORDS_BYTES = 40  # of a heartbeat or an end
_UNREAD_LINE = re.compile(rb"\s*(?:(?:event|id|retry)?:|$)")
_FIRST_EVENT = re.compile(rb"^data:", re.MULTILINE)
_OK = 200
MAX_VALUES = 200_000
"""The largest number of values in a JSON reply."""

_LARGE_BYTES = 2**19  # larger JSON is decoded in steps
_PIECE_BYTES = 2**16
_MAX_LINE_BYTES = 2**14  # a longer first line is taken for all of the JSON


class ReplyDecoder:
    """Turns the bytes of one reply into checked chunks; a whole completion becomes a single chunk.

    Feed it until `is_done` or the end of the body, then call `end`. All methods raise CallError, and
    EventTooLargeError for an event past the bound. `translate` makes chunks or a completion of each JSON value, for
    an upstream of another protocol.
    """

    def __init__(self, max_event_bytes: int, translate: Callable[[Any], Iterable[Any]] | None = None) -> None:
        self.is_done = False
        self._events = EventReader(max_event_bytes)
        self._form = _Form.UNKNOWN
        self._held: list[bytes] = []  # JSON, and a beginning of unknown form
        self._shape = _Shape()
        self._translate = translate

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the chunks that these bytes complete."""
        if self._form is _Form.UNKNOWN:
            data = self._recognise(data)
        if self._form is _Form.JSON:
            self._held.append(data)
        elif self._form is _Form.LINES:
            yield from self._read_lines(data)
        elif self._form is _Form.EVENTS:
            yield from self._read_events(data)

    def _recognise(self, data: bytes) -> bytes:
        """Find the form by the first significant byte; return all bytes so far, or b"" until there is one.

        JSON whose first line is whole, with more to come, is one chunk per line.
        """
        self._held.append(data)
        start = b"".join(self._held).removeprefix(_BOM).lstrip()
        if start and start[:1] not in (b"{", b"["):
            self._form = _Form.EVENTS if start[:1].islower() or start[:1] == b":" else _Form.JSON
        elif b"\n" in start:
            self._form = _Form.LINES if _is_json(start.partition(b"\n")[0]) else _Form.JSON
        elif len(start) > _MAX_LINE_BYTES:
            self._form = _Form.JSON
        if self._form is _Form.UNKNOWN:
            return b""
        self._held.clear()
        return start

    def _read_events(self, data: bytes) -> Iterator[dict[str, Any]]:
        for event in self._events.feed(data):
            yield from self._read_event(event)
            if self.is_done:
                return

    def _read_event(self, data: bytes) -> Iterator[dict[str, Any]]:
        text = data.strip()
        for _ in range(2):  # a relay wraps the events of another; not until the last: each time copies the text
            text = text.removeprefix(b"data:").lstrip()
        if isinstance(data, ErrorData):
            raise read_error(wire.decode_or_text(text), _OK)
        is_short = len(text) <= _MAX_WORDS_BYTES
        if is_short and _DONE.fullmatch(text):
            self.is_done = True
            yield from self._shape.end()
        elif b"\n" in text and not _is_json(text):  # events without blank lines between them
            for line in text.split(b"\n"):
                yield from self._read_event(line)
        elif not (is_short and _HEARTBEAT.fullmatch(text)):
            for value in _decode_event(text):
                yield from self._read(value)

    def _read_lines(self, data: bytes) -> Iterator[dict[str, Any]]:
        self._held.append(data)
        if b"\n" not in data:
            return
        *lines, rest = b"".join(self._held).split(b"\n")
        self._held = [rest]
        for line in lines:
            if _UNREAD_LINE.match(line) or (self._shape.is_finished and line.lstrip()[:1] != b"{"):
                continue
            yield from self._read_event(line)
            if self.is_done:
                return

    def _read(self, value: Any) -> Iterator[dict[str, Any]]:
        for each in (value,) if self._translate is None else self._translate(value):
            yield self._shape.read(each)

    def end(self) -> Steps[Iterable[dict[str, Any]]]:
        """Return the chunks that the end of the body completes."""
        if self.is_done:
            return ()
        if self._form is _Form.EVENTS:
            return self._read_rest()
        body = b"".join(self._held)
        if self._form is _Form.LINES or (b"\n" in body and _is_json(body.partition(b"\n")[0])):
            return self._read_lines(b"\n")
        try:
            value = yield from _decode_in_steps(body)
        except CallError as error:
            if error.kind is not Kind.UNPARSABLE:
                raise
            if event := _FIRST_EVENT.search(body):  # behind words that are no event
                return self._read_last_events(body[event.start() :])
            value = wire.find_object(body)
            if not isinstance(value, dict) or "choices" not in value or wire.is_chunk(value):
                raise
        return self._read_whole(value)

    def _read_whole(self, value: Any) -> Iterator[dict[str, Any]]:
        is_list = isinstance(value, list) and len(value) > 1  # of the chunks of a stream
        for one in value if is_list else (value,):
            for each in (one,) if self._translate is None else self._translate(one):
                yield self._shape.read(each if wire.is_chunk(each) else as_chunk(wire.check_completion(each)))
        if is_list:
            yield from self._shape.end()

    def _read_last_events(self, data: bytes) -> Iterator[dict[str, Any]]:
        yield from self._read_events(data)
        if not self.is_done:
            yield from self._read_rest()

    def _read_rest(self) -> Iterator[dict[str, Any]]:
        """Yield the chunks of an event without a blank line behind it; JSON that is cut off is dropped."""
        for event in self._events.end():
            try:
                yield from self._read_event(event)
            except CallError as error:
                if error.kind is not Kind.UNPARSABLE:
                    raise


class _Form(Enum):
    """The form of a body."""

    UNKNOWN = auto()
    EVENTS = auto()
    JSON = auto()  # or something that is not JSON at all
    LINES = auto()  # one JSON object each


class _Shape:
    """The content of a stream so far, needed to interpret events of unusual shapes."""

    def __init__(self) -> None:
        self.is_finished = False
        self._has_content = False
        self._has_calls = False
        self._speaks_in_messages = False
        self._repeats = False  # a message has said all before it, and more
        self._said: str | None = ""  # by cumulative messages; None if events carry only new text
        self._index: Any = None  # of the one choice that is read

    def read(self, value: Any) -> dict[str, Any]:
        """Return the checked chunk that an event means."""
        chunk = wire.check_chunk(value)
        indexes = [choice.get("index") for choice in chunk["choices"]]
        if self._index or any(indexes):
            chunk = {**chunk, "choices": self._pick(chunk["choices"], indexes)}
        elif indexes:
            self._index = 0
        for choice in chunk["choices"]:
            if "message" in choice or "text" in choice:
                self._find_delta(choice)
            for key, each in choice["delta"].items():
                if each and key not in ("role", "index"):
                    self._has_content = True
                    self._has_calls = self._has_calls or key == "tool_calls"
            self.is_finished = self.is_finished or is_stated(choice.get("finish_reason"))
        return chunk

    def _pick(self, choices: list[dict[str, Any]], indexes: list[Any]) -> list[dict[str, Any]]:
        """Return the one choice that was asked for as choice 0: the first that comes, whatever its index says."""
        if self._index is None and indexes:
            self._index = 0 if 0 in indexes else indexes[0]
        return [
            {**choice, "index": 0}
            for choice, index in zip(choices, indexes, strict=True)
            if index is None or index == self._index
        ]

    def _find_delta(self, choice: dict[str, Any]) -> None:
        """Read a message, or a bare text, as the delta; after deltas a message only says all of it once more."""
        if any(each for key, each in choice["delta"].items() if key not in ("role", "index")):
            return
        message = choice.get("message")
        if isinstance(message, dict) and (self._speaks_in_messages or not self._has_content):
            self._speaks_in_messages = True
            delta = _delta_of(wire.check_message(message))
            choice["delta"] = self._leave_repeated(delta, is_last=bool(choice.get("finish_reason")))
        elif isinstance(choice.get("text"), str):
            choice["delta"] = {"content": choice["text"]}

    def _leave_repeated(self, delta: dict[str, Any], *, is_last: bool) -> dict[str, Any]:
        """Return a delta without the text before it: some send in each message all that was said so far.

        Two equal messages at the beginning may be equal pieces: they are a repetition only if the second is the last.
        """
        content, said = delta.get("content"), self._said
        if not isinstance(content, str) or said is None:
            return delta
        if not any(map(str.isalpha, said)):  # marks and spaces are repeated by chance
            self._said = said + content
            return delta
        repeats = content.startswith(said) and (len(content) > len(said) or self._repeats or is_last)
        self._repeats, self._said = repeats, content if repeats else None
        return delta if self._said is None else {**delta, "content": content[len(said) :]}

    def end(self) -> Iterator[dict[str, Any]]:
        """Yield the missing finish_reason of a stream that ended with `[DONE]`, which marks a complete answer."""
        if self._has_content and not self.is_finished:
            self.is_finished = True
            reason = "tool_calls" if self._has_calls else "stop"
            yield {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def as_chunk(completion: dict[str, Any]) -> dict[str, Any]:
    """Return a whole checked completion as the one chunk of a stream."""
    choice = completion["choices"][0]
    reason = choice["finish_reason"] if is_stated(choice.get("finish_reason")) else "stop"
    return {**completion, "choices": [{**choice, "delta": _delta_of(choice["message"]), "finish_reason": reason}]}


def _delta_of(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = [{"index": index, **call} for index, call in enumerate(message.get("tool_calls") or ())]
    return {**message, "tool_calls": calls or None}


async def decode_completion(
    body: bytes,
    max_event_bytes: int,
    clock: Callable[[], float],
    translate: Callable[[Any], Iterable[Any]] | None = None,
) -> Any:
    """Return the completion in a whole body, unchecked; a body of chunks, streamed unasked, is assembled first.

    CallError and EventTooLargeError as from ReplyDecoder, and CallError (oversized) for JSON of more than MAX_VALUES.
    Long replies are decoded in steps, timed by `clock` in seconds.
    """
    start = body.lstrip()
    if start.startswith(b"{"):
        if len(start) <= _LARGE_BYTES:
            value = _decode_or_none(start)
        else:
            time_slice = TimeSlice(clock)
            value = await time_slice.run(_decode_large_or_none(start))
            await time_slice.give_way()
        if value is not None and not wire.is_chunk(value):
            return value if translate is None else next(iter(translate(value)), value)
    decoder, assembler, time_slice = ReplyDecoder(max_event_bytes, translate), StreamAssembler(), TimeSlice(clock)
    pieces = (body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES))
    for piece in pieces:
        for chunk in decoder.feed(piece):
            assembler.feed(chunk)
            await time_slice.give_way()
    for chunk in await time_slice.run(decoder.end()):
        assembler.feed(chunk)
        await time_slice.give_way()
    return assembler.completion()


def _decode(data: bytes) -> Any:
    """Return a JSON value. Raises CallError as from `wire.decode`, and (oversized) for one of more than MAX_VALUES."""
    if len(data) > MAX_VALUES and finish(exceeds_values(data, MAX_VALUES)):
        raise CallError(Kind.OVERSIZED, f"the reply holds more than {MAX_VALUES} JSON values")
    return wire.decode(data)


def _decode_event(data: bytes) -> list[Any]:
    """Return the JSON values of an event: one, or several one behind the other."""
    try:
        return [_decode(data)]
    except CallError as error:
        if error.kind is not Kind.UNPARSABLE:
            raise
        return wire.decode_sequence(data)


def _decode_in_steps(data: bytes) -> Steps[Any]:
    """Return a JSON value as `_decode` does; a large one that the fast decoder rejects is decoded in one step."""
    if len(data) <= _LARGE_BYTES:
        return _decode(data)
    if (yield from exceeds_values(data, MAX_VALUES)):
        raise CallError(Kind.OVERSIZED, f"the reply holds more than {MAX_VALUES} JSON values")
    try:
        return (yield from json_steps.decode(data))
    except LargeTextError as error:
        raise CallError(Kind.OVERSIZED, f"the reply cannot be read: {error}") from None
    except (ValueError, RecursionError):
        return wire.decode(data)


def _decode_or_none(data: bytes) -> Any:
    try:
        return _decode(data)
    except CallError as error:
        if error.kind is not Kind.UNPARSABLE:
            raise
        return None


def _decode_large_or_none(data: bytes) -> Steps[Any]:
    try:
        return (yield from _decode_in_steps(data))
    except CallError as error:
        if error.kind is not Kind.UNPARSABLE:
            raise
        return None


def _is_json(data: bytes) -> bool:
    try:
        wire.decode(data)
    except CallError:
        return False
    return True
