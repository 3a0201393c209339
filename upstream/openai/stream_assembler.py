"""Putting the chunks of one stream together. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from upstream.errors import CallError, Kind

_READ_IN_DELTAS = frozenset(
    {"role", "content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call", "index"}
)


class StreamAssembler:
    """Puts the chunks of one stream together to the completion that the same call without streaming gives.

    Only the first choice is read: the gateway never asks an upstream for more than one.
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {
            "content": [],
            "reasoning_content": [],
            "reasoning": [],
            "refusal": [],
        }
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._function_call: dict[str, Any] | None = None
        self._extra: dict[str, Any] = {}
        self._logprobs: dict[str, list[Any]] = {}
        self._usage: Any = None
        self.finish_reason: str | None = None

    def feed(self, chunk: Mapping[str, Any]) -> None:
        """Take in one checked chunk."""
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
        for key, pieces in self._texts.items():
            if isinstance(delta.get(key), str):
                pieces.append(delta[key])
        for piece in delta.get("tool_calls") or ():
            self._feed_tool_call(piece)
        for key, value in delta.items():
            if value is not None and key not in _READ_IN_DELTAS:
                self._extra[key] = self._extra[key] + value if _both_lists(self._extra.get(key), value) else value
        if isinstance(delta.get("function_call"), dict):
            self._function_call = _joined(self._function_call or {}, delta["function_call"])
        if isinstance(choice.get("logprobs"), dict):
            for key, values in choice["logprobs"].items():
                self._logprobs.setdefault(key, []).extend(values if isinstance(values, list) else ())
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def _feed_tool_call(self, piece: Mapping[str, Any]) -> None:
        call = self._tool_calls.setdefault(self._index_of(piece), {})
        for key, value in piece.items():
            if key == "function" and isinstance(value, dict):
                call["function"] = _joined(call.get("function", {}), value)
            elif key != "index" and value is not None:
                call[key] = value

    def _index_of(self, piece: Mapping[str, Any]) -> int:
        """Return which call a piece belongs to: without an index, a new id begins a new call."""
        index: int | None = piece.get("index")
        if index is not None:
            return index
        last = max(self._tool_calls, default=-1)
        begins = piece.get("id") and piece["id"] != self._tool_calls.get(last, {}).get("id")
        return last + 1 if begins or last < 0 else last

    def completion(self) -> dict[str, Any]:
        """Return the completion; CallError (truncated) where the stream gave no finish_reason."""
        if self.finish_reason is None:
            raise CallError(Kind.TRUNCATED, "the stream ended without a finish_reason")
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message.update({key: "".join(pieces) for key, pieces in self._texts.items() if pieces})
        message.update(self._extra)
        if self._tool_calls:
            message["tool_calls"] = [self._tool_calls[index] for index in sorted(self._tool_calls)]
        if self._function_call:
            message["function_call"] = self._function_call
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        if self._logprobs:
            choice["logprobs"] = self._logprobs
        return {**self._head, "choices": [choice], "usage": self._usage}


def _both_lists(one: Any, other: Any) -> bool:
    return isinstance(one, list) and isinstance(other, list)


def _joined(function: Mapping[str, Any], piece: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(function)
    if piece.get("name"):
        joined["name"] = piece["name"]
    arguments = piece.get("arguments") or ""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)  # some upstreams send the object itself
    joined["arguments"] = joined.get("arguments", "") + text
    return joined
