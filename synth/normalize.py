"""Normalizes completions to one shape, whatever the upstream. Pure, except for the random ids of tool calls.

The answer's text is not changed, except that reasoning is split off.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from runtime.frozen import frozen
from synth.reasoning_marks import ReasoningSplitter, Split, has_mark, split_reasoning
from upstream.errors import CallError, Kind
from upstream.openai.finish_reasons import ERROR, read_finish_reason
from upstream.openai.text_fallbacks import is_media

_READ_FIELDS = frozenset(
    {"role", "content", "reasoning", "reasoning_content", "tool_calls", "function_call", "refusal", "index"}
)
_READ_AT_TOP = frozenset({"id", "object", "created", "model", "choices", "usage", "error", "timings"})
_COUNTS = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})
_MEDIA_FIELDS = ("images", "image", "audio", "video", "videos", "files")
_ID_BYTES = 12


@frozen
class Completion:
    """A usable answer.

    `text` is the answer, `reasoning` the thoughts before it, `media` are the parts of the content that
    are no text. `extra` holds message fields that the gateway does not read, `beside` those of the completion itself,
    `usage_details` those of its usage. `completion_tokens` are the upstream's count, or None if it gave none.
    """

    text: str
    reasoning: str = ""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    function_call: Mapping[str, Any] | None = None
    refusal: str | None = None
    finish_reason: str = "stop"
    logprobs: Any = None
    media: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    usage_details: Mapping[str, Any] = field(default_factory=dict)
    completion_tokens: int | None = None


class EmptyAnswerError(CallError):
    """A whole reply without an answer in it. `completion` has the rest: reasoning, a finish reason."""

    def __init__(self, completion: Completion) -> None:
        why = "only reasoning" if completion.reasoning else "an empty answer"
        super().__init__(Kind.EMPTY, f"the model gave {why} (finish_reason {completion.finish_reason})")
        self.completion = completion


def normalize(raw: Mapping[str, Any], *, strict: bool = True, may_be_silent: bool = False) -> Completion:
    """Return the one shape of a checked completion. Raises CallError (truncated, empty) if it is not a complete answer.

    `strict`, for answers that are compared: an unknown finish reason means that the answer broke off, and reasoning
    without text is no answer. If it is off, as for a single model, an unknown finish reason is passed on, and reasoning
    alone, or a token limit reached before the first word, is an answer. `may_be_silent`: an answer without a word is
    complete, because a model may end its turn silently after a tool's result.
    """
    choice = raw["choices"][0]
    message = choice["message"]
    reason, is_known = read_finish_reason(choice.get("finish_reason"))
    if reason == ERROR or (strict and not is_known):
        raise CallError(Kind.TRUNCATED, f"the model broke off: finish_reason {choice['finish_reason']}"[:200])
    completion = _read(raw, choice, message, reason or "stop")
    if may_be_silent or _says_something(completion):
        return completion
    if not strict and (completion.reasoning or completion.finish_reason == "length"):
        return completion
    raise EmptyAnswerError(completion)


def _read(raw: Mapping[str, Any], choice: Mapping[str, Any], message: Mapping[str, Any], reason: str) -> Completion:
    content, part_thoughts = _content(message.get("content"))
    thought, text = split_reasoning(content) if has_mark(content) else ("", content)
    calls, function_call = message.get("tool_calls"), message.get("function_call") or None
    tool_calls = _complete_calls(calls) if calls else ()
    usage = raw.get("usage")
    counted = usage if isinstance(usage, dict) else {}
    return Completion(
        text=text,
        reasoning=read_reasoning(message) + part_thoughts + thought,
        tool_calls=tool_calls,
        function_call=function_call,
        refusal=message.get("refusal") or None,
        finish_reason=_fit_reason(reason, has_calls=bool(tool_calls), has_function_call=function_call is not None),
        logprobs=choice.get("logprobs"),
        media=_list_media(message.get("content")),
        extra=_rest(message, _READ_FIELDS),
        beside=_rest(raw, _READ_AT_TOP),
        usage_details=_rest(counted, _COUNTS),
        completion_tokens=count(counted, "completion_tokens"),
    )


def _says_something(completion: Completion) -> bool:
    """Whether a message holds any content for the client, text or other."""
    if completion.text and not completion.text.isspace():
        return True
    if completion.tool_calls or completion.function_call or completion.refusal or completion.media:
        return True
    return any(completion.extra.get(name) for name in _MEDIA_FIELDS)


def _list_media(content: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple(part for part in content if is_media(part)) if isinstance(content, list) else ()


def _rest(fields: Mapping[str, Any], read: frozenset[str]) -> dict[str, Any]:
    """Return the fields of an object that are not read, nulls left out."""
    if fields.keys() <= read:
        return {}
    return {key: each for key, each in fields.items() if key not in read and each is not None}


def _complete_calls(calls: Any) -> tuple[Mapping[str, Any], ...]:
    """Return tool calls as agents need them: each with an id of its own, a type, and arguments that are JSON text."""
    complete: list[Mapping[str, Any]] = []
    ids: set[str] = set()
    for call in calls:
        if isinstance(call, dict):
            whole = _complete_call(call)
            if not whole["id"] or whole["id"] in ids:
                whole = {**whole, "id": f"call_{secrets.token_hex(_ID_BYTES)}"}
            ids.add(whole["id"])
            complete.append(whole)
    return tuple(complete)


def _complete_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call with an id, perhaps "", and its type; some models send "" for no arguments, others an object."""
    identity = call.get("id")
    function = call.get("function")
    if function is None and isinstance(call.get("name"), str) and "custom" not in call:  # flat, as in `functions`
        function = {"name": call["name"], "arguments": call.get("arguments")}
        call = {key: each for key, each in call.items() if key not in ("name", "arguments")}
    kind = call.get("type") or ("custom" if "custom" in call else "function")
    whole = {**call, "id": "" if identity is None else str(identity), "type": kind}
    if isinstance(function, dict):
        arguments = function.get("arguments")
        if not isinstance(arguments, str) or not arguments:
            function = {**function, "arguments": json.dumps(arguments or {})}
        elif arguments.startswith('"{'):
            function = {**function, "arguments": _unquote(arguments)}
        whole["function"] = function
    return whole


