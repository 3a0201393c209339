"""Check JSON values against the JSON Schemas that requests give. Pure: no reference is fetched."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import isfinite
from typing import Any

from jsonschema import SchemaError, validators
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from runtime import json_codec

MAX_FINDING_CHARS = 300
Keyword = Callable[[Any, Any, Any, Any], Any]

_FENCE = "```"
_WITH_PATTERNS = ("pattern", "patternProperties")
_REPEATED_GROUP = re.compile(r"\)(?:[+*]|\{\d*,)")
_REPEATS = re.compile(r"[+*|]|\{\d*,")
_NOTHING_REMOTE: Registry[Any] = Registry()


def find_schema_defect(schema: Any) -> str | None:
    """Return why a value is not a usable JSON Schema, or None."""
    if not isinstance(schema, dict):
        return "must be an object"
    try:
        validators.validator_for(schema).check_schema(schema)
    except SchemaError as error:
        return f"is not a JSON Schema: {error.message}"[:MAX_FINDING_CHARS]
    except RecursionError:
        return "is nested too deeply"
    except (TypeError, ValueError, AttributeError) as error:  # for example a $schema that is not a string
        return f"is not a JSON Schema: {error}"[:MAX_FINDING_CHARS]
    return None


def find_mismatch(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return where and why a JSON value does not fit a valid schema, or None."""
    validator = _make_careful(validators.validator_for(schema))(schema, registry=_NOTHING_REMOTE)
    try:
        missed = best_match(validator.iter_errors(value))
    except Unresolvable as reference:
        return f"the schema refers to {reference.ref}, which lies outside of it"[:MAX_FINDING_CHARS]
    except RecursionError:
        return "the schema refers to itself without end"
    return None if missed is None else f"at {missed.json_path}: {missed.message}"[:MAX_FINDING_CHARS]


@cache
def _make_careful(validator: type[Validator]) -> type[Validator]:
    """Return the validator of a draft that skips patterns which could block the event loop for minutes."""
    keywords = {
        name: _skip_slow_patterns(validator.VALIDATORS[name]) for name in _WITH_PATTERNS if name in validator.VALIDATORS
    }
    extended: type[Validator] = validators.extend(validator, keywords)  # type: ignore[no-untyped-call]  # untyped there
    return extended


def _skip_slow_patterns(keyword: Keyword) -> Keyword:
    def checked(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[Any]:
        patterns = [rule] if isinstance(rule, str) else list(rule)
        if not any(_may_explode(pattern) for pattern in patterns):
            yield from keyword(validator, rule, instance, schema) or ()

    return checked


def _may_explode(pattern: str) -> bool:
    """Whether a pattern repeats a group that itself repeats or branches: matching may take exponential time."""
    return _REPEATED_GROUP.search(pattern) is not None and len(_REPEATS.findall(pattern)) > 1


def strip_fence(text: str) -> str:
    """Return the text inside a fence that surrounds the whole text; any other text unchanged."""
    stripped = text.strip()
    opening, newline, rest = stripped.partition("\n")
    fenced = opening.startswith(_FENCE) and opening.strip("`").strip().isalnum() | (not opening.strip("` \t"))
    if not newline or not fenced or not rest.endswith(_FENCE) or _FENCE in opening[len(_FENCE) :]:
        return text
    return rest.removesuffix(_FENCE).rstrip(" \t").removesuffix("\n")


def parse_json(text: str | bytes) -> Any:
    """Decode JSON strictly. ValueError says what is wrong."""
    try:
        return json_codec.decode_fast(text)
    except (ValueError, RecursionError):
        return _decode_strictly(text)


def _decode_strictly(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _refuse(text)
