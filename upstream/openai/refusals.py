"""Finds in an error reply the part of a request that a model does not take. Pure.

A 400 may mean three things, and only the first one is ours to put right:

- the model does not take a field, a value or a role that others take (`Unsupported parameter: 'max_tokens'`);
- the client's request is malformed (`temperature must be at most 2`): that is the client's to know;
- the request lacks something (`reasoning_content must be passed back`): leaving more out would not help.

So only words and codes that can mean nothing but the first count, and only if the field they name was in the request.
Everything else stays an error. Rules for one kind of thing (roles, pictures, response_format, …) are tried first, in
the order of `_RULES`; then names of fields are looked for, in structure (`param`, `loc`) before words.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runtime.frozen import frozen
from upstream.openai.quirks import Action, Fields, Messages, Quirk, kind_of_tool_choice, to_json
from upstream.openai.wire import TOKEN_LIMITS

REFUSING_STATUSES = frozenset({400, 404, 415, 422, 500, 501})
"""OpenRouter says 404 where no provider takes a field; relays and servers of old say 500."""

_I = re.IGNORECASE
_MAX_STATEMENTS = 40
_MAX_DEPTH = 6
_MAX_WORDS = 2000  # characters; an error may quote a whole prompt

_CANNOT = r"can ?(?:no|['\u2019])t"


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), _I)


_REFUSES = _any_of(
    r"unsupported|unavailable|incompatible|unrecogni[sz]ed|deprecated for",
    r"\bnot (?:currently |yet |been )?(?:supported|permitted|allowed|available|enabled|accepted)",
    r"\bnot (?:currently |yet |been )?(?:recogni[sz]ed|implemented|compatible)",
    r"(?:does|do)(?: ?n[o'\u2019]t| not) (?:support|accept|allow|recogni[sz]e|permit|have)",
    r"(?:is|are)n['\u2019]t supported|only (?:supports?|supported|allowed)|only the default",
    r"may only be set to|\bonly \S+ is (?:allowed|accepted|supported)",
    r"\bunknown (?:name|field|param|argument|key|variant|option|property|role)",
    r"unexpected (?:keyword|field|param|argument|property|key|name|(?:message )?role)",
    r"not a valid (?:field|param|argument|property|key)",
    r"\bextra (?:input|field|key|propert)|additional propert|cannot find field",
    rf"{_CANNOT} (?:both )?be (?:used|set|specified|combined)",
    r"(?:must|should) be (?:removed|omitted|unset|disabled|null|false|empty)",
    r"no endpoints found that support|requires? (?:the )?`?--",
)
# Words about a value: another one might be taken, so the field is not refused. A refusal with each stands beside it.
_VALUE = _any_of(
    # max_tokens must be at least 1, got -186. / Input should be less than or equal to 2
    r"(?:must|should|has to) be (?:an? |one of|less|greater|between|in |at |no |within|positive|either|[<>=\d])",
    r"out of range|\brange\b",  # seed is out of range
    r"too (?:large|small|high|low|long|big|many|short)",  # Invalid 'stop': array too long.
    r"\bat (?:least|most)\b",  # Too many stop sequences: at most 4
    r"\b(?:above|below|beyond|up to|higher|lower)\b",  # decimal above maximum value. Expected a value <= 2
    r"(?<![\w-])\d+(?:\.\d+)? ?(?:-|to|\.\.) ?\d",  # temperature 5 is not supported (0 - 2)
    r"(?:less|greater) than|exceed",  # Input should be greater than 0 / Prompt token count of 4662 exceeds …
    r"maximum|minimum",  # integer below minimum value. Expected a value >= 1
    r"invalid (?:type|value)",  # Invalid value: 'foo'. Supported values are: 'low', 'medium', and 'high'.
    r"is not one of",  # 'foo' is not one of ['auto', 'none'] - 'tool_choice'
    r"not a valid (?!field|param|argument|property|key)",  # m is not a valid model ID
    r"valid (?:number|integer|string|boolean)",  # Input should be a valid integer
)
# Words about something missing: the request needs more, not less.
_LACKS = _any_of(
    r"\bmissing\b",  # Missing required parameter: 'messages[0].content'.
    r"\bfield required\b",  # Field required
    r"\b(?:is|are) required\b",  # 'additionalProperties' is required to be supplied and to be false.
    # The `reasoning_content` in the thinking mode must be passed back to the API.
    r"must (?:also )?be (?:passed|provided|included|present|supplied)\b",
    r"\bmust (?:have|contain|include|start|end)\b",  # 'messages' must contain the word 'json' in some form
)
_BAD_SCHEMA = _any_of(r"invalid schema")
# Words with which advice begins: names before them are refused, names behind them are taken.
_ADVICE = _any_of(
    r"\buse\b|\binstead\b",  # 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.
    r"\bplease\b|\bconsider\b",  # cannot both be specified for this model. Please use only one.
    r"\btry\b",  # this parameter has moved to 'reasoning.effort'. Try again with the new parameter.
    r"did you mean",  # got an unexpected keyword argument 'max_token'. Did you mean 'max_tokens'?
    r"\bexpected\b",  # unknown variant `developer`, expected one of `system`, `user`
    r"to drop these",  # To drop these, set `litellm.drop_params=True`
    r"\bonly\b",  # Only the default (1) value is supported.
    r"(?:should|must) be\b",  # 'response_format.type' must be 'json_schema' or 'text'
    # Invalid value: 'developer'. Supported values are: 'system', 'assistant', 'user'
    r"(?:supported|allowed|valid|permitted) (?:values|parameters|fields|roles|inputs)",
)
_CONDITION = re.compile(r"\b(?:when|with|if|unless|without|together|while|alongside|beside|and|for)\b", _I)
_QUOTED = re.compile(r"[`'\"\u201c\u2018]([A-Za-z_$][\w.$\[\]-]{0,80})[`'\"\u201d\u2019]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TUPLE = re.compile(r"['\"]loc['\"]: ?[(\[]([^)\]]*)[)\]]")
_AT_PATH = re.compile(r"\bat ['\"`]?((?:tools|messages|response_format|generation_config)[\w.\[\]]*)")
_PATH = re.compile(r"\b(?:messages|tools|response_format|stream_options)[.\[][\w.\[\]]*\w")
_NAMED = re.compile(
    r"(?:param\w*|argument|field|property|option|key|name)s?\b[: ]+([A-Za-z_]\w*)|:\s*([A-Za-z_]\w*)\W*$"
)
_CODES = frozenset(
    {
        "unsupported_parameter",
        "unsupported_value",
        "unknown_parameter",
        "unrecognized_parameter",
        "unrecognized_request_argument_supplied",
        "extra_forbidden",
        "value_error.extra",
        "unexpected_keyword_argument",
        "unsupportedparamserror",
        "unsupported_role",
    }
)
# Fields that hold a message or a tool together. A refusal that names one means what is inside, so it is never dropped.
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
_KEPT_IN_TOOLS = frozenset(
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
_ROLES = ("developer", "system", "tool", "function", "assistant", "user")
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
_NEVER = frozenset({"model", "messages"})


@frozen
class _Statement:
    """One statement of a refusal: its words, its code, and the path of the field that it points at."""

    words: str = ""
    code: str = ""
    path: tuple[str, ...] = ()

    @property
    def refuses(self) -> bool:
        """Whether it can mean nothing but that something is not taken."""
        if self.code.lower() in _CODES:
            return True
        return _REFUSES.search(self.words) is not None and not any(
            pattern.search(self.words) for pattern in (_VALUE, _LACKS, _BAD_SCHEMA)
        )


@frozen
class _Asked:
    """The request that was refused, and the quirks that it was fitted to."""

    messages: Messages
    fields: Fields
    known: Sequence[Quirk]


Rule = Callable[[_Statement, _Asked], list[Quirk]]


def find_quirks(
    body: Any, status: int | None, messages: Messages, fields: Fields, known: Sequence[Quirk] = ()
) -> list[Quirk]:
    """Return the quirks that a refusal shows; none if its meaning is not certain.

    `body` is the error reply, a JSON value or a text. `messages` and `fields` are the request as it was sent, `known`
    the quirks that it was fitted to. Every quirk that is returned changes that request.
    """
    if status not in REFUSING_STATUSES or body in (None, ""):
        return []
    asked = _Asked(messages, fields, known)
    found: dict[Quirk, None] = {}
    for statement in _read_statements(body):
        for rule in _RULES:
            quirks = [quirk for quirk in rule(statement, asked) if _changes(quirk, asked)]
            found.update(dict.fromkeys(quirks))
            if quirks:
                break
    return list(found)


def _changes(quirk: Quirk, asked: _Asked) -> bool:
    messages, fields = quirk.apply(asked.messages, asked.fields)
    return messages is not asked.messages or fields is not asked.fields


# Statements of an error reply of any shape


def _read_statements(body: Any) -> list[_Statement]:
    statements: list[_Statement] = []
    for statement in _walk(body, 0):
        statements.append(statement)
        if len(statements) >= _MAX_STATEMENTS:
            break
    return statements


def _walk(value: Any, depth: int) -> Iterator[_Statement]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        yield from _walk_text(value, depth)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each, depth + 1)
    elif isinstance(value, dict):
        yield from _walk_object(value, depth)


def _walk_text(text: str, depth: int) -> Iterator[_Statement]:
    quoted = list(_walk(_find_json(text), depth + 1))  # a relay quotes the provider's reply
    if quoted:
        yield from quoted
        return
    words = text[:_MAX_WORDS]
    for path in _TUPLE.findall(words):  # pydantic's errors as Python shows them
        yield _Statement(words, "", _strip_body(re.findall(r"[\w$-]+", path)))
    yield _Statement(words)


def _find_json(text: str) -> Any:
    """Return the first JSON object or list of objects inside a text, None if there is none."""
    start = min((at for at in (text.find("{"), text.find("[{")) if at >= 0), default=-1)
    if start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _walk_object(value: Mapping[str, Any], depth: int) -> Iterator[_Statement]:
    words = next(
        (value[key] for key in ("message", "msg", "description", "detail") if isinstance(value.get(key), str)), ""
    )
    code = next((str(value[key]) for key in ("code", "type") if str(value.get(key)).lower() in _CODES), "")
    path: tuple[str, ...] = ()
    if isinstance(value.get("loc"), list):
        path = _strip_body([str(each) for each in value["loc"]])
    elif isinstance(value.get("param"), str):
        path = _split_path(value["param"])
    if path or code:
        yield _Statement(words[:_MAX_WORDS], code, path)
    elif words:
        yield from _walk_text(words, depth)
    for key, each in value.items():
        if isinstance(each, dict | list) and key not in ("loc", "input", "ctx"):
            yield from _walk(each, depth + 1)
        elif (
            isinstance(each, str)
            and each is not words
            and (key in ("error", "raw", "details", "reason") or each[:1] in "{[")
        ):
            yield from _walk_text(each, depth)


def _strip_body(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(path[1:] if path and path[0] == "body" else path)


def _split_path(param: str) -> tuple[str, ...]:
    return _strip_body([each for each in re.split(r"[.\[\]/'\"]+", param) if each])


# Rules: the meaning of a statement for the request


def _when(pattern: str, *quirks: Quirk) -> Rule:
    """Return the rule that words of this pattern mean these quirks."""
    compiled = re.compile(pattern, _I)
    return lambda statement, _asked: list(quirks) if compiled.search(statement.words) else []


def _find_tool_history(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Put tool turns in words: Bedrock, Anthropic and litellm refuse them in a request that has no tools."""
    if "tools" in asked.fields or "functions" in asked.fields:
        return []
    if _says(statement, r"unexpected role '?user'? after role '?tool"):
        return [Quirk(Action.TOOLS_IN_WORDS), Quirk(Action.ALTERNATE)]
    pattern = (
        r"tool calling without|without `?tools|`?tools=?`? param(?:eter)? to be passed|must define tools"
        r"|toolConfig field must be defined"
        r"|tool(?:_calls|_use)? .{0,40}require.{0,20}\btools\b"
    )
    return [Quirk(Action.TOOLS_IN_WORDS)] if _says(statement, pattern) else []


