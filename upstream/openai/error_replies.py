"""Reading error replies: the cause in the provider's words, the kind of failure, and when to retry. Pure.

Every provider has a shape of its own, and gateways wrap the shapes of others, sometimes as JSON in a string. So nothing
here depends on the provider. `_find_texts` searches the whole reply for fields that hold words, from the outside
inwards, `_find_codes` for those that hold codes. Tables, which are easy to extend, decide what the words mean.
"""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

from runtime import json_codec
from upstream.errors import CallError, Kind, kind_of_status
from upstream.openai.retry_advice import find_delay_s, is_unpaid, read_delay_s
from upstream.openai.too_long import is_too_long

MAX_CAUSE_CHARS = 2_000
"""The longest cause. It is shortened further after redaction: a cut through a key would hide it from that."""

_MAX_DEPTH = 10
_MAX_TEXTS = 20
_MAX_ITEMS = 5  # of a list of errors
_MAX_PAGE_CHARS = 300  # of a web page
_MAX_READ_CHARS = 8_000  # of one text

_TEXT_FIELDS = (
    *("error", "errors", "fault", "base_resp", "message", "Message", "msg", "status_msg", "error_msg", "error_message"),
    *("errorMessage", "error_description", "faultstring", "reason", "detail", "details", "description", "title"),
    *("text", "error_text", "err", "errmsg", "err_msg", "exception", "explanation", "statusText"),
    *("metadata", "raw", "innererror", "inner_error", "cause", "body", "data", "response"),
)
"""Fields that hold the words of an error, or an object with such fields, in the order in which they are read."""

_CODE_FIELDS = ("code", "type", "status", "reason", "error_code", "errorCode", "status_code", "statusCode", "__type")

_ECHOES = frozenset({"input", "inputs", "messages", "prompt", "request", "url", "ctx", "loc"})
"""Fields in which a provider may repeat the request: they are never shown."""

_GENERIC = frozenset(
    {status.phrase.lower() for status in HTTPStatus}
    | {"error", "provider returned error", "upstream error", "unknown error", "request failed", "api error"}
)
"""Generic words, left out beside others."""

_STATUS_OF_WORD = (
    (re.compile(r"rate.?limit|too.?many.?requests|resource.?exhausted|throttl|quota", re.IGNORECASE), 429),
    (re.compile(r"overloaded|unavailable|capacity|engine_busy", re.IGNORECASE), 503),
    (re.compile(r"api.?key|authentic|unauthorized", re.IGNORECASE), 401),
    (re.compile(r"permission|forbidden|access.?denied", re.IGNORECASE), 403),
    (re.compile(r"payment|billing|balance|insufficient.?(?:funds|credit)", re.IGNORECASE), 402),
    (re.compile(r"not.?found", re.IGNORECASE), 404),
    (re.compile(r"time.?out|deadline", re.IGNORECASE), 504),
    (re.compile(r"invalid|bad.?request|validation|unsupported|extra_forbidden", re.IGNORECASE), 400),
)
"""The status that the code of an error inside a reply with status 200 stands for."""

_STATUS_OF_MINIMAX = {1001: 504, 1002: 429, 1004: 401, 1008: 402, 1039: 400, 1041: 429, 2013: 400, 2049: 401}
"""https://platform.minimaxi.com/document/ErrorCode, in `base_resp`."""

