"""Quirks: the parts of a request that a model refuses, and how a request is fitted to it.

OpenAI-compatible upstreams refuse different things: a parameter, a value, a role, a field of the history. A `Quirk`
states how a request must differ for one model. Quirks come from three places, and are applied in this order: the
provider's row in config/providers.py, `drop` and `rename` of the model in config.yaml (docs/configuration.md), and the
refusals of the upstream itself (refusals/), remembered for the life of the process.

To add a kind of quirk: a name in `Action`, a function in `_APPLY`, words in `_WORDS`, and a rule in refusals/rules.py.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Any, get_args

import structlog

from config.providers import PROVIDERS, Provider
from config.settings import Effort, Model
from runtime.frozen import frozen
from upstream.openai import text_fallbacks
from upstream.openai.conversation import Conversation, Message

_log = structlog.get_logger(__name__)

Messages = Sequence[Message]
Fields = Mapping[str, Any]
Fitted = tuple[Messages, Fields]

EFFORT_FIELD = "reasoning_effort"
TOOL_FIELDS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"})
_GOES_WITH = {
    "tools": TOOL_FIELDS,
    "stream": frozenset({"stream", "stream_options"}),
    "logprobs": frozenset({"logprobs", "top_logprobs"}),
}
_MAX_REMEMBERED = 64  # quirks of one model; a hostile upstream could invent them without end
_ANY_SCHEMA = {"name": "object", "schema": {"type": "object"}}
_ID_CHARS = 9  # Mistral wants exactly nine letters and digits, OpenAI at most 40 characters


class Action(StrEnum):
    """What is done to a request. `name` and `value` are those of the quirk."""

    DROP = "drop"  # leave the field `name` out
    DROP_VALUE = "drop_value"  # leave it out if it has this JSON value
    KEEP_VALUE = "keep_value"  # leave it out unless it has this JSON value
    DROP_BESIDE = "drop_beside"  # leave it out if the field `value` is there
    RENAME = "rename"  # send `name` as `value`
    EFFORT = "effort"  # send the parameters that `value` has for an effort instead of the field `name`
    CAP = "cap"  # send at most the number `value`
    TOOL_CHOICE = "tool_choice"  # of the kind `name`: send `value` instead
    FORMAT = "format"  # a response_format of type `name`: send the type `value`, or ask in words
    MENTION_JSON = "mention_json"  # JSON must be mentioned in the messages
    ROLE = "role"  # send messages of role `name` as of role `value`
    ALTERNATE = "alternate"  # one system message first, then user and assistant in turn
    DROP_IN_MESSAGES = "drop_in_messages"  # leave the field `name` of messages and their parts out
    DROP_IN_TOOLS = "drop_in_tools"  # leave the field `name` of tools and schemas out
    PLAIN_CONTENT = "plain_content"  # content is a string, neither a list of texts nor null
    NO_MEDIA = "no_media"  # images, audio and files become a note
    TOOLS_AS_TEXT = "tools_as_text"  # tool calls and results in the history become text, if no tools are sent
    SHORT_IDS = "short_ids"  # ids of tool calls become short
    OPEN_THOUGHT = "open_thought"  # of replies: the mark that opens reasoning is put back (unopened_thought.py)


@frozen
class Quirk:
    """One way in which a request must differ for a model. `cause` are the upstream's words."""

    action: Action
    name: str = ""
    value: str = ""
    cause: str = field(default="", compare=False)

    def apply(self, messages: Messages, fields: Fields) -> Fitted:
        """Return a request fitted to this quirk: the same objects if the quirk does not apply."""
        return _APPLY[self.action](self, messages, fields)

    def describe(self) -> str:
        """Return the gateway's remedy as a phrase."""
        return _WORDS[self.action].format(name=self.name, value=self.value)

    def config(self) -> str:
        """Return the line for this model in config.yaml that makes it permanent, or "" if no key does."""
        if self.action in (Action.DROP, Action.DROP_VALUE, Action.KEEP_VALUE, Action.DROP_BESIDE):
            return f"drop: [{self.name}]"
        if self.name == "cache_control":
            return "drop: [cache_control]"
        if self.action is Action.RENAME:
            return f"rename: {{{self.name}: {self.value}}}"
        return f"params: {{{self.name}: {self.value}}}" if self.action is Action.CAP else ""


_OPEN_THOUGHT = Quirk(Action.OPEN_THOUGHT, cause="a reply closed its reasoning and had not opened it")


