"""Finds in an error reply the part of a request that a model refuses. Pure.

A 400 may mean three things, and the gateway corrects only the first:

- the model refuses a field, a value or a role that others accept (`Unsupported parameter: 'max_tokens'`);
- the client's request is malformed (`temperature must be at most 2`): the client has to know;
- the request lacks something (`reasoning_content must be passed back`): leaving more out would not help.

So only words and codes that are certain to mean the first count, and only if the field they name was in the request.
Everything else stays an error. Rules for one kind of thing (roles, images, response_format, …) are tried first, in
the order of `_RULES`; then names of fields are searched for, in structure (`param`, `loc`) before prose.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from upstream.openai.quirks import Action, Fields, Messages, Quirk, kind_of_tool_choice, to_json
from upstream.openai.refusals.fields import (
    KEPT_IN_TOOLS,
    NEVER,
    QUOTED,
    ROLES,
    Request,
    find_concepts,
    find_names,
    find_path,
    leave_condition,
    read_names,
)
from upstream.openai.refusals.statements import Statement, read_statements
from upstream.openai.refusals.words import ADVICE, CANNOT, OUTAGE, REFUSES
from upstream.openai.wire import TOKEN_LIMITS

REFUSING_STATUSES = frozenset({400, 404, 415, 422, 424, 500, 501, 502})
"""OpenRouter says 404 when no provider takes a field, Bedrock 424; relays and servers of old say 500 or 502."""

_FAILED_DEPENDENCY = 424  # from here on a status may also mean an outage
_MAX_DIGITS = 18
_MAX_POSITION_DIGITS = 9
_MAX_QUIRKS = 16  # of one refusal; each is applied to the whole request
_I = re.IGNORECASE

Rule = Callable[[Statement, Request], list[Quirk]]


def find_quirks(
    body: Any, status: int | None, messages: Messages, fields: Fields, known: Sequence[Quirk] = ()
) -> list[Quirk]:
    """Return the quirks that a refusal shows, or [] if its meaning is not certain.

    `body` is the error reply, a JSON value or a text. `messages` and `fields` are the request as it was sent, `known`
    the quirks that it was fitted to. Every quirk that is returned changes that request.
    """
    if status not in REFUSING_STATUSES or body in (None, ""):
        return []
    request = Request(messages, fields, known)
    found: dict[Quirk, None] = {}
    for statement in read_statements(body):
        if status >= _FAILED_DEPENDENCY and not statement.code and OUTAGE.search(statement.words):
            continue
        for rule in _RULES:
            quirks = [quirk for quirk in rule(statement, request) if request.is_changed_by(quirk)]
            found.update(dict.fromkeys(quirks))
            if quirks:
                break
        if len(found) >= _MAX_QUIRKS:
            break
    return list(found)[:_MAX_QUIRKS]


def _when(pattern: str, *quirks: Quirk) -> Rule:
    """Return the rule that words of this pattern mean these quirks."""
    compiled = re.compile(pattern, _I)
    return lambda statement, _request: list(quirks) if compiled.search(statement.words) else []


def _find_tool_history(statement: Statement, request: Request) -> list[Quirk]:
    """Replace tool turns by text: Bedrock, Anthropic and litellm refuse them in a request that has no tools."""
    if "tools" in request.fields or "functions" in request.fields:
        return []
    if statement.says(r"unexpected role '?user'? after role '?tool"):
        return [Quirk(Action.TOOLS_AS_TEXT), Quirk(Action.ALTERNATE)]
    pattern = (
        r"tool calling without|without `?tools|`?tools=?`? param(?:eter)? to be passed|must define tools"
        r"|toolConfig field must be defined"
        r"|tool(?:_calls|_use)? .{0,40}require.{0,20}\btools\b"
    )
    return [Quirk(Action.TOOLS_AS_TEXT)] if statement.says(pattern) else []


def _find_keyword(statement: Statement, request: Request) -> list[Quirk]:
    """Leave out schema keywords that a model does not know: OpenAI's strict mode, Gemini's, Groq's."""
    if not statement.says(r"schema|\btools[\[.]\d") or not REFUSES.search(statement.words):
        return []
    names = [
        name for name in QUOTED.findall(statement.words) if name not in KEPT_IN_TOOLS and request.has_in_tools(name)
    ]
    return [quirk for name in names if request.is_changed_by(quirk := Quirk(Action.DROP_IN_TOOLS, name))]