_CUT_OFF = re.compile(r'"(?:message|msg|detail)"\s*:\s*"((?:[^"\\]|\\.){1,400})')
_EVENT = re.compile(r"(?:(?:event|id|retry):[^\n]*\n|:[^\n]*\n)*(?:data|error): ?([^\n]*)")
_MARKUP = re.compile(r"<[!?/a-z]", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,500}>")
_SCRIPT = re.compile(r"<(?:script|style)\b", re.IGNORECASE)
# Escape sequences of terminals, other control characters, and Unicode's marks that turn the direction of text.
_CONTROLS = re.compile(r"\x1b\[[0-?]{0,20}[ -/]{0,5}[@-~]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_TITLE = re.compile(r"<title[^<>]{0,100}>([^<]{1,200})", re.IGNORECASE)
_MODERATED = re.compile(
    r"moderation|content[ _]?(?:filter|policy|safety)|safety[ _](?:filter|policy|system)|data_inspection|guardrail"
    r"|(?:content|input|message|prompt|request)s?\b[^.]{0,30}\b(?:flagged|inappropriate)",
    re.IGNORECASE,
)
_REFUSED_KEY = re.compile(r"invalid_api_key|api_key_invalid|incorrect_api_key|^unauthenticated$", re.IGNORECASE)


def read_error(
    body: Any, status: int, retry_after_s: float | None = None, *, should_retry: bool | None = None
) -> CallError:
    """Return the CallError for an error reply: its JSON value, or its text if it is not JSON.

    `status` is the reply's; an error inside a reply with status 200 counts by its own code. `retry_after_s` and
    `should_retry` are what the reply's headers say, or None if they say nothing; then the body is asked.
    """
    codes = list(dict.fromkeys(_find_codes(body)))
    cause = find_cause(body)
    status = status if status >= 400 else _status_inside(body, codes, cause)  # noqa: PLR2004
    kind = kind_of_status(status)
    if is_too_long(cause, codes, status):
        kind = Kind.CONTEXT_LENGTH
    elif status == HTTPStatus.BAD_REQUEST and any(_REFUSED_KEY.search(str(code)) for code in codes):
        kind = Kind.AUTH
    elif status == HTTPStatus.FORBIDDEN and any(_MODERATED.search(str(text)) for text in (cause, *codes)):
        kind = Kind.REJECTED  # this request, and not the key: others must not wait for a breaker
    if retry_after_s is None:
        retry_after_s = find_delay_s(body)
        if retry_after_s is None and status in (429, 503):
            retry_after_s = read_delay_s(cause)
    if should_retry is None and is_unpaid(cause, codes, has_delay=retry_after_s is not None):
        should_retry = False
    return CallError(
        kind,
        cause or f"HTTP {status}",
        status=status,
        retry_after_s=retry_after_s,
        should_retry=should_retry,
        body=body,
    )


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether a JSON object with status 200 is an error: one of the known shapes, and no completion or chunk."""
    if states_error(body.get("error")) or body.get("object") == "error":
        return True
    if body.get("choices"):
        return False
    base = body.get("base_resp")
    if isinstance(base, dict):
        return bool(base.get("status_code"))
    return (
        bool(body.get("errors"))
        or body.get("success") is False
        or any(
            isinstance(body.get(key), str | list) and body[key]
            for key in ("detail", "message", "msg", "error_msg", "errmsg")
        )
    )


def states_error(error: Any) -> bool:
    """Whether the field `error` of a reply reports one: some relays send it beside answers, with empty members."""
    return any(error.values()) if isinstance(error, dict) else bool(error)


def find_cause(body: Any) -> str:
    """Return the cause in the provider's own words, at most MAX_CAUSE_CHARS, or "" if the reply has none.

    Words that only wrap others are left out, and control characters: clients print it on terminals. A reply in an
    unknown shape is returned as JSON.
    """
    texts = list(dict.fromkeys(text for text in islice(_find_texts(body, 0), _MAX_TEXTS) if text))
    telling = [text for text in texts if text.lower().rstrip(".") not in _GENERIC] or texts
    kept = [text for text in telling if not any(text != other and text in other for other in telling)]
    cause = _CONTROLS.sub("", ": ".join(kept))
    if not cause and isinstance(body, dict | list) and body:
        cause = json_codec.encode_ascii(_without_echoes(body))
    provider = _find_provider(body)
    if provider and cause and provider not in cause:
        cause = f"{cause[: MAX_CAUSE_CHARS - len(provider) - 3]} ({provider})"
    return cause[:MAX_CAUSE_CHARS]


def _find_texts(value: Any, depth: int) -> Iterator[str]:
    """Yield the words of an error, those that wrap others first."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        yield from _read_text(value, depth)
    elif isinstance(value, list):
        for each in value[:_MAX_ITEMS]:
            yield from _find_texts(each, depth + 1)
    elif isinstance(value, dict):
        if isinstance(value.get("code"), str) and " " in value["code"]:  # xAI puts words there
            yield value["code"]
        words = (text for key in _TEXT_FIELDS if key in value for text in _find_texts(value[key], depth + 1))
        if isinstance(value.get("loc"), list):  # FastAPI: the path of the field
            path = ".".join(map(str, value["loc"][:_MAX_ITEMS]))
            yield f"{path}: {': '.join(islice(words, _MAX_ITEMS))}"
        else:
            yield from words


def _read_text(text: str, depth: int) -> Iterator[str]:
    """Yield a text, or the words in it if it is JSON, an event or a web page, complete or cut off."""
    text = text.strip()[:_MAX_READ_CHARS]
    value = _decode(text)
    if value is not None:
        yield from list(_find_texts(value, depth + 1)) or [text]
    elif text[:1] in ("{", "["):
        cut = _CUT_OFF.search(text)
        yield cut[1] if cut else text
    elif _MARKUP.match(text):  # a web page of a proxy, with the cause in its title, or XML
        title = _TITLE.search(text)
        words = title[1] if title else _TAG.sub(" ", _SCRIPT.split(text, maxsplit=1)[0])
        yield " ".join(words.split())[:_MAX_PAGE_CHARS]
    else:
        yield " ".join(text.split())


def _decode(text: str) -> Any:
    """Return the JSON value in a text, which may be the data of an event, or None if it has none."""
    text = text.strip()[:_MAX_READ_CHARS]
    event = _EVENT.match(text)
    text = event[1] if event else text
    if text[:1] not in ("{", "["):
        return None
    try:
        return json_codec.decode(text)
    except (ValueError, RecursionError):
        return None


def _find_codes(value: Any, depth: int = 0) -> Iterator[str | int]:
    """Yield the codes of an error, from the outside inwards; numbers as numbers."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        value = _decode(value)
    if isinstance(value, list):
        for each in value[:_MAX_ITEMS]:
            yield from _find_codes(each, depth + 1)
    elif isinstance(value, dict):
        for key in _CODE_FIELDS:
            code = value.get(key)
            if isinstance(code, str | int) and not isinstance(code, bool):
                yield int(code) if isinstance(code, str) and re.fullmatch(r"[0-9]{3,6}", code) else code
        for key in _TEXT_FIELDS:
            yield from _find_codes(value.get(key), depth + 1)


def _find_provider(body: Any) -> str:
    """Return the provider behind a router, as OpenRouter names it."""
    error = body.get("error") if isinstance(body, dict) else None
    metadata = error.get("metadata") if isinstance(error, dict) else None
    provider = metadata.get("provider_name") if isinstance(metadata, dict) else None
    return provider[:40] if isinstance(provider, str) else ""


def _without_echoes(value: Any, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {key: _without_echoes(each, depth + 1) for key, each in value.items() if key not in _ECHOES}
    if isinstance(value, list):
        return [_without_echoes(each, depth + 1) for each in value[:_MAX_ITEMS]]
    return value


def _status_inside(body: Any, codes: list[str | int], cause: str) -> int:
    """Return the status that an error inside a successful reply stands for, or 502 if it is unknown."""
    base = body.get("base_resp") if isinstance(body, dict) else None
    if isinstance(base, dict) and base.get("status_code") in _STATUS_OF_MINIMAX:
        return _STATUS_OF_MINIMAX[base["status_code"]]
    for code in codes:
        if isinstance(code, int) and 400 <= code < 600:  # noqa: PLR2004
            return code
    words = [code for code in codes if isinstance(code, str)]
    for word in (*words, cause):
        for pattern, status in _STATUS_OF_WORD:
            if pattern.search(word) and (word != cause or status in (401, 429, 503)):
                return status
    return HTTPStatus.BAD_GATEWAY
