"""The scripted upstream's replies as bytes, prepared once for each model. Pure."""

import json
from functools import cache

from bench import stamps
from bench.scripts import SCRIPTS, parse

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_MARK = stamps.EMPTY.decode()


@cache
def build_completion(model: str) -> tuple[bytes, bytes]:
    """Return a complete reply of a model: the bytes before its stamp, and those after it."""
    name, member = parse(model)
    script = SCRIPTS[name]
    before, behind = _completion(model, script.text(member) + _MARK).split(stamps.EMPTY)
    if not script.stamped:
        return _head(len(before) + len(behind)) + before, behind
    return _head(len(before) + len(stamps.EMPTY) + len(behind)) + before, behind


@cache
def build_pick(model: str, letter: str) -> bytes:
    """Return a complete reply that consists of a letter."""
    body = _completion(model, letter)
    return _head(len(body)) + body


def _completion(model: str, text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 500, "completion_tokens": 300, "total_tokens": 800}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return json.dumps({**body, "usage": usage}).encode()


def _head(n_bytes: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % n_bytes


@cache
def build_opening(model: str) -> bytes:
    """Return the start of a stream: its head, and the chunk with the role."""
    return STREAM_HEAD + _chunk(model, {"role": "assistant", "content": ""})


@cache
def build_delta(model: str) -> tuple[bytes, bytes]:
    """Return a chunk with some words: the bytes before its stamp, and those after it."""
    before, behind = _chunk(model, {"content": f" some words of it {_MARK}"}).split(stamps.EMPTY)
    return before, behind


@cache
def build_ending(model: str) -> bytes:
    """Return the end of a stream."""
    return _chunk(model, {}, "stop") + _chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _chunk(model: str, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    return _chunked(b"data: " + json.dumps(event).encode() + b"\n\n")


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