def _find_format(statement: Statement, request: Request) -> list[Quirk]:
    """Ask for JSON in a way the model accepts: LM Studio has no json_object, others no json_schema, or neither."""
    wanted = request.fields.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    about = statement.path[:1] == ("response_format",) or statement.says(
        r"response_?format|json_?schema|json_?object|json mode|structured output|\bgrammar\b"
    )
    is_inside = len(statement.path) > len(("response_format", "type"))
    if not kind or not about or is_inside or statement.says(r"invalid schema"):
        return []
    allowed = _read_allowed(statement.words, r"json_schema|json_object|text")
    if allowed and kind not in allowed:
        other = {"json_schema": "json_object", "json_object": "json_schema"}.get(str(kind), "")
        return [Quirk(Action.FORMAT, str(kind), other if other in allowed else "")]
    if not statement.refuses or statement.says(r"\bregex|\bpattern|\bkeyword(?! arg)|\bpars(?:e|ing)"):
        return []  # or one schema is refused, and others are taken
    return [Quirk(Action.FORMAT, str(kind), "json_object" if kind == "json_schema" and not allowed else "")]


def _read_allowed(words: str, pattern: str) -> list[str]:
    """Return the matches of a pattern in the list of accepted values that an error gives."""
    allowed = re.search(r"(?:(?:must|should) be|expected|supported (?:values|types)|only)\b(.*)", words, _I | re.DOTALL)
    return re.findall(pattern, allowed[1]) if allowed else []


def _find_media(statement: Statement, _request: Request) -> list[Quirk]:
    refuses = statement.refuses or statement.says(
        r"at most 0 |is not a multimodal|missing data required for|invalid content type"
        r"|unknown variant `(?:image|input|audio|file)"
        rf"|(?:{CANNOT}|unable to) (?:see|read|process|accept|take)|text[- ]only|only text",
    )
    about = r"image|vision|multi-?modal|audio|input_?file|video|picture"
    this_one = (
        r"download|fetch|\burls?\b|format|mime|media type|(?:image|audio|video)/|size|dimension|base64|decode|corrupt"
    )
    is_general = statement.says(about) and not statement.says(this_one)
    return [Quirk(Action.NO_MEDIA)] if refuses and is_general else []


def _find_role(statement: Statement, request: Request) -> list[Quirk]:
    """Replace a role that a model or its chat template does not know by the nearest one that it does."""
    is_at_role = statement.path[:1] == ("messages",) and statement.path[-1:] == ("role",)
    about = is_at_role or statement.says(
        r"\broles?\b|\bsystem (?:message|prompt|instruction)|developer (?:message|instruction)"
        r"|unknown variant `(?:developer|system|tool|function)`",
    )
    refuses = (
        statement.refuses or is_at_role or statement.says(r"is not one of|invalid (?:role|value)|should be|must be")
    )
    if not about or not refuses or statement.says(r"alternate|after role|at the beginning|\btwice\b"):
        return []
    present = [role for role in ROLES[:4] if any(message.get("role") == role for message in request.messages)]
    if statement.says("instruction is not enabled"):  # Gemma's, on Gemini's endpoint, whatever the role is called
        return [Quirk(Action.ROLE, role, "user") for role in present if role in ("system", "developer")]
    subject = re.split("is not one of", statement.words)[0]
    subject = subject if subject != statement.words else ADVICE.split(statement.words, maxsplit=1)[0]
    refused = [role for role in present if re.search(rf"\b{role}\b", subject, _I)]
    position = statement.path[1] if is_at_role else ""
    if not refused and re.fullmatch(rf"[0-9]{{1,{_MAX_POSITION_DIGITS}}}", position):
        at = request.messages[int(position) :][:1]
        refused = [role for role in present if at and at[0].get("role") == role]
    return [_replace_role(role, statement.words, request.known) for role in refused[:1]]


def _replace_role(role: str, words: str, known: Sequence[Quirk]) -> Quirk:
    if role in ("tool", "function"):
        return Quirk(Action.TOOLS_AS_TEXT)
    refused = {quirk.name for quirk in known if quirk.action is Action.ROLE}
    other = "system" if role == "developer" else "developer"
    offered = role == "developer" or re.search(r"\bdeveloper\b", words, _I)
    return Quirk(Action.ROLE, role, other if offered and other not in refused else "user")


def _find_content(statement: Statement, request: Request) -> list[Quirk]:
    """Send strings to servers that take content as neither a list of texts nor null."""
    about = "content" in statement.path or statement.says(r"\bcontent\b")
    wants_text = (
        r"(?:should be a valid|must be a|expected a|valid) str|invalid type: (?:sequence|null)|must be (?:a )?string"
        r"|not a string|should be a string"
    )
    if not about or not statement.says(wants_text):
        return []
    plain = Quirk(Action.PLAIN_CONTENT)
    return [plain if request.is_changed_by(plain) else Quirk(Action.NO_MEDIA)]