def _unquote(arguments: str) -> str:
    """Return arguments that were encoded as JSON twice, as they should be; anything else unchanged."""
    try:
        inner = json.loads(arguments)
        json.loads(inner)
    except (ValueError, TypeError, RecursionError):
        return arguments
    return str(inner)


def count(usage: Mapping[str, Any] | None, name: str) -> int | None:
    """Return a token count from an upstream's `usage`, or None if it is missing or invalid."""
    value = usage.get(name) if usage else None
    return value if type(value) is int and value >= 0 else None  # a bool is an int too, but no count


def count_detail(usage: Mapping[str, Any], holder: str, name: str) -> int:
    """Return a count inside an object of a `usage` (`cached_tokens` of `prompt_tokens_details`), 0 if it is invalid."""
    details = usage.get(holder)
    return (count(details, name) or 0) if isinstance(details, dict) else 0


def read_reasoning(message: Mapping[str, Any]) -> str:
    """Return the reasoning that a message or delta carries in a field of its own."""
    for key in ("reasoning_content", "reasoning"):
        stated = message.get(key)
        if isinstance(stated, str):
            return stated
    return ""


def _fit_reason(reason: str, *, has_calls: bool, has_function_call: bool) -> str:
    """Return the finish reason that agrees with the message: agents act by it."""
    if reason in ("length", "content_filter"):
        return reason
    if has_calls:
        return "tool_calls"  # some upstreams say "stop", and agents would stop there
    if has_function_call:
        return "function_call"
    return "stop" if reason in ("tool_calls", "function_call") else reason


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


def _plain_text(chunk: Mapping[str, Any]) -> str | None:
    """Return the text of a chunk that contains only text, as nearly all do, or None for any other chunk."""
    choices = chunk["choices"]
    if len(choices) != 1 or choices[0].get("index") not in (0, None):
        return None
    delta = choices[0]["delta"]
    content = delta.get("content")
    return content if len(delta) == 1 and isinstance(content, str) else None


def _signature(blocks: Any) -> str:
    """Return the signature of the last of an Anthropic model's thinking blocks."""
    last = blocks[-1] if isinstance(blocks, list) and blocks else None
    return str(last.get("signature") or "") if isinstance(last, dict) else ""


class DeltaReader:
    """Reads the chunks of one stream into pieces of text and reasoning, as they may be shown."""

    def __init__(self) -> None:
        self._splitter = ReasoningSplitter()

    def feed(self, chunk: Mapping[str, Any]) -> Split:
        """Return the text and reasoning of a checked chunk's first choice."""
        plain = _plain_text(chunk) if self._splitter.is_past else None
        if plain is not None:
            return Split(text=plain)
        reasoning: list[str] = []
        text: list[str] = []
        signature = ""
        for choice in chunk["choices"]:
            if choice.get("index") in (0, None):
                signature = _signature(choice["delta"].get("thinking_blocks")) or signature
                content, thought = _content(choice["delta"].get("content"))
                split = self._splitter.feed(content) if content else Split()
                reasoning += [read_reasoning(choice["delta"]), thought, split.reasoning]
                text.append(split.text)
        return Split("".join(reasoning), "".join(text), signature)

    def end(self) -> Split:
        """Return the text and reasoning held back, at the end of the stream."""
        return self._splitter.end()