def leave_out(fields: Fields, names: Iterable[str]) -> Fields:
    """Return the fields without those of these names."""
    dropped = frozenset(names)
    return fields if dropped.isdisjoint(fields) else {key: each for key, each in fields.items() if key not in dropped}


def _drop(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    return messages, leave_out(fields, _GOES_WITH.get(quirk.name, (quirk.name,)))


def _drop_value(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    refused = quirk.name in fields and to_json(fields[quirk.name]) == quirk.value
    return _drop(quirk, messages, fields) if refused else (messages, fields)


def _keep_value(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    kept = quirk.name not in fields or fields[quirk.name] == json.loads(quirk.value)
    return (messages, fields) if kept else _drop(quirk, messages, fields)


def _drop_beside(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    return (messages, leave_out(fields, (quirk.name,))) if quirk.value in fields else (messages, fields)


def _rename(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    if quirk.name not in fields:
        return messages, fields
    rest = {key: each for key, each in fields.items() if key != quirk.name}
    return messages, {quirk.value: fields[quirk.name], **rest}


def _effort(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    level = fields.get(quirk.name)
    stated = json.loads(quirk.value).get(level) if isinstance(level, str) else None
    if stated is None:
        return messages, fields
    return messages, {**stated, **leave_out(fields, (quirk.name,))}


def _cap(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    limit, stated = int(quirk.value), fields.get(quirk.name)
    is_over = isinstance(stated, int | float) and stated > limit
    return messages, {**fields, quirk.name: limit} if is_over else fields


def _tool_choice(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    if kind_of_tool_choice(fields) != quirk.name:
        return messages, fields
    return messages, {**fields, "tool_choice": quirk.value} if quirk.value else leave_out(fields, ("tool_choice",))


def kind_of_tool_choice(fields: Fields) -> str:
    """Return "named" for a tool_choice that names a tool, else its word, or "" without a tool_choice."""
    choice = fields.get("tool_choice")
    return choice if isinstance(choice, str) else "named" if isinstance(choice, dict) else ""


def _format(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    wanted = fields.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") != quirk.name:
        return messages, fields
    schema = (wanted.get("json_schema") or {}).get("schema") if quirk.name == "json_schema" else None
    rest = {key: each for key, each in fields.items() if key != "response_format"}
    if quirk.value == "json_schema":
        return messages, {**rest, "response_format": {"type": "json_schema", "json_schema": _ANY_SCHEMA}}
    if quirk.value:
        rest["response_format"] = {"type": quirk.value}
    return text_fallbacks.demand_json(messages, schema), rest


def _mention_json(_quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    wanted = fields.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") == "text" or _mentions_json(messages):
        return messages, fields
    return text_fallbacks.demand_json(messages), fields


def _mentions_json(messages: Messages) -> bool:
    return any("json" in text_fallbacks.flatten(message.get("content")).lower() for message in messages)


def _each(change: Callable[[Quirk, Message], Message]) -> Callable[[Quirk, Messages, Fields], Fitted]:
    """Return a function that changes each message; it returns the same messages if none has changed."""

    def apply(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
        changed = [change(quirk, message) for message in messages]
        is_same = all(new is old for new, old in zip(changed, messages, strict=True))
        return (messages if is_same else changed), fields

    return apply


def _role(quirk: Quirk, message: Message) -> Message:
    return {**message, "role": quirk.value} if message.get("role") == quirk.name else message


def _drop_in_message(quirk: Quirk, message: Message) -> Message:
    slim = leave_out(message, (quirk.name,))
    for holder in ("content", "tool_calls"):
        parts = slim.get(holder)
        if isinstance(parts, list):
            without = [_drop_in_part(quirk.name, part) for part in parts]
            if any(new is not old for new, old in zip(without, parts, strict=True)):
                slim = {**slim, holder: without}
    return slim


def _drop_in_part(name: str, part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    slim = leave_out(part, (name,))
    function = slim.get("function")
    return (
        {**slim, "function": leave_out(function, (name,))} if isinstance(function, dict) and name in function else slim
    )


def _plain_content(_quirk: Quirk, message: Message) -> Message:
    content = message.get("content")
    if isinstance(content, str) or (isinstance(content, list) and any(map(text_fallbacks.is_media, content))):
        return message
    return {**message, "content": text_fallbacks.flatten(content)}


def _short_ids(_quirk: Quirk, message: Message) -> Message:
    short = dict(message)
    if isinstance(message.get("tool_call_id"), str):
        short["tool_call_id"] = _shorten(message["tool_call_id"])
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        short["tool_calls"] = [
            {**call, "id": _shorten(call["id"])} if isinstance(call, dict) and isinstance(call.get("id"), str) else call
            for call in calls
        ]
    return message if short == message else short


def _shorten(identity: str) -> str:
    if len(identity) == _ID_CHARS and identity.isalnum() and identity.isascii():
        return identity
    return hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:_ID_CHARS]


def _drop_in_tools(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    held = {key: fields[key] for key in ("tools", "functions", "response_format") if key in fields}
    slim = {key: _drop_key(quirk.name, each) for key, each in held.items()}
    return (messages, fields) if slim == held else (messages, {**fields, **slim})


def _drop_key(name: str, value: Any) -> Any:
    """Return a JSON value without the keys of this name, but keep properties of schemas that have it."""
    if isinstance(value, list):
        return [_drop_key(name, each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {each: _drop_key(name, schema) for each, schema in inner.items()}
        if key == "properties" and isinstance(inner, dict)
        else _drop_key(name, inner)
        for key, inner in value.items()
        if key != name
    }


def _no_media(_quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    return text_fallbacks.replace_media(messages), fields


def _tools_as_text(_quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    return (
        (messages, fields)
        if "tools" in fields or "functions" in fields
        else (text_fallbacks.replace_tool_turns(messages), fields)
    )


def _alternate(_quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
    """Merge neighbours of one role, and make users' messages of system messages behind the first others."""
    merged: list[dict[str, Any]] = []
    for message in messages:
        now = dict(message)
        if now.get("role") in ("system", "developer") and any(each["role"] != now["role"] for each in merged):
            now["role"] = "user"
        before = merged[-1] if merged else {}
        if before.get("role") == now.get("role") and now["role"] != "tool" and not before.get("tool_calls"):
            merged[-1] = {**before, **now, "content": _join(before.get("content"), now.get("content"))}
        else:
            merged.append(now)
    return (messages if len(merged) == len(messages) and merged == list(messages) else merged), fields


def _join(one: Any, other: Any) -> Any:
    if isinstance(one, list) or isinstance(other, list):
        return [*_as_parts(one), *_as_parts(other)]
    return "\n\n".join(filter(None, [one, other]))


def _as_parts(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []


_APPLY: Mapping[Action, Callable[[Quirk, Messages, Fields], Fitted]] = {
    Action.DROP: _drop,
    Action.DROP_VALUE: _drop_value,
    Action.KEEP_VALUE: _keep_value,
    Action.DROP_BESIDE: _drop_beside,
    Action.RENAME: _rename,
    Action.EFFORT: _effort,
    Action.CAP: _cap,
    Action.TOOL_CHOICE: _tool_choice,
    Action.FORMAT: _format,
    Action.MENTION_JSON: _mention_json,
    Action.ROLE: _each(_role),
    Action.ALTERNATE: _alternate,
    Action.DROP_IN_MESSAGES: _each(_drop_in_message),
    Action.DROP_IN_TOOLS: _drop_in_tools,
    Action.PLAIN_CONTENT: _each(_plain_content),
    Action.NO_MEDIA: _no_media,
    Action.TOOLS_AS_TEXT: _tools_as_text,
    Action.SHORT_IDS: _each(_short_ids),
    Action.OPEN_THOUGHT: lambda _, messages, fields: (messages, fields),
}
_WORDS: Mapping[Action, str] = {
    Action.DROP: "{name} is left out",
    Action.DROP_VALUE: "{name} is left out when it is {value}",
    Action.KEEP_VALUE: "{name} is left out unless it is {value}",
    Action.DROP_BESIDE: "{name} is left out beside {value}",
    Action.RENAME: "{name} is sent as {value}",
    Action.EFFORT: "{name} is sent as other parameters",
    Action.CAP: "{name} is at most {value}",
    Action.TOOL_CHOICE: "a tool_choice that is {name} is sent as {value}",
    Action.FORMAT: "a response_format of type {name} is sent as {value}, or asked for in the prompt",
    Action.MENTION_JSON: "the prompt asks for JSON as well",
    Action.ROLE: "messages of the role {name} are sent as {value}",
    Action.ALTERNATE: "neighbouring messages of one role are joined",
    Action.DROP_IN_MESSAGES: "{name} is left out of the messages",
    Action.DROP_IN_TOOLS: "{name} is left out of tools and schemas",
    Action.PLAIN_CONTENT: "content that is a list or null is sent as one string",
    Action.NO_MEDIA: "images, audio and files are replaced by a note",
    Action.TOOLS_AS_TEXT: "tool calls in the history are sent as text when no tools are sent",
    Action.SHORT_IDS: "ids of tool calls are shortened",
    Action.OPEN_THOUGHT: "the opening mark of its reasoning is put back",
}


def to_json(value: Any) -> str:
    """Return a value as JSON, in the one form in which quirks compare values."""
    return json.dumps(value, sort_keys=True)


def fit(quirks: Iterable[Quirk], messages: Messages, fields: Fields) -> tuple[Conversation, Fields]:
    """Return a request fitted to all of these quirks, one after the other."""
    for quirk in quirks:
        messages, fields = quirk.apply(messages, fields)
    return Conversation.of(messages), fields


class ModelQuirks:
    """The quirks of one model: those configured, and those learnt from its refusals."""

    def __init__(self, learnt: dict[Quirk, None], configured: Iterable[Quirk] = ()) -> None:
        self._learnt = learnt  # shared by all names of one model, in the order of learning
        self._configured = tuple(configured)

    def all(self) -> tuple[Quirk, ...]:
        """Return them in the order in which they apply."""
        return (*self._configured, *self._learnt)

    def learnt(self) -> tuple[Quirk, ...]:
        """Return the quirks learnt from refusals since the process began."""
        return tuple(self._learnt)

    @property
    def opens_thought(self) -> bool:
        """Whether the model's replies lack the mark that opens their reasoning."""
        return _OPEN_THOUGHT in self._learnt

    def note_thought(self, model: str, *, is_unopened: bool) -> None:
        """Remember, or forget, that replies lack the mark that opens their reasoning."""
        if is_unopened:
            self.remember([_OPEN_THOUGHT], model)
        else:
            self._learnt.pop(_OPEN_THOUGHT, None)

    def remember(self, quirks: Iterable[Quirk], model: str) -> None:
        """Keep quirks that have helped a request through, and write each into the log, once."""
        for quirk in quirks:
            if quirk not in self._learnt and len(self._learnt) < _MAX_REMEMBERED:
                self._learnt[quirk] = None
                _log.warning(
                    "model quirk",
                    model=model,
                    fitting=quirk.describe(),
                    cause=quirk.cause,
                    config=quirk.config() or None,
                )


class QuirkMemory:
    """The learnt quirks of every model, for the life of the process: they outlive a reload."""

    def __init__(self) -> None:
        self._learnt: dict[tuple[str, str], dict[Quirk, None]] = {}

    def of(self, model: Model) -> ModelQuirks:
        """Return the quirks of a configured model. Names for one model at one base URL learn together."""
        learnt = self._learnt.setdefault((model.base_url, model.model), {})
        return ModelQuirks(learnt, configured_quirks(model))


def configured_quirks(model: Model) -> tuple[Quirk, ...]:
    """Return the quirks known beforehand: the provider's, and `drop` and `rename` of config.yaml, which win."""
    stated = {*model.drop, *model.rename, *model.rename.values()}
    provider = PROVIDERS.get(model.provider or "")
    known: list[Quirk] = []
    if provider is not None and provider.base_url == model.base_url:
        renamed = [pair for pair in provider.rename.items() if stated.isdisjoint(pair)]
        known += [Quirk(Action.RENAME, name, other) for name, other in renamed]
        known += [Quirk(Action.ROLE, role, other) for role, other in provider.roles.items()]
    if EFFORT_FIELD not in stated:
        known += _list_effort_quirks(model, provider if provider and provider.base_url == model.base_url else None)
    return (
        *known,
        *(Quirk(Action.DROP, name) for name in sorted(model.drop)),
        *(Quirk(Action.RENAME, name, other) for name, other in model.rename.items()),
    )


def _list_effort_quirks(model: Model, provider: Provider | None) -> list[Quirk]:
    """Return the quirk by which a model takes an effort, or [] if it takes `reasoning_effort` itself or is unknown.

    An effort that config.yaml sets wins over the provider's form.
    """
    form = provider.effort if provider else "reasoning_effort"
    table: dict[str, Any] = {}
    if form == "reasoning":
        table = {level: {"reasoning": {"effort": level}} for level in get_args(Effort)}
    elif form == "none":
        table = {level: {} for level in get_args(Effort)}
    table |= model.effort
    return [Quirk(Action.EFFORT, EFFORT_FIELD, to_json(table))] if table else []