def _find_id(statement: Statement, _request: Request) -> list[Quirk]:
    """Shorten ids: Mistral requires nine characters, OpenAI at most 40, Anthropic no special characters."""
    is_at_id = statement.path[-1:] in (("id",), ("tool_call_id",)) and statement.says("long|pattern|length")
    pattern = r"tool[_ ]?(?:call|use)s?[\]\[\d.' _]*id\b.{0,80}(?:must|length|too long|pattern|maximum|characters)"
    return [Quirk(Action.SHORT_IDS)] if is_at_id or statement.says(pattern) else []


def _find_caching(statement: Statement, _request: Request) -> list[Quirk]:
    """Leave out the fields of prompt caching everywhere: the gateway adds them itself."""
    is_general = statement.says(r"\bprompt[- ]cach(?:e|ing)\b")
    is_named = is_general or "cache_control" in statement.path or statement.says(r"\bcache_control\b")
    if not is_named or not statement.refuses:
        return []
    places = (Action.DROP_IN_MESSAGES, Action.DROP_IN_TOOLS, Action.DROP)
    key = [Quirk(Action.DROP, "prompt_cache_key")] if is_general else []
    return [*(Quirk(action, "cache_control") for action in places), *key]


def _find_exclusive(statement: Statement, request: Request) -> list[Quirk]:
    """Keep one of two fields that exclude each other: the temperature, or else the first."""
    name = r"(?<!\w)[`'\"]?(\w+)[`'\"]?"
    for pattern in (
        rf"{name},? (?:and|or|with) {name} (?:{CANNOT}|(?:may|must|should) not|are mutually)",
        rf"(?:either|only one of|not both|both) {name} (?:and|or) {name}",
    ):
        match = re.search(pattern, statement.words, _I)
        names = match.groups() if match else ()
        if len(set(names) & request.fields.keys()) == len(("one", "other")):
            kept = "temperature" if "temperature" in names else names[0]
            return [Quirk(Action.DROP_BESIDE, next(name for name in names if name != kept), kept)]
    return []


_LIMITS = (
    r"range of max_(?:completion_)?tokens should be \[\d+, ?(\d+)\]",
    r"maximum tokens you requested exceeds the model limit of (\d+)",
    r"(?:supports?|allows?) at most (\d+) (?:completion|output) tokens",
    r"max_(?:completion_)?tokens:? \d+ ?> ?(\d+),",
    r"valid range of max_(?:completion_)?tokens is \[\d+, ?(\d+)\]",
    r"`?max_(?:completion_)?tokens`? must be (?:less than or equal to|at most|<=) `?(\d+)`?",
    r"max_(?:output_)?tokens.{0,80}maximum (?:value |allowed )?(?:is|of|for \S+ is) (\d+)",
)


_BOUND = (
    r"(?:less than or equal to|<=|\u2264|at most|(?:no|not) (?:more|greater) than|(?:must|can) ?not exceed)"
    r" [`'\"]?(\d+)"
)
_BELOW = r"\bmaxOutputTokens\b.* to (\d+) \(exclusive\)"  # Vertex


def _find_limit(statement: Statement, request: Request) -> list[Quirk]:
    """Cap the token limit at a model's longest answer; limits that depend on the conversation are not remembered."""
    name = next((name for name in TOKEN_LIMITS if name in request.fields), None)
    if name is None:
        return []
    is_named = statement.path[-1:] == (name,) and not statement.says(
        r"context|prompt|conversation|inputs?[`'\"]? tokens|\balready\b|\bare used\b|\+"
    )
    for pattern in (*_LIMITS, *((_BOUND,) if is_named else ()), _BELOW):
        match = re.search(pattern, statement.words, _I)
        limit = int(match[1][:_MAX_DIGITS]) - (pattern is _BELOW) if match else 0
        if limit > 0:
            return [Quirk(Action.CAP, name, str(limit))]
    return []


def _find_tool_choice(statement: Statement, request: Request) -> list[Quirk]:
    kind = kind_of_tool_choice(request.fields)
    about = statement.path[:1] == ("tool_choice",) or statement.says(r"\btool_choice\b|tool choice")
    if not kind or not about or statement.says(r"enable-auto-tool-choice|--jinja"):
        return []
    if statement.refuses or statement.says(r"invalid tool_choice|supported string values|(?:must|should) be"):
        return [Quirk(Action.TOOL_CHOICE, kind, "required" if kind == "named" else "")]
    return []


def _find_tools(statement: Statement, _request: Request) -> list[Quirk]:
    tools = r"(?:tools?|tool use|tool[- ]call\w*|function[- ]?call\w*|functions)"
    pattern = (
        rf"support(?:s|ed)?(?: for)?(?: the)?(?: use of)? {tools}\b"
        rf"|{tools} (?:is|are) (?:not |un)(?:supported|enabled|available)|enable-auto-tool-choice|--jinja"
    )
    refuses = statement.refuses or statement.says("requires")
    return [Quirk(Action.DROP, "tools")] if refuses and statement.says(pattern) else []


