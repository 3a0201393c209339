"""JSON Schema, as requests give it for answers and for tools' arguments. Pure: no reference leads to the network."""

from collections.abc import Mapping
from typing import Any

from jsonschema import SchemaError, validators
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

MAX_FINDING_CHARS = 300
_NOTHING_REMOTE: Registry[Any] = Registry()


def schema_problem(schema: Any) -> str | None:
    """Return what is wrong with a schema itself, None where it is one."""
    if not isinstance(schema, dict):
        return "must be an object"
    try:
        validators.validator_for(schema).check_schema(schema)
    except SchemaError as error:
        return f"is not a JSON Schema: {error.message}"[:MAX_FINDING_CHARS]
    return None


def mismatch(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return where and why a JSON value misses a schema that has no problem, None where it fits."""
    validator = validators.validator_for(schema)(schema, registry=_NOTHING_REMOTE)
    try:
        missed = best_match(validator.iter_errors(value))
    except Unresolvable as reference:
        return f"the schema refers to {reference.ref}, which lies outside of it"[:MAX_FINDING_CHARS]
    except RecursionError:
        return "the schema refers to itself without end"
    return None if missed is None else f"at {missed.json_path}: {missed.message}"[:MAX_FINDING_CHARS]
