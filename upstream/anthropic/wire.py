"""Anthropic's Messages as upstreams speak it: requests out of Chat Completions, replies into Chat Completions. Pure.

Shapes: https://docs.anthropic.com/en/api/messages and https://docs.anthropic.com/en/docs/build-with-claude/streaming.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runtime import json_codec
from upstream.anthropic.blocks import list_blocks, text_of_blocks
from upstream.anthropic.conversation import Message, NativeMessage, write_conversation
from upstream.anthropic.outcomes import finish_reason_from_stop, usage_from_messages
from upstream.anthropic.thinking import think
from upstream.openai.tools import list_tools, read_tool_choice
from upstream.openai.wire import TOKEN_LIMITS, find_token_limit

DEFAULT_MAX_TOKENS = 8192  # the API requires a limit; config.yaml or the client usually sets one
_CHAT_ONLY = frozenset(
    {
        *TOKEN_LIMITS,
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "reasoning_effort",
        "response_format",
        "return_progress",
        "seed",
        "stop",
        "store",
        "stream_options",
        "tool_choice",
        "tools",
        "top_logprobs",
        "user",
        "verbosity",
    }
)
_FROM_CLIENT = ("thinking", "service_tier")
"""Fields of a Messages client without an equivalent in Chat Completions, passed on unchanged."""

_TOOL_CHOICES = {"auto": {"type": "auto"}, "required": {"type": "any"}, "none": {"type": "none"}}


def write_request(messages: Sequence[Message], fields: Mapping[str, Any], *, counts: bool = False) -> dict[str, Any]:
    """Return the body for messages and further fields of Chat Completions; `counts` leaves out the limit."""
    # In the order in which the provider caches: tools, system, messages. So a request begins byte for byte as the one
    # of the turn before, whatever its other fields are.
    system, conversation = write_conversation(messages)
    client = _client_body(messages)
    tools = _list_functions(fields)
    body = _write_tools(tools, client)
    if system:
        body["system"] = system
    body["messages"] = conversation
    body |= _write_tool_choice(fields, tools)
    body |= {name: client[name] for name in _FROM_CLIENT if client.get(name) is not None}
    body |= {name: value for name, value in fields.items() if name not in _CHAT_ONLY}
    if not counts:
        limit = find_token_limit(fields)
        body["max_tokens"] = limit if limit and limit > 0 else DEFAULT_MAX_TOKENS
    stops = fields.get("stop")
    if stops:
        body["stop_sequences"] = [stops] if isinstance(stops, str) else stops
    body |= _write_output(fields, client)
    if "effort" not in body.get("output_config", {}):
        body = think(body, fields.get("reasoning_effort"))
    return body


def _client_body(messages: Sequence[Message]) -> Mapping[str, Any]:
    """Return the body of the Messages client whose conversation this is; empty for clients of other APIs."""
    first = messages[0] if messages else None
    return first.request if isinstance(first, NativeMessage) and first.request is not None else {}


def _list_functions(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the offered function tools, the older `functions` as well; of a choice among some, those that it allows.

    Custom tools are left out, since Messages has no tool whose argument is free text.
    """
    older = [{"function": function} for function in fields.get("functions") or ()]
    tools = [tool for tool in (*(fields.get("tools") or ()), *older) if list_tools({"tools": [tool]})]
    functions = [tool for tool in tools if (tool.get("type") or "function") == "function"]
    choice = fields.get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") != "allowed_tools":
        return functions
    allowed, _ = read_tool_choice(fields)
    return [tool for tool in functions if tool["function"]["name"] in allowed]


def _write_tools(functions: Sequence[Mapping[str, Any]], client: Mapping[str, Any]) -> dict[str, Any]:
    if not functions:
        return {}
    own = client.get("tools") or ()
    originals = {tool.get("name"): tool for tool in own if isinstance(tool, dict) and "input_schema" in tool}
    return {"tools": [_write_tool(tool, originals) for tool in functions]}


