"""Finds the fields of a request that a refusal names, by path or in prose. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from upstream.openai.quirks import Action, Fields, Messages, Quirk
from upstream.openai.refusals.statements import Statement, split_path
from upstream.openai.refusals.words import ADVICE, REFUSES
from upstream.openai.wire import TOKEN_LIMITS

_CONDITION = re.compile(r"\b(?:when|with|if|unless|without|together|while|alongside|beside|and|for)\b", re.IGNORECASE)
QUOTED = re.compile(r"[`'\"\u201c\u2018]([A-Za-z_$][\w.$\[\]-]{0,80})[`'\"\u201d\u2019]")
# Also between letters of other scripts, but neither the end of a model's name (glm-thinking) nor a path (tools[0])
_WORD = re.compile(r"(?<!\w-)\b[A-Za-z]\w+\b(?!\[\d|\.\d)", re.ASCII)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_AT_PATH = re.compile(r"\bat ['\"`]?((?:tools|messages|response_format|generation_config)[\w.\[\]]*)")
_PATH = re.compile(r"\b(?:messages|tools|response_format|stream_options)[.\[][\w.\[\]]{0,80}\w")
_NAMED = re.compile(
    r"(?:param\w*|argument|field|property|option|key|name)s?\b[: ]+([A-Za-z_]\w*)|:\s*([A-Za-z_]\w*)\W*$|^([a-z_]\w*): "
)
# Fields that make up a message or a tool. A refusal that names one means its content, so the field is never dropped.
_KEPT_IN_MESSAGES = frozenset(
    {
        "",
        "role",
        "content",
        "tool_calls",
        "tool_call_id",
        "id",
        "function",
        "arguments",
        "type",
        "text",
        "image_url",
        "url",
    }
)
KEPT_IN_TOOLS = frozenset(
    {
        "name",
        "description",
        "parameters",
        "type",
        "function",
        "properties",
        "schema",
        "json_schema",
        "items",
        "required",
    }
)
_CAMEL_KEYWORDS = frozenset({"additionalProperties", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"})
ROLES = ("developer", "system", "tool", "function", "assistant", "user")
_PLAIN_NAMES = frozenset(
    [
        "temperature",
        "seed",
        "logprobs",
        "tools",
        "functions",
        "metadata",
        "store",
        "verbosity",
        "modalities",
        "prediction",
        "reasoning",
        "thinking",
        "truncation",
        "include",
        "instructions",
        "stop",
    ]
)
_CONCEPTS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), names)
    for pattern, names in (
        (r"\bpenalt(?:y|ies)\b", ("frequency_penalty", "presence_penalty")),  # Penalty is not enabled for this model
        (r"\blog[- ]?prob(?:abilitie)?s\b", ("logprobs",)),
        (r"\bstop[- _]?sequences?\b", ("stop",)),  # This model doesn't support the stopSequences field.
        (r"\blogit bias\b", ("logit_bias",)),
        (r"\bparallel (?:tool|function)\b", ("parallel_tool_calls",)),
        # "gemma3" does not support thinking
        (r"(?<![\w-])think(?:ing)?(?![\w-])|\breasoning effort\b", ("reasoning_effort", "reasoning", "thinking")),
    )
)
"""Words for fields, without their names."""

_MAX_NAMES = 40  # of one statement; some list all that are allowed
NEVER = frozenset({"model", "messages"})


# An upstream may name hundreds of fields in an error, and a client may send megabytes of messages and tools. Applying a
# quirk walks them all. So the names of their members are collected once, and a quirk is tried once at most.
@dataclass(slots=True)
class Request:
    """The request that was refused, and the quirks that it was fitted to."""

    messages: Messages
    fields: Fields
    known: Sequence[Quirk]
    _is_changed: dict[Quirk, bool] = field(default_factory=dict, init=False)
    _members: dict[str, frozenset[str]] = field(default_factory=dict, init=False)

    def is_changed_by(self, quirk: Quirk) -> bool:
        """Whether fitting the request to a quirk changes it."""
        if quirk not in self._is_changed:
            messages, fields = quirk.apply(self.messages, self.fields)
            self._is_changed[quirk] = messages is not self.messages or fields is not self.fields
        return self._is_changed[quirk]

    def has_in_messages(self, name: str) -> bool:
        """Whether a message has a member of this name that may be left out."""
        if "messages" not in self._members:
            self._members["messages"] = frozenset().union(*self.messages)
        return name in self._members["messages"] and name not in _KEPT_IN_MESSAGES

    def has_in_tools(self, name: str) -> bool:
        """Whether there is a member of this name anywhere in tools, functions or `response_format`."""
        if "tools" not in self._members:
            held = [self.fields.get(key) for key in ("tools", "functions", "response_format")]
            self._members["tools"] = frozenset(_list_members(held))
        return name in self._members["tools"]


def _list_members(nodes: list[Any]) -> Iterator[str]:
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            yield from node
            nodes += node.values()
        elif isinstance(node, list):
            nodes += node


def find_path(statement: Statement, request: Request) -> list[Quirk]:
    """Leave out the field that a refusal points at."""
    return _drop_at(statement.path, request) if statement.path and statement.refuses else []


def _drop_at(path: Sequence[str], request: Request) -> list[Quirk]:
    """Return the quirk that drops the field at a path: in messages and tools the last name, else the first."""
    is_message = path[0] == "messages"
    names = [each for each in path if not each.isdigit() and not (is_message and each in ROLES)]
    *holders, last = names or [""]
    if not holders:
        return _drop_field(last, request)
    if is_message:
        return [] if last in _KEPT_IN_MESSAGES else [Quirk(Action.DROP_IN_MESSAGES, last)]
    if holders[0] in ("tools", "functions", "response_format"):
        return [] if last in KEPT_IN_TOOLS else [Quirk(Action.DROP_IN_TOOLS, last)]
    return _drop_field(holders[0], request)


def _drop_field(name: str, request: Request) -> list[Quirk]:
    if name in NEVER or name not in request.fields:
        return []
    other = next((each for each in TOKEN_LIMITS if each != name), "") if name in TOKEN_LIMITS else ""
    renamed = {quirk.name for quirk in request.known if quirk.action is Action.RENAME}
    if other and other not in request.fields and other not in renamed:
        return [Quirk(Action.RENAME, name, other)]
    return [Quirk(Action.DROP, name)]


def find_names(statement: Statement, request: Request) -> list[Quirk]:
    """Leave out the fields that the words name, before any advice such as `use x instead`."""
    if not statement.refuses:
        return []
    place = _AT_PATH.search(statement.words)
    for words in (ADVICE.split(statement.words, maxsplit=1)[0], statement.words):
        names = [name for name in read_names(words) if place or _is_in(name, request)]
        if place and names:
            return _drop_at((*split_path(place[1]), names[0]), request)
        quirks = [quirk for name in _leave_conditions(words, names) for quirk in _drop_named(name, request)]
        if quirks:
            return quirks
    return []


def find_concepts(statement: Statement, request: Request) -> list[Quirk]:
    """Leave out the fields that the words describe without their names: `penalty is not enabled for this model`."""
    if not statement.refuses:
        return []
    subject = ADVICE.split(leave_condition(statement.words), maxsplit=1)[0]
    names = [name for pattern, names in _CONCEPTS if pattern.search(subject) for name in names]
    return [quirk for name in names for quirk in _drop_field(name, request)]


def leave_condition(words: str) -> str:
    """Return the words of a refusal without its condition: `x is not supported when y is set`."""
    refused = REFUSES.search(words)
    condition = _CONDITION.search(words, refused.end()) if refused else None
    return words[: condition.start()] if condition else words


def _leave_conditions(words: str, names: list[str]) -> list[str]:
    """Return the names that are refused, without those of a condition."""
    subject = leave_condition(words)
    if subject == words:
        return names
    stated = _snake(subject)
    return [name for name in names if re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", stated)] or names


def _is_in(name: str, request: Request) -> bool:
    is_path = "." in name or "[" in name
    return name in request.fields or is_path or name == "include_usage" or request.has_in_messages(name)


def _drop_named(name: str, request: Request) -> list[Quirk]:
    if name == "include_usage":
        return _drop_field("stream_options", request)
    if name in request.fields:
        return _drop_field(name, request)
    if request.has_in_messages(name):
        return [Quirk(Action.DROP_IN_MESSAGES, name)]
    return _drop_at(split_path(name), request)


def read_names(words: str) -> list[str]:
    """Return possible names of fields, in order: quoted, behind a word such as `parameter`, or unmistakable."""
    names = QUOTED.findall(words) + _PATH.findall(words)
    names += [each for pair in _NAMED.findall(words) for each in pair if each]
    names += [each for each in _WORD.findall(words) if _is_unmistakable(each)]
    return list(dict.fromkeys(name if name in _CAMEL_KEYWORDS else _snake(name) for name in names))[:_MAX_NAMES]


def _is_unmistakable(word: str) -> bool:
    return "_" in word or word[:1].lower() + word[1:] in _PLAIN_NAMES or _CAMEL.search(word) is not None


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower()
