"""Limits on the shape of a request: JSON values, messages, content parts, tools and tool calls.

A body of 32 MB can hold a million messages. Each is cheap, but all work on them happens in a few turns of the event
loop, and every other client waits for it. The limits bound such a turn to some tens of milliseconds; their defaults are
far above what agents send.
"""

from collections.abc import Callable, Mapping
from typing import Any

from config.settings import Server
from handlers.errors import ApiError
from runtime.json_steps import exceeds_values
from runtime.time_slice import TimeSlice
from synth.request import ChatRequest

MAX_FIELDS = 1_000
"""The largest number of fields of a request, and of a message: each field is checked for every model that is asked."""


async def check_values(body: bytes, limits: Server, clock: Callable[[], float]) -> None:
    """Refuse a body with more than `max_json_values` values before it is decoded: ApiError (400)."""
    limit = limits.max_json_values
    if len(body) > limit and await TimeSlice(clock).run(exceeds_values(body, limit)):
        raise _too_many("JSON values", limit, "max_json_values", None)


def check_shape(chat: ChatRequest, limits: Server) -> None:
    """Refuse a request with too many messages, parts, tools or tool calls: ApiError (400) that names the limit."""
    if len(chat.messages) > limits.max_messages:
        raise _too_many("messages", limits.max_messages, "max_messages", "messages")
    n_parts = n_calls = 0
    for at, message in enumerate(chat.messages):
        check_fields(message, f"messages[{at}]")
        n_parts += _count(message.get("content"))
        n_calls += _count(message.get("tool_calls"))
    if n_parts > limits.max_parts:
        raise _too_many("content parts", limits.max_parts, "max_parts", "messages")
    if n_calls > limits.max_tool_calls:
        raise _too_many("tool calls", limits.max_tool_calls, "max_tool_calls", "messages")
    for name in ("tools", "functions"):
        if _count(chat.params.get(name)) > limits.max_tools:
            raise _too_many(name, limits.max_tools, "max_tools", name)


def check_fields(value: Mapping[str, Any], where: str) -> None:
    """Refuse an object with more than MAX_FIELDS fields: ApiError (400). `where` names it."""
    if len(value) > MAX_FIELDS:
        raise ApiError(400, f"{where}: has more than {MAX_FIELDS:,} fields; send fewer", code="too_many_items")


def _count(items: Any) -> int:
    return len(items) if isinstance(items, list) else 0


def _too_many(what: str, limit: int, key: str, param: str | None) -> ApiError:
    message = f"the request has more than {limit:,} {what}; send fewer, or raise server.{key}"
    return ApiError(400, f"{param}: {message}" if param else message, param=param, code="too_many_items")
