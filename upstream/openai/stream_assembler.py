"""Assembles the chunks of one stream into a completion. Pure; work and memory are linear in the chunks."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from upstream.errors import CallError, Kind
from upstream.openai.finish_reasons import is_stated
from upstream.openai.wire import MAX_TOOL_CALLS

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
_READ_IN_DELTAS = frozenset({*_TEXTS, "role", "tool_calls", "function_call", "index"})
_MAX_EXAMINED_CHARS = 2**18
_JOIN_AFTER = 1024  # pieces; a str of its own for each of a million tokens costs ten times their text


class Text:
    """A text that grows by pieces of any size, in memory of about its own length."""

    __slots__ = ("_joined", "_length", "_pieces")

    def __init__(self) -> None:
        self._joined: list[str] = []
        self._length = 0
        self._pieces: list[str] = []

    def append(self, piece: str) -> None:
        """Add a piece at the end."""
        self._length += len(piece)
        self._pieces.append(piece)
        if len(self._pieces) >= _JOIN_AFTER:
            self._joined.append("".join(self._pieces))
            self._pieces.clear()

    def __len__(self) -> int:
        return self._length

    def __str__(self) -> str:
        return "".join(self._joined) + "".join(self._pieces)


class StreamAssembler:
    """Builds from the chunks of one stream the completion that the same call without streaming gives.

    Only the first choice is read: the gateway never asks an upstream for more than one.
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._texts: dict[str, Text] = {}
        self._parts: list[Any] = []
        self._tool_calls = ToolCalls()
        self._function_call: _ToolCall | None = None
        self._extra: dict[str, Any] = {}
        self._logprobs: dict[str, list[Any]] = {}
        self._usage: Any = None
        self.finish_reason: str | None = None

    def feed(self, chunk: Mapping[str, Any]) -> None:
        """Take in one checked chunk. Raises CallError (oversized) if it brings one tool call too many."""
        for key, value in chunk.items():
            if value is not None and key not in ("choices", "usage"):
                self._head.setdefault(key, value)
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        for choice in chunk["choices"]:
            if choice.get("index") in (0, None):
                self._feed_choice(choice)

    def _feed_choice(self, choice: Mapping[str, Any]) -> None:
        delta = choice["delta"]
        for key, value in delta.items():
            if value is not None:
                self._feed_field(key, value)
        for piece in delta.get("tool_calls") or ():
            self._tool_calls.feed(piece)
        if isinstance(delta.get("function_call"), dict):
            self._function_call = self._function_call or _ToolCall(0)
            self._function_call.feed({"function": delta["function_call"]})
        if isinstance(choice.get("logprobs"), dict):
            for key, values in choice["logprobs"].items():
                self._logprobs.setdefault(key, []).extend(values if isinstance(values, list) else ())
        if is_stated(choice.get("finish_reason")):
            self.finish_reason = choice["finish_reason"]

    def _feed_field(self, key: str, value: Any) -> None:
        if key in _TEXTS and isinstance(value, str):
            self._text(key).append(value)
        elif key == "content" and isinstance(value, list):
            self._parts += value
        elif key not in _READ_IN_DELTAS:
            self._add_extra(key, value)

    def _text(self, key: str) -> Text:
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = Text()
        return text

    def _add_extra(self, key: str, value: Any) -> None:
        earlier = self._extra.get(key)
        if isinstance(earlier, list) and isinstance(value, list):
            earlier += value
        else:
            self._extra[key] = list(value) if isinstance(value, list) else value

    def completion(self) -> dict[str, Any]:
        """Return the completion. Raises CallError (truncated) if the stream gave no finish_reason."""
        if self.finish_reason is None:
            raise CallError(Kind.TRUNCATED, "the stream ended without a finish_reason")
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message.update({key: str(self._texts[key]) for key in _TEXTS if key in self._texts})
        message.update(self._extra)
        if self._parts:
            said = [{"type": "text", "text": message["content"]}] if message["content"] else []
            message["content"] = [*said, *self._parts]
        if self._tool_calls:
            message["tool_calls"] = list(self._tool_calls)
        if self._function_call:
            message["function_call"] = self._function_call.function()
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        if self._logprobs:
            choice["logprobs"] = self._logprobs
        return {**self._head, "choices": [choice], "usage": self._usage}


class ToolCalls:
    """The tool calls of one answer, put together from pieces.

    By the specification a piece names its call by `index`, and only the first piece of a call has an id and a name.
    Upstreams deviate from that in every way, so a piece belongs to the call with its id, unless that has another index;
    else to the newest call with its index (without an index: to the newest call of all), unless it begins another one.
    It begins another one

    - if it has a name and an id that is not that call's id. A new id without a name continues the call: LM Studio makes
      up an id for every piece; vLLM and Ollama give all parallel calls the index 0, but each its own id and name;
    - if it has a name and that call has arguments already, which belong to another name or, without an id to go by, are
      complete. A repeated name is no new call: SGLang repeats it in every piece.

    Iterating gives the calls in the order of their indexes, and of their arrival within one index.
    """

    def __init__(self) -> None:
        self._calls: list[_ToolCall] = []
        self._newest: dict[int, _ToolCall] = {}
        self._by_id: dict[Any, _ToolCall] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (call.as_json() for call in sorted(self._calls, key=lambda call: call.index))

    def feed(self, piece: Mapping[str, Any]) -> None:
        """Take in one piece. Raises CallError (oversized) if it begins one call too many."""
        index, identity = piece.get("index"), piece.get("id")
        call = self._by_id.get(identity) if isinstance(identity, str) else None
        if call is None or index not in (None, call.index):
            call = (self._calls[-1] if self._calls else None) if index is None else self._newest.get(index)
        if call is None or call.is_followed_by(piece):
            if len(self._calls) >= MAX_TOOL_CALLS:
                raise CallError(Kind.OVERSIZED, f"the answer makes more than {MAX_TOOL_CALLS} tool calls")
            at = index if index is not None else max(self._newest, default=-1) + 1
            call = self._newest[at] = _ToolCall(at)
            self._calls.append(call)
            if isinstance(identity, str) and identity:
                self._by_id[identity] = call
        call.feed(piece)