def _find_keyword(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Leave keywords out of schemas that a model does not know: OpenAI's strict ones, Gemini's, Groq's."""
    if not _says(statement, "schema") or not _REFUSES.search(statement.words):
        return []
    names = [name for name in _QUOTED.findall(statement.words) if name not in _KEPT_IN_TOOLS]
    return [quirk for name in names if _changes(quirk := Quirk(Action.DROP_IN_TOOLS, name), asked)]


def _find_format(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Ask for JSON in a way that is taken: LM Studio has no json_object, others no json_schema, or neither."""
    wanted = asked.fields.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    about = statement.path[:1] == ("response_format",) or _says(
        statement, r"response_?format|json_?schema|json_?object|json mode|structured output"
    )
    is_inside = len(statement.path) > len(("response_format", "type"))
    if not kind or not about or is_inside or _says(statement, r"invalid schema"):
        return []
    allowed = _read_allowed(statement.words, r"json_schema|json_object|text")
    if allowed and kind not in allowed:
        other = {"json_schema": "json_object", "json_object": "json_schema"}.get(str(kind), "")
        return [Quirk(Action.FORMAT, str(kind), other if other in allowed else "")]
    if not statement.refuses:
        return []
    return [Quirk(Action.FORMAT, str(kind), "json_object" if kind == "json_schema" and not allowed else "")]


def _read_allowed(words: str, pattern: str) -> list[str]:
    """Return the matches of a pattern in the list of accepted values that an error gives."""
    allowed = re.search(r"(?:(?:must|should) be|expected|supported (?:values|types)|only)\b(.*)", words, _I | re.DOTALL)
    return re.findall(pattern, allowed[1]) if allowed else []


def _find_media(statement: _Statement, _asked: _Asked) -> list[Quirk]:
    refuses = statement.refuses or _says(
        statement,
        r"at most 0 |is not a multimodal|missing data required for|invalid content type"
        r"|unknown variant `(?:image|input|audio|file)"
        rf"|(?:{_CANNOT}|unable to) (?:see|read|process|accept|take)|text[- ]only|only text",
    )
    about = r"image|vision|multi-?modal|audio|input_?file|video|picture"
    this_one = (
        r"download|fetch|\burls?\b|format|mime|media type|(?:image|audio|video)/|size|dimension|base64|decode|corrupt"
    )
    is_general = _says(statement, about) and not _says(statement, this_one)
    return [Quirk(Action.NO_MEDIA)] if refuses and is_general else []


def _find_role(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Replace a role that a model or its chat template does not know by the nearest one that it does."""
    is_at_role = statement.path[:1] == ("messages",) and statement.path[-1:] == ("role",)
    about = is_at_role or _says(
        statement,
        r"\broles?\b|\bsystem (?:message|prompt|instruction)|developer (?:message|instruction)"
        r"|unknown variant `(?:developer|system|tool|function)`",
    )
    refuses = (
        statement.refuses or is_at_role or _says(statement, r"is not one of|invalid (?:role|value)|should be|must be")
    )
    if not about or not refuses or _says(statement, "alternate|after role|at the beginning"):
        return []
    present = [role for role in _ROLES[:4] if any(message.get("role") == role for message in asked.messages)]
    if _says(statement, "instruction is not enabled"):  # Gemma's, on Gemini's endpoint, whatever the role is called
        return [Quirk(Action.ROLE, role, "user") for role in present if role in ("system", "developer")]
    subject = re.split("is not one of", statement.words)[0]
    subject = subject if subject != statement.words else _ADVICE.split(statement.words, maxsplit=1)[0]
    refused = [role for role in present if re.search(rf"\b{role}\b", subject, _I)]
    if not refused and is_at_role and statement.path[1].isdigit():
        at = asked.messages[int(statement.path[1]) :][:1]
        refused = [role for role in present if at and at[0].get("role") == role]
    return [_replace_role(role, statement.words, asked.known) for role in refused[:1]]


def _replace_role(role: str, words: str, known: Sequence[Quirk]) -> Quirk:
    if role in ("tool", "function"):
        return Quirk(Action.TOOLS_IN_WORDS)
    refused = {quirk.name for quirk in known if quirk.action is Action.ROLE}
    other = "system" if role == "developer" else "developer"
    offered = role == "developer" or re.search(r"\bdeveloper\b", words, _I)
    return Quirk(Action.ROLE, role, other if offered and other not in refused else "user")


def _find_content(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Send strings to servers that take content as neither a list of texts nor null."""
    about = "content" in statement.path or _says(statement, r"\bcontent\b")
    wants_text = (
        r"(?:should be a valid|must be a|expected a|valid) str|invalid type: (?:sequence|null)|must be (?:a )?string"
        r"|not a string|should be a string"
    )
    if not about or not _says(statement, wants_text):
        return []
    plain = Quirk(Action.PLAIN_CONTENT)
    return [plain if _changes(plain, asked) else Quirk(Action.NO_MEDIA)]


def _find_id(statement: _Statement, _asked: _Asked) -> list[Quirk]:
    """Shorten ids: Mistral wants nine characters, OpenAI 40 at most, Anthropic no odd ones."""
    is_at_id = statement.path[-1:] in (("id",), ("tool_call_id",)) and _says(statement, "long|pattern|length")
    pattern = r"tool[_ ]?(?:call|use)s?[\]\[\d.' _]*id\b.{0,80}(?:must|length|too long|pattern|maximum|characters)"
    return [Quirk(Action.SHORT_IDS)] if is_at_id or _says(statement, pattern) else []


def _find_caching(statement: _Statement, _asked: _Asked) -> list[Quirk]:
    """Leave out what prompt caching needs, wherever it is: the gateway adds it itself."""
    is_general = _says(statement, r"\bprompt[- ]cach(?:e|ing)\b")
    is_named = is_general or "cache_control" in statement.path or _says(statement, r"\bcache_control\b")
    if not is_named or not statement.refuses:
        return []
    places = (Action.DROP_IN_MESSAGES, Action.DROP_IN_TOOLS, Action.DROP)
    key = [Quirk(Action.DROP, "prompt_cache_key")] if is_general else []
    return [*(Quirk(action, "cache_control") for action in places), *key]


def _find_exclusive(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Keep one of two fields that exclude each other: the temperature, or else the first."""
    name = r"[`'\"]?(\w+)[`'\"]?"
    for pattern in (
        rf"{name},? (?:and|or|with) {name} (?:{_CANNOT}|(?:may|must|should) not|are mutually)",
        rf"(?:either|only one of|not both|both) {name} (?:and|or) {name}",
    ):
        match = re.search(pattern, statement.words, _I)
        names = match.groups() if match else ()
        if len(set(names) & asked.fields.keys()) == len(("one", "other")):
            kept = "temperature" if "temperature" in names else names[0]
            return [Quirk(Action.DROP_BESIDE, next(name for name in names if name != kept), kept)]
    return []


_LIMITS = (
    r"(?:supports?|allows?) at most (\d+) (?:completion|output) tokens",
    r"max_(?:completion_)?tokens:? \d+ ?> ?(\d+),",
    r"valid range of max_(?:completion_)?tokens is \[\d+, ?(\d+)\]",
    r"`?max_(?:completion_)?tokens`? must be (?:less than or equal to|at most|<=) `?(\d+)`?",
    r"max_(?:output_)?tokens.{0,80}maximum (?:value |allowed )?(?:is|of|for \S+ is) (\d+)",
)


def _find_limit(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Keep to the longest answer that a model gives, whatever the conversation; other limits are of that moment."""
    name = next((name for name in TOKEN_LIMITS if name in asked.fields), None)
    for pattern in _LIMITS if name else ():
        match = re.search(pattern, statement.words, _I)
        if match and int(match[1]) > 0:
            return [Quirk(Action.CAP, str(name), match[1])]
    return []


def _find_tool_choice(statement: _Statement, asked: _Asked) -> list[Quirk]:
    kind = kind_of_tool_choice(asked.fields)
    about = statement.path[:1] == ("tool_choice",) or _says(statement, r"\btool_choice\b|tool choice")
    if not kind or not about or _says(statement, r"enable-auto-tool-choice|--jinja"):
        return []
    if statement.refuses or _says(statement, r"invalid tool_choice|supported string values|(?:must|should) be"):
        return [Quirk(Action.TOOL_CHOICE, kind, "required" if kind == "named" else "")]
    return []


def _find_tools(statement: _Statement, _asked: _Asked) -> list[Quirk]:
    tools = r"(?:tools?|tool use|tool[- ]call\w*|function[- ]?call\w*|functions)"
    pattern = (
        rf"support(?:s|ed)?(?: for)?(?: the)?(?: use of)? {tools}\b"
        rf"|{tools} (?:is|are) (?:not |un)(?:supported|enabled|available)|enable-auto-tool-choice|--jinja"
    )
    refuses = statement.refuses or _says(statement, "requires")
    return [Quirk(Action.DROP, "tools")] if refuses and _says(statement, pattern) else []


def _find_stream(statement: _Statement, _asked: _Asked) -> list[Quirk]:
    pattern = (
        r"(?:does not|doesn['\u2019]t) support stream(?:ing)?\b|['\"`]stream['\"`]"
        r"|stream(?:ing)? (?:mode )?(?:is )?(?:not (?:currently )?supported|unsupported)"
    )
    return [Quirk(Action.DROP, "stream")] if statement.refuses and _says(statement, pattern) else []


def _find_value(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Leave out a value that is refused of a field that is taken: `'temperature' does not support 0`."""
    pattern = r"[`'\"]?([\w.]+)[`'\"]? (?:does not|doesn['\u2019]t) support .{1,80} with this model"
    default = (
        r"(?:only the default (?:value )?(?:of )?|may only be set to |only supports? |only (?=\S+ is ))"
        r"[`'\"(]*(-?\d+(?:\.\d+)?)"
    )
    match, only = re.search(pattern, statement.words, _I), re.search(default, statement.words, _I)
    if not (match or only or statement.code == "unsupported_value"):
        return []
    stated = statement.path[:1] or (match.groups() if match else ())
    name = next((each for each in (*stated, *_read_names(statement.words)) if each in asked.fields), "")
    if not name or name in _NEVER:
        return []
    if only:
        return [Quirk(Action.KEEP_VALUE, name, only[1])]
    return [Quirk(Action.DROP_VALUE, name, to_json(asked.fields[name]))]


def _find_path(statement: _Statement, asked: _Asked) -> list[Quirk]:
    return _drop_at(statement.path, asked) if statement.path and statement.refuses else []


def _drop_at(path: Sequence[str], asked: _Asked) -> list[Quirk]:
    """Return the quirk that drops the field at a path: in messages and tools the last name, else the first."""
    is_message = path[0] == "messages"
    names = [each for each in path if not each.isdigit() and not (is_message and each in _ROLES)]
    *holders, last = names or [""]
    if not holders:
        return _drop_field(last, asked)
    if is_message:
        return [] if last in _KEPT_IN_MESSAGES else [Quirk(Action.DROP_IN_MESSAGES, last)]
    if holders[0] in ("tools", "functions", "response_format"):
        return [] if last in _KEPT_IN_TOOLS else [Quirk(Action.DROP_IN_TOOLS, last)]
    return _drop_field(holders[0], asked)


def _drop_field(name: str, asked: _Asked) -> list[Quirk]:
    if name in _NEVER or name not in asked.fields:
        return []
    other = next((each for each in TOKEN_LIMITS if each != name), "") if name in TOKEN_LIMITS else ""
    renamed = {quirk.name for quirk in asked.known if quirk.action is Action.RENAME}
    if other and other not in asked.fields and other not in renamed:
        return [Quirk(Action.RENAME, name, other)]
    return [Quirk(Action.DROP, name)]


def _find_names(statement: _Statement, asked: _Asked) -> list[Quirk]:
    """Leave out the fields that the words name, before any advice such as `use x instead`."""
    if not statement.refuses:
        return []
    place = _AT_PATH.search(statement.words)
    for words in (_ADVICE.split(statement.words, maxsplit=1)[0], statement.words):
        names = [name for name in _read_names(words) if place or _is_in(name, asked)]
        if place and names:
            return _drop_at((*_split_path(place[1]), names[0]), asked)
        quirks = [quirk for name in _leave_conditions(words, names) for quirk in _drop_named(name, asked)]
        if quirks:
            return quirks
    return []


def _leave_conditions(words: str, names: list[str]) -> list[str]:
    """Return the names that are refused, without those of a condition: `x is not supported when y is set`."""
    refused = _REFUSES.search(words)
    condition = _CONDITION.search(words, refused.end()) if refused else None
    if condition is None or len(names) <= 1:
        return names
    subject = _snake(words[: condition.start()])
    return [name for name in names if name.lower() in subject] or names


def _is_in(name: str, asked: _Asked) -> bool:
    is_path = "." in name or "[" in name
    return name in asked.fields or is_path or name == "include_usage" or _is_in_messages(name, asked.messages)


def _is_in_messages(name: str, messages: Messages) -> bool:
    return name not in _KEPT_IN_MESSAGES and any(name in message for message in messages)


def _drop_named(name: str, asked: _Asked) -> list[Quirk]:
    if name == "include_usage":
        return _drop_field("stream_options", asked)
    if name in asked.fields:
        return _drop_field(name, asked)
    if _is_in_messages(name, asked.messages):
        return [Quirk(Action.DROP_IN_MESSAGES, name)]
    return _drop_at(_split_path(name), asked)


def _read_names(words: str) -> list[str]:
    """Return possible names of fields, in order: quoted, behind a word such as `parameter`, or unmistakable."""
    names = _QUOTED.findall(words) + _PATH.findall(words)
    names += [each for pair in _NAMED.findall(words) for each in pair if each]
    names += [each for each in re.findall(r"\b[A-Za-z]\w+\b", words) if _is_unmistakable(each)]
    return list(dict.fromkeys(name if name in _CAMEL_KEYWORDS else _snake(name) for name in names))


def _is_unmistakable(word: str) -> bool:
    return "_" in word or word in _PLAIN_NAMES or _CAMEL.search(word) is not None


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower()


def _says(statement: _Statement, pattern: str) -> bool:
    return re.search(pattern, statement.words, _I) is not None


_RULES: tuple[Rule, ...] = (
    _find_tool_history,
    _when(r"must contain the word ['\"`\\]*json", Quirk(Action.SAY_JSON)),  # OpenAI and DeepSeek
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
    _find_value,
    _find_path,
    _find_stream,
    _find_names,
)
