"""The words and codes of refusals, collected from providers and servers. Pure data.

Each expression has beside it a sentence in which it was found. To add one: here if its kind is known, otherwise with a
rule of its own in rules.py.
"""

import re

_I = re.IGNORECASE

CANNOT = r"can ?(?:no|['\u2019])t"


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), _I)


_PART = r"(?:attribute|argument|field|key|option|param|property)"

REFUSES = _any_of(
    r"unsupported|unavailable|incompatible|unrecogni[sz]ed|deprecated for",
    r"(?:\bnot|n['\u2019]t) (?:currently |yet |been )?(?:supported|permitted|allowed|available|enabled|accepted)",
    r"(?:\bnot|n['\u2019]t) (?:currently |yet |been )?(?:recogni[sz]ed|implemented|compatible|applicable)",
    r"no longer (?:supported|accepted|allowed|available)|(?:has been|have been|was) removed|obsolete",
    rf"(?:is|are) (?:disallowed|forbidden|prohibited)|\b(?:disallowed|forbidden|prohibited|illegal) {_PART}",
    r"(?:must|should|may)(?:n['\u2019]t| not) be (?:given|included|passed|present|provided|sent|set|specified|used)",
    r"(?:does|do)(?: ?n[o'\u2019]t| not) (?:currently |yet )?(?:support|accept|allow|recogni[sz]e|permit)",
    r"(?:does|do)(?: ?n[o'\u2019]t| not) have\b(?! (?:access|permission|enough|sufficient))|\bno support for",
    r"only (?:supports?|supported|allowed)|only the default",
    r"may only be set to|\bonly \S+ is (?:allowed|accepted|supported)",
    rf"\bunknown (?:name|variant|role|{_PART})",
    rf"unexpected (?:keyword|name|(?:message )?role|{_PART})",
    rf"not an? (?:accepted|allowed|known|permitted|recogni[sz]ed|supported|valid) {_PART}",
    rf"\b(?:no such|has no(?! attribute)|takes? no) {_PART}|takes? no [`'\"]?\w+[`'\"]? {_PART}",
    rf"\b{_PART}\w*:? [`'\"]?\w+[`'\"]? does(?:n['\u2019]t| not) exist",
    r"could not be mapped to any|is not defined by type",  # .NET, GraphQL
    r"\bextra (?:input|field|key|propert)|additional propert|cannot find field",
    rf"{CANNOT} (?:both )?be (?:used|set|specified|combined)|\b{CANNOT} (?:use|set|specify|combine)\b",
    rf"\bremove (?:the )?(?:[`'\"]?\w+[`'\"]? {_PART}|{_PART} [`'\"])",
    r"(?:must|should) be (?:removed|omitted|unset|disabled|null|false|empty)",
    r"no endpoints found that support|requires? (?:the )?`?--",
    r"不支持|不允许|未知的?参数|サポートされていません",
)
# Words about a value: another one might be taken, so the field is not refused. A refusal with each stands beside it.
VALUE = _any_of(
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
    r"\bbetween -?\d",  # temperature 3 is not allowed, use a value between 0 and 2
    r"is not one of",  # 'foo' is not one of ['auto', 'none'] - 'tool_choice'
    r"not a valid (?!field|param|argument|property|key)",  # m is not a valid model ID
    r"valid (?:number|integer|string|boolean)",  # Input should be a valid integer
    r"大于|小于|超过|超出|范围|取值|必须",  # max_tokens 参数不支持大于 8192 的值
    r"\bmore than \d",  # You cannot use more than 128 tools
    r"\bnegative\b(?! prompt)",  # Cannot set temperature to a negative value
    # You cannot set seed to null / stop must not be set to an empty string
    rf"(?:{CANNOT} set|not be set)(?: [`'\"]?\w+[`'\"]?)? to (?:an? )?(?:empty|null)",
    r"\billegal \w+(?: value\b|: ?\w+ ?=)",  # Illegal argument: temperature=-1
    r"\btwice\b",  # role 'system' may not be used twice
)
# Words about something missing: the request needs more, not less.
LACKS = _any_of(
    r"\bmissing\b",  # Missing required parameter: 'messages[0].content'.
    r"\bfield required\b",  # Field required
    r"\b(?:is|are) required\b",  # 'additionalProperties' is required to be supplied and to be false.
    # The `reasoning_content` in the thinking mode must be passed back to the API.
    r"must (?:also )?be (?:passed|provided|included|present|supplied)\b",
    r"\bmust (?:have|contain|include|start|end)\b",  # 'messages' must contain the word 'json' in some form
)
BAD_SCHEMA = _any_of(
    r"invalid schema",
    r"invalid grammar|\blook-?(?:ahead|behind)",  # Invalid grammar: regex lookahead is not supported
)
# Words about an outage. Behind a status of the server's they refuse nothing: Tools are unavailable
OUTAGE = _any_of(r"unavailable|temporar|try again|at the moment|overloaded")
# Words with which advice begins: names before them are refused, names behind them are taken.
ADVICE = _any_of(
    r"\buse\b|\binstead\b",  # 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.
    r"\bplease\b|\bconsider\b",  # cannot both be specified for this model. Please use only one.
    r"\btry\b",  # this parameter has moved to 'reasoning.effort'. Try again with the new parameter.
    r"did you mean",  # got an unexpected keyword argument 'max_token'. Did you mean 'max_tokens'?
    r"\bexpected\b",  # unknown variant `developer`, expected one of `system`, `user`
    # Unrecognized field "seed" (class ChatRequest), not marked as ignorable (2 known properties: "model", "messages")
    r"\bknown (?:attributes|fields|keys|parameters|properties)\b",
    r"to drop these",  # To drop these, set `litellm.drop_params=True`
    r"\bonly\b",  # Only the default (1) value is supported.
    r"(?:should|must) be\b",  # 'response_format.type' must be 'json_schema' or 'text'
    # Invalid value: 'developer'. Supported values are: 'system', 'assistant', 'user'
    r"(?:supported|allowed|valid|permitted) (?:values|parameters|fields|roles|inputs)",
)
CODES = frozenset(
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