def _write_tool_choice(fields: Mapping[str, Any], functions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the choice among the tools that are sent, or {} for a choice that none of them can meet."""
    if not functions:
        return {}
    choice = fields.get("tool_choice") or fields.get("function_call")
    written: Mapping[str, Any] | None = None
    if isinstance(choice, str):
        written = _TOOL_CHOICES.get(choice)
    elif isinstance(choice, dict):
        names = {tool["function"]["name"] for tool in functions}
        chosen, must_call = read_tool_choice(fields)
        if choice.get("type") == "allowed_tools":
            written = _TOOL_CHOICES["required" if must_call else "auto"]
        elif name := next(iter(chosen.keys() & names), None):
            written = {"type": "tool", "name": name}
    if fields.get("parallel_tool_calls") is False:
        written = {**(written or _TOOL_CHOICES["auto"]), "disable_parallel_tool_use": True}
    return {} if written is None else {"tool_choice": dict(written)}


def _write_tool(tool: Mapping[str, Any], originals: Mapping[Any, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return a tool as the Messages client sent it, or else translated, with the breakpoint that it carries."""
    function = tool.get("function") or {}
    written = originals.get(function.get("name")) or _translate_tool(function)
    return {**written, "cache_control": tool["cache_control"]} if tool.get("cache_control") else written


def _translate_tool(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    described = {"description": function["description"]} if function.get("description") else {}
    return {"name": function.get("name"), **described, "input_schema": schema}


def _write_output(fields: Mapping[str, Any], client: Mapping[str, Any]) -> dict[str, Any]:
    """Return `output_config`: the form of the answer, and the effort only if a Messages client or the operator set it.

    An effort of Chat Completions is a thinking budget here (thinking.py), which more models know.
    """
    stated = fields.get("output_config")
    config: dict[str, Any] = dict(stated) if isinstance(stated, dict) else {}
    wanted = fields.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        config["format"] = {"type": "json_schema", "schema": (wanted.get("json_schema") or {}).get("schema")}
    own = client.get("output_config")
    if isinstance(own, dict) and own.get("effort") and own["effort"] == fields.get("reasoning_effort"):
        config["effort"] = own["effort"]
    return {"output_config": config} if config else {}


class MessagesReply:
    """Translates one reply: a whole message, or the events of a stream in their order."""

    def __init__(self) -> None:
        self._blocks: dict[Any, dict[str, Any]] = {}
        self._n_calls = 0
        self._usage: dict[str, Any] = {}

    def read(self, value: Any) -> Iterator[Any]:
        """Yield the completion or the chunks for one JSON value; any other value passes unchanged."""
        kind = value.get("type") if isinstance(value, dict) else None
        match kind:
            case "message":
                yield _read_message(value)
            case "message_start":
                yield self._begin(value)
            case "content_block_start":
                yield from self._begin_block(value)
            case "content_block_delta":
                yield from self._grow_block(value)
            case "content_block_stop":
                yield from self._end_block(value)
            case "message_delta":
                yield self._finish(value)
            case "ping" | "message_stop":
                pass
            case _:
                yield value

    def _begin(self, event: Mapping[str, Any]) -> dict[str, Any]:
        message = _object(event, "message")
        self._usage |= _object(message, "usage")
        head = {name: message[name] for name in ("id", "model") if message.get(name)}
        return {**head, **_chunk({"role": "assistant"}), "usage": usage_from_messages(self._usage)}

    def _begin_block(self, event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        block = dict(_object(event, "content_block"))
        self._blocks[event.get("index")] = block
        match block.get("type"):
            case "tool_use":
                block["position"] = self._n_calls
                self._n_calls += 1
                function = {"name": block.get("name"), "arguments": _initial_arguments(block)}
                call = {"index": block["position"], "id": block.get("id"), "type": "function", "function": function}
                yield _chunk({"tool_calls": [call]})
            case "text" if block.get("text"):
                yield _chunk({"content": block["text"]})
            case "redacted_thinking":
                yield _chunk({"thinking_blocks": [block]})

    def _grow_block(self, event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        delta = _object(event, "delta")
        block = self._blocks.setdefault(event.get("index"), {})
        match delta.get("type"):
            case "text_delta":
                yield _chunk({"content": delta.get("text")})
            case "thinking_delta":
                block.setdefault("pieces", []).append(delta.get("thinking") or "")
                yield _chunk({"reasoning_content": delta.get("thinking")})
            case "signature_delta":
                block["signature"] = delta.get("signature")
            case "input_json_delta":
                call = {"index": block.get("position", 0), "function": {"arguments": delta.get("partial_json")}}
                yield _chunk({"tool_calls": [call]})

    def _end_block(self, event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        block = self._blocks.pop(event.get("index"), {})
        if block.get("type") == "thinking":
            thinking = str(block.get("thinking") or "") + "".join(block.get("pieces", ()))
            whole = {"type": "thinking", "thinking": thinking, "signature": block.get("signature") or ""}
            yield _chunk({"thinking_blocks": [whole]})

    def _finish(self, event: Mapping[str, Any]) -> dict[str, Any]:
        delta = _object(event, "delta")
        self._usage |= {name: count for name, count in _object(event, "usage").items() if count is not None}
        stated = {name: delta[name] for name in ("stop_reason", "stop_sequence") if delta.get(name)}
        chunk = _chunk({}, finish_reason_from_stop(delta.get("stop_reason")))
        return {**stated, **chunk, "usage": usage_from_messages(self._usage)}


def _object(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _initial_arguments(block: Mapping[str, Any]) -> str:
    return json_codec.encode(block["input"]).decode() if block.get("input") else ""


def _chunk(delta: Mapping[str, Any], finish_reason: Any = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": dict(delta), "finish_reason": finish_reason}]}


def _read_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the completion of Chat Completions for a whole message."""
    blocks = [block for block in list_blocks(message.get("content"), "content") if isinstance(block, dict)]
    thinking = [block for block in blocks if block["type"] in ("thinking", "redacted_thinking")]
    calls = [_read_call(block) for block in blocks if block["type"] == "tool_use"]
    translated: dict[str, Any] = {"role": "assistant", "content": text_of_blocks(blocks) or None}
    if thinking:
        translated["reasoning_content"] = "".join(str(block.get("thinking") or "") for block in thinking)
        translated["thinking_blocks"] = thinking
    if calls:
        translated["tool_calls"] = calls
    choice = {
        "index": 0,
        "message": translated,
        "finish_reason": finish_reason_from_stop(message.get("stop_reason")),
    }
    kept = {name: message[name] for name in ("id", "model", "stop_reason", "stop_sequence") if message.get(name)}
    return {**kept, "choices": [choice], "usage": usage_from_messages(_object(message, "usage"))}


def _read_call(block: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": block.get("name"), "arguments": json_codec.encode(block.get("input") or {}).decode()}
    return {"id": block.get("id"), "type": "function", "function": function}