def _find_stream(statement: Statement, _request: Request) -> list[Quirk]:
    pattern = (
        r"(?:does not|doesn['\u2019]t) support stream(?:ing)?\b|['\"`]stream['\"`]"
        r"|stream(?:ing)? (?:mode |responses? )?(?:is |are )?"
        r"(?:not (?:currently |yet )?(?:supported|available|enabled|allowed|implemented)|unsupported|unavailable)"
    )
    is_refused = statement.refuses and re.search(pattern, leave_condition(statement.words), _I)
    return [Quirk(Action.DROP, "stream")] if is_refused else []


_ENUMS: dict[str, frozenset[Any]] = {
    "reasoning_effort": frozenset({"default", "none", "minimal", "low", "medium", "high", "xhigh", "max"}),
    "service_tier": frozenset({"auto", "default", "flex", "scale", "priority"}),
    "verbosity": frozenset({"low", "medium", "high"}),
}


def _find_choice(statement: Statement, request: Request) -> list[Quirk]:
    """Leave out a value of OpenAI's enumerations that this model lacks: ``reasoning_effort must be `none` or …``."""
    for name, values in _ENUMS.items():
        value = request.fields.get(name)
        about = statement.path[-1:] == (name,) or statement.says(rf"\b{name}\b")
        if not about or not isinstance(value, str) or value not in values:
            continue
        allowed = _read_allowed(statement.words, r"[`'\"]([\w-]+)[`'\"]")
        stated = re.search(r"invalid value:? [`'\"]([\w-]+)", statement.words, _I)
        if values.intersection(allowed) and value not in allowed and (stated is None or stated[1] == value):
            return [Quirk(Action.DROP_VALUE, name, to_json(value))]
    return []


_STATED_VALUE = re.compile(
    r"(?<![\w.])[`'\"]?(\w+)[`'\"]?(?: ?[=:] ?| (?:of |value )?)[`'\"]?(-?\d{1,18}(?:\.\d{1,17})?)[`'\"]?"
    r" (?:is not|isn|is un)",
    _I,
)


def _find_stated_value(statement: Statement, request: Request) -> list[Quirk]:
    """Leave out the value that a refusal states, and no other: `temperature=3 is not supported`."""
    is_about_value = statement.refuses and statement.code.lower() in ("", "unsupported_value")
    match = _STATED_VALUE.search(statement.words) if is_about_value else None
    value = request.fields.get(match[1]) if match else None
    if match is None or not isinstance(value, int | float) or value != float(match[2]):
        return []
    return [Quirk(Action.DROP_VALUE, match[1], to_json(value))]


def _find_value(statement: Statement, request: Request) -> list[Quirk]:
    """Leave out a refused value of an accepted field: `'temperature' does not support 0`."""
    pattern = r"(?<![\w.])[`'\"]?([\w.]+)[`'\"]? (?:does not|doesn['\u2019]t) support .{1,80} with this model"
    default = (
        r"(?:only the default (?:value )?(?:of )?|may only be set to |only supports? |only (?=\S+ is )"
        r"|only (?:supports?|accepts?|allows?) \w+ ?= ?)"
        r"[`'\"(]*(-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?)(?!\.?\d|[A-Za-z_])"  # a number in JSON
    )
    match, only = re.search(pattern, statement.words, _I), re.search(default, statement.words, _I)
    if not (match or only or statement.code == "unsupported_value"):
        return []
    stated = statement.path[:1] or (match.groups() if match else ())
    name = next((each for each in (*stated, *read_names(statement.words)) if each in request.fields), "")
    if not name or name in NEVER:
        return []
    if only:
        return [Quirk(Action.KEEP_VALUE, name, only[1])]
    return [Quirk(Action.DROP_VALUE, name, to_json(request.fields[name]))]


_RULES: tuple[Rule, ...] = (
    _find_tool_history,
    _when(r"must contain the word ['\"`\\]*json", Quirk(Action.MENTION_JSON)),  # OpenAI and DeepSeek
    _find_caching,
    _find_exclusive,
    _find_limit,
    _when(  # chat templates of Mistral, Gemma, Llama and Qwen
        r"roles? must alternate|must alternate|alternate between|consecutive (?:user|assistant) (?:messages|turns)"
        r"|system message must be (?:at the beginning|(?:the )?first)",
        Quirk(Action.ALTERNATE),
    ),
    _find_id,
    _find_keyword,
    _find_format,
    _find_role,
    _find_content,
    _find_media,
    _find_tool_choice,
    _find_tools,
    _find_choice,
    _find_value,
    _find_stated_value,
    find_path,
    _find_stream,
    find_names,
    find_concepts,
)