class _ToolCall:
    """One tool call that grows by pieces."""

    __slots__ = ("_arguments", "_each_repeats", "_examined_chars", "_fields", "_function", "_last_piece", "index")

    def __init__(self, index: int) -> None:
        self.index = index
        self._fields: dict[str, Any] = {}
        self._function: dict[str, Any] = {}
        self._arguments: Text | None = None
        self._examined_chars = 0
        self._last_piece = ""  # of the arguments
        self._each_repeats = True  # whether each piece begins with the one before it

    def is_followed_by(self, piece: Mapping[str, Any]) -> bool:
        """Whether a piece begins another call rather than continuing this one."""
        function = piece.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if not name:
            return False
        identity, known = piece.get("id"), self._fields.get("id")
        if identity and known and identity != known:
            return True
        if self._arguments is None or not self._function.get("name"):
            return False
        if name != self._function["name"]:
            return True
        return not (identity and known) and self._has_all_arguments()

    def _has_all_arguments(self) -> bool:
        """Whether the arguments are whole JSON. A budget keeps the work linear, however often a name is repeated."""
        if self._arguments is None or (self._examined_chars + len(self._arguments)) > _MAX_EXAMINED_CHARS:
            return False
        self._examined_chars += len(self._arguments)
        return _is_json(str(self._arguments))

    def feed(self, piece: Mapping[str, Any]) -> None:
        """Take in one piece: the first id stays, empty strings are ignored, arguments are appended."""
        for key, value in piece.items():
            if key == "function" and isinstance(value, dict):
                self._feed_function(value)
            elif key == "id":
                if value and not self._fields.get("id"):
                    self._fields["id"] = value
            elif key != "index" and value not in (None, ""):
                self._fields[key] = value

    def _feed_function(self, piece: Mapping[str, Any]) -> None:
        for key, value in piece.items():
            if key == "name" and isinstance(value, str):
                self._function["name"] = self._grow_name(value)
            elif key == "arguments":
                self._add_arguments(value)
            elif value is not None:
                self._function[key] = value

    def _grow_name(self, piece: str) -> str:
        """Return the name with a piece, which is its next letters or all of it again; it is whole before arguments."""
        name: str = self._function.get("name", "")
        if name and self._arguments is not None:
            return name
        return piece if piece.startswith(name) else name + piece

    def _add_arguments(self, piece: Any) -> None:
        text = piece if isinstance(piece, str) else json.dumps(piece) if piece else ""  # an object, at once
        if text:
            self._arguments = Text() if self._arguments is None else self._arguments
            self._arguments.append(text)
            self._each_repeats = self._each_repeats and text.startswith(self._last_piece)
            self._last_piece = text

    def function(self) -> dict[str, Any]:
        """Return the function with its name and its arguments as JSON text."""
        return {**self._function, "arguments": "" if self._arguments is None else self._leave_repeated()}

    def _leave_repeated(self) -> str:
        """Return the arguments once: some upstreams send in each piece all of them so far, others all again at the end.

        Only if they are no JSON when they are joined, and the last piece alone is.
        """
        text, last = str(self._arguments), self._last_piece
        is_repeated = (self._each_repeats or text == last + last) and len(last) < len(text)
        return last if is_repeated and not _is_json(text) and _is_json(last) else text

    def as_json(self) -> dict[str, Any]:
        """Return the whole call, as a reply without streaming has it."""
        return {**self._fields, "function": self.function()} if self._function else dict(self._fields)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class HeldChunks:
    """Chunks that wait for the first content of their stream, in memory of about the length of their text.

    A model may think for a million tokens first; a chunk for each of them would take a kilobyte per token. Chunks that
    contain only text are joined into one, in their order.
    """

    def __init__(self) -> None:
        self._chunks: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self._texts: dict[str, Text] = {}

    def add(self, chunk: dict[str, Any]) -> None:
        """Hold one checked chunk."""
        texts = _only_texts(chunk)
        if texts is None:
            self._close()
            self._chunks.append(chunk)
            return
        if texts.keys() != self._texts.keys():
            self._close()
        if self._open is None:
            self._open = chunk
            self._texts = {key: Text() for key in texts}
        for key, text in texts.items():
            self._texts[key].append(text)

    def _close(self) -> None:
        if self._open is not None:
            choice = self._open["choices"][0]
            joined = {**choice["delta"], **{key: str(text) for key, text in self._texts.items()}}
            self._chunks.append({**self._open, "choices": [{**choice, "delta": joined}]})
        self._open, self._texts = None, {}

    def release(self) -> list[dict[str, Any]]:
        """Return all held chunks, and clear them."""
        self._close()
        chunks, self._chunks = self._chunks, []
        return chunks


def _only_texts(chunk: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the texts of a chunk that contains only text, or None for any other chunk."""
    choices = chunk["choices"]
    if len(choices) != 1 or chunk.get("usage"):
        return None
    choice = choices[0]
    if choice.get("finish_reason") or choice.get("logprobs") or choice.get("index"):
        return None
    texts = {key: value for key, value in choice["delta"].items() if value is not None and key != "role"}
    return texts if texts and texts.keys() <= set(_TEXTS) and all(isinstance(v, str) for v in texts.values()) else None
