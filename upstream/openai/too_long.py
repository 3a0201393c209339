"""Recognising "the conversation is too long" in the words of any provider. Pure.

Each provider has its own sentence, and changes it. So this module matches the idea rather than a sentence: a phrase
that measures a conversation beside one for "too much". To cover a new sentence, add the missing expression to one of
these two tables; if it has neither, add it to `_WHOLE`.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus


def _any_of(*expressions: str) -> re.Pattern[str]:
    return re.compile("|".join(expressions), re.IGNORECASE | re.DOTALL)


_CODE = _any_of(
    r"context_(?:length|window|size)",
    r"max_(?:prompt|input)_(?:tokens|length)",
    r"(?:prompt|input)_too_long",
    r"token_limit_exceeded",
    r"tokens_limit_reached",
    r"request_too_large",
)
"""Codes that mean it."""

_WHOLE = _any_of(
    r"max_(?:prompt|input)_(?:tokens|length) exceeded",
    r"max(?:imum)? (?:context|prompt|input) (?:length|tokens|characters)",
    r"context (?:window|length|size|limit) (?:is |was |limit )?(?:exceed|overflow|too)",
    r"reached (?:the )?context length|only has a context (?:window |length )?of \d",
    r"too many (?:input |prompt |total )?tokens(?! per )",
    r"exceeds? (?:the )?max(?:imum)? (?:context |prompt |input |message )?(?:length|tokens?)\b",
    r"expected maxlength",
    r"(?:model )?token limit exceeded|exceeded model token limit",
    r"'(?:messages|input|prompt)\b[^']{0,60}': string too long",
    r"(?:输入|提示|上下文|请求|prompt).{0,20}(?:超过|超出|超限|超长|过长|太长)",
    r"超(?:过|出).{0,20}(?:长度|上下文|token)",
)
"""Expressions that mean it by themselves."""

_MEASURE = _any_of(
    r"inputs?\b\W{0,3}tokens",
    r"context[ _](?:window|length|size|limit)|max_model_len|n_ctx|num_ctx",
    r"(?:input|prompt|sequence|token|message|model|conversation) (?:length|limit|count)",
    r"length of (?:the )?(?:input|prompt|message|conversation)",
    r"(?:input|prompt|messages?|conversation|request|requested|context) (?:\w+ ){0,2}tokens?\b",
    r"(?:number of|total|many|max(?:imum)?(?: \w+)?|allowed) (?:input |prompt |text )?(?:tokens|characters|bytes)",
    r"\b(?:inputs?|prompts?|messages?|conversation)\b[`'\")]* (?:is|are|was|of|must|exceeds?|too|contains?|\()",
    r"\bcontext (?:the )?overflow|request (?:size|body)|payload size|max size: \d+ tokens",
)
"""Phrases that measure a conversation."""

_EXCESS = _any_of(
    r"exceed|overflow|(?:over|above) the (?:limit|maximum)|beyond|out of range|range of",
    r"too (?:long|large|many|big)",
    r"(?:longer|larger|greater|bigger|more) than|\d tokens? > \d",
    r"(?:must|cannot|can't) (?:be|have) (?:<|less|at most|no more|more|fewer|under|within)",
    r"at most|up to|only supports?",
    r"(?:does(?:n't| not)|not) fit",
    r"reduce|shorten|truncate",
    r"limit(?: is|:)|limit reached|is only \d|is \d+ but|maximum\b.{1,40}\bhowever",
)
"""Phrases for "too much"."""

_OTHER = _any_of(
    r"^\W*(?:(?:invalid|unsupported|bad|illegal)\b[^:]{0,30}:\W*)?max_(?:completion_|output_|new_)?tokens\b",
    r"(?:per |_per_)(?:minute|min|day|hour|second)|rate.?limit|\bquota\b",
    r"deadline exceeded|timed? ?out",
    r"\b(?:images?|audio|files?|tools?|functions?|stop|metadata|schema)\b",
)
"""Signs that something else is too much: the answer's own limit, requests in a time, an image, the tools."""

_NO_WAIT_HELPS = _any_of(
    r"(?:body|content|entity|payload|request) too large",
    r"must be reduced",
    r"reduce (?:your|the) (?:length|message|prompt|input)",
)
"""A limit of size, or a rate limit that this request exceeds by itself: only a shorter conversation helps."""

_STATUSES = frozenset({400, 413, 422, 429, 500, 502, 503})
_MAX_CHARS = 2_000


def is_too_long(cause: str, codes: Iterable[str | int], status: int) -> bool:
    """Whether an error reply means that the conversation is longer than the model or its account can take."""
    if status not in _STATUSES:
        return False
    if any(isinstance(code, str) and _CODE.search(code) for code in codes):
        return True
    text = cause[:_MAX_CHARS]
    if status in (413, 429) and _NO_WAIT_HELPS.search(text):
        return True
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return False
    return bool(_WHOLE.search(text) or (_MEASURE.search(text) and _EXCESS.search(text) and not _OTHER.search(text)))
