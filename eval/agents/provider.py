"""The providers of the replayed session: they answer by its script, and count tokens as the real ones document it."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import ClientTimeout, StreamReader
from aiohttp.base_protocol import BaseProtocol
from yarl import URL

from eval.agents.prompt_caches import AutomaticCache, Block, BreakpointCache, Count, PromptCache
from eval.agents.session import Turn
from runtime import json_codec
from synth.request import Message
from upstream.anthropic.conversation import write_assistant
from upstream.http.exchange import Body, Exchange, Reply, Target

ADVICE = " ".join(
    f"Note {number}: before the next edit, look at who calls this function, and run the tests that cover it."
    for number in range(1, 7)
)
"""The words of each advisor, about 150 tokens."""

_CONNECT_S = 0.6  # until a model begins to read, and one token of its answer is there
_READ_TOKENS_PER_S = 4000.0
_READ_CACHED_TOKENS_PER_S = 40_000.0
_WRITE_TOKENS_PER_S = 80.0
_CHARS_PER_TOKEN = 4
_MARK = "cache_control"


class ScriptedProviders(Exchange):
    """All providers of the session, in the place of HTTP; `turn` is the one whose replies are due.

    The model with the id `actor`, and any that has tools, replies as the script says, and others with the alternative
    of the script. Advisors reply with ADVICE, and a critic that is to pick a draft picks A.
    """

    name = "scripted"

    def __init__(self, turn: Turn, actor: str) -> None:
        self.turn = turn
        self._actor = actor
        self._caches: dict[str, PromptCache] = {}

    async def close(self) -> None:
        """Do nothing, because there are no connections."""

    def target(self, url: URL, headers: Mapping[str, str]) -> Target:
        """Return a target."""
        return Target(url, headers)

    async def connect(self, target: Target, connect_s: float | None) -> None:
        """Do nothing, because there are no connections."""

    async def post(self, target: Target, body: Body, _connect_s: float | None) -> Reply:
        """Answer a request after the time that a model would take."""
        pieces = body()
        request: dict[str, Any] = json_codec.decode(b"".join(pieces if isinstance(pieces, tuple) else await pieces))
        is_messages = target.url.path.endswith("/messages")
        blocks = list(_list_message_blocks(request) if is_messages else _list_chat_blocks(request))
        kind = BreakpointCache if is_messages or any(block.is_breakpoint for block in blocks) else AutomaticCache
        cache = self._caches.setdefault(request["model"], kind())
        count = cache.read(blocks)
        message = self._choose_reply(request)
        n_written = len(json.dumps(message)) // _CHARS_PER_TOKEN
        fresh = count.prompt - count.cached
        reading_s = fresh / _READ_TOKENS_PER_S + count.cached / _READ_CACHED_TOKENS_PER_S
        await asyncio.sleep(_CONNECT_S + reading_s)
        cache.keep(blocks)
        await asyncio.sleep(n_written / _WRITE_TOKENS_PER_S)
        write = _write_message if is_messages else _write_completion
        return _ScriptedReply(json_codec.encode(write(request["model"], message, count, n_written)))

    async def _send(self, target: Target, body: Body, _connecting: ClientTimeout, *, on_new: bool) -> Reply:  # noqa: ARG002
        return await self.post(target, body, None)

    def _choose_reply(self, request: Mapping[str, Any]) -> Message:
        if request.get("tools"):
            return self.turn.reply
        last = _last_text(request)
        if "Reply with the letter" in last:
            return {"role": "assistant", "content": "A"}
        if "You advise it; you do not act" in last or "which you cannot call yourself" in last:
            return {"role": "assistant", "content": ADVICE}
        return self.turn.reply if request["model"] == self._actor else self.turn.alternative


class _ScriptedReply(Reply):
    """A reply that has arrived as a whole."""

    __slots__ = ()

    def __init__(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        content = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        content.feed_data(body)
        content.feed_eof()
        super().__init__(200, {"Content-Type": "application/json"}, content)

    def _release(self) -> None:
        pass


def _last_text(request: Mapping[str, Any]) -> str:
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[-1].get("text", ""))


def _list_message_blocks(request: Mapping[str, Any]) -> Iterator[Block]:
    """Yield the blocks of a Messages request in the order in which the cache takes them."""
    for part in (*request.get("tools", ()), *request.get("system", ())):
        yield _to_block("", part)
    for message in request["messages"]:
        yield from _list_parts(message)


def _list_chat_blocks(request: Mapping[str, Any]) -> Iterator[Block]:
    """Yield the blocks of a Chat Completions request: first the tools, then the messages with their parts."""
    if request.get("tools"):
        yield Block(json_codec.encode(request["tools"]))
    for message in request["messages"]:
        yield from _list_parts(message)
        if message.get("tool_calls"):
            yield Block(json_codec.encode(message["tool_calls"]))


def _list_parts(message: Message) -> Iterator[Block]:
    content = message.get("content") or ""
    if isinstance(content, str):
        yield Block(f"{message['role']}: {content}".encode())
        return
    for part in content:
        yield _to_block(message["role"], part)


def _to_block(role: str, part: Mapping[str, Any]) -> Block:
    bare = {name: value for name, value in part.items() if name != _MARK}
    data = f"{role}: {bare['text']}".encode() if bare.get("type") == "text" else json_codec.encode(bare)
    return Block(data, _MARK in part)


def _write_message(model: str, message: Message, count: Count, n_written: int) -> dict[str, Any]:
    usage = {
        "input_tokens": count.prompt - count.cached - count.written,
        "cache_read_input_tokens": count.cached,
        "cache_creation_input_tokens": count.written,
        "output_tokens": n_written,
    }
    stop = "tool_use" if message.get("tool_calls") else "end_turn"
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "stop_sequence": None}
    return {**head, "content": write_assistant(message), "stop_reason": stop, "usage": usage}


def _write_completion(model: str, message: Message, count: Count, n_written: int) -> dict[str, Any]:
    usage = {
        "prompt_tokens": count.prompt,
        "completion_tokens": n_written,
        "total_tokens": count.prompt + n_written,
        "prompt_tokens_details": {"cached_tokens": count.cached, "cache_write_tokens": count.written},
    }
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": dict(message), "finish_reason": reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": model}
    return {**head, "choices": [choice], "usage": usage}
