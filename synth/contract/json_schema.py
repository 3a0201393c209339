"""Check JSON values against the JSON Schemas that requests give. Pure: no reference is ever fetched."""

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from math import isfinite
from typing import Any

import jsonschema_rs

from runtime import json_codec
from runtime.budget import Budget
from synth.contract.schema_cost import count_checks, count_errors, count_values, find_excess

MAX_FINDING_CHARS = 300

_FENCE = "```"
_DRAFTS = ("draft-04/schema", "draft-06/schema", "draft-07/schema", "draft/2019-09/schema", "draft/2020-12/schema")
_KNOWN = frozenset(f"{scheme}://json-schema.org/{draft}" for scheme in ("http", "https") for draft in _DRAFTS)
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000)  # for look-arounds; all else is linear
_NOT_CHECKED = ("BacktrackLimitExceeded", "RegexEngineFailure", "Referencing")
_STEPS_PER_VALUE = 10  # to look at a schema, and to compile it
_MAX_ERRORS = 20


class SchemaError(ValueError):
    """The schema cannot be used; the message is the reason, worded to follow the path of the field."""


def find_schema_defect(schema: Any) -> str | None:
    """Return why a value is not a usable JSON Schema, or None.

    It is not an object, violates its draft, has a reference to something outside it, or is too expensive to check.
    Takes at most about twenty milliseconds.
    """
    try:
        _compile(schema)
    except SchemaError as error:
        return str(error)
    return None


def find_mismatch(value: Any, schema: Mapping[str, Any], budget: Budget) -> str | None:
    """Return where and why a JSON value does not fit a schema, or None.

    Raises SchemaError if the schema has a defect. Raises BudgetExceededError if checking takes too many steps.
    """
    budget.spend(_STEPS_PER_VALUE * count_values(schema, budget))
    validator = _compile(schema)
    count_checks(schema, value, budget)
    try:
        if validator.is_valid(value):
            return None
        count_errors(schema, value, budget)
        errors = [error for error in islice(validator.iter_errors(value), _MAX_ERRORS) if _is_certain(error)]
    except ValueError:  # a lone surrogate, or nested too deeply for native code: not checked
        return None
    if not errors:
        return None
    outermost = min(errors, key=lambda error: len(error.instance_path))
    return f"at {_format_path('$', outermost.instance_path)}: {outermost.message}"[:MAX_FINDING_CHARS]


def _is_certain(error: jsonschema_rs.ValidationError) -> bool:
    return type(error.kind).__name__ not in _NOT_CHECKED


def _compile(schema: Any) -> jsonschema_rs.Validator:
    if not isinstance(schema, dict):
        raise SchemaError("must be an object")
    excess = find_excess(schema)
    if excess is not None:
        raise SchemaError(excess)
    try:
        return jsonschema_rs.validator_for(
            _without_unknown_draft(schema), offline=True, validate_formats=False, pattern_options=_PATTERNS
        )
    except jsonschema_rs.ValidationError as error:
        path = _format_path("", error.instance_path)
        where = f"at {path.removeprefix('.')}: " if path else ""
        raise SchemaError(f"is not a JSON Schema: {where}{error.message}"[:MAX_FINDING_CHARS]) from None
    except ValueError as error:
        raise SchemaError(f"is not a JSON Schema: {error}"[:MAX_FINDING_CHARS]) from None


def _without_unknown_draft(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without the name of its draft if that is unknown: the current draft then applies."""
    draft = schema.get("$schema")
    if not isinstance(draft, str) or draft.rstrip("#") in _KNOWN:
        return dict(schema)
    return {name: value for name, value in schema.items() if name != "$schema"}


def _format_path(root: str, path: Iterable[str | int]) -> str:
    return root + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)


def strip_fence(text: str) -> str:
    """Return the text inside a fence that surrounds the whole text; any other text unchanged."""
    stripped = text.strip()
    opening, newline, rest = stripped.partition("\n")
    fenced = opening.startswith(_FENCE) and opening.strip("`").strip().isalnum() | (not opening.strip("` \t"))
    if not newline or not fenced or not rest.endswith(_FENCE) or _FENCE in opening[len(_FENCE) :]:
        return text
    return rest.removesuffix(_FENCE).rstrip(" \t").removesuffix("\n")


def parse_json(text: str | bytes) -> Any:
    """Decode JSON strictly. Raises ValueError with the cause."""
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
