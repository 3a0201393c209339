"""JSON values and their schemas."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.budget import Budget, BudgetExceededError
from synth.contract.contract import INLINE_STEPS
from synth.contract.json_schema import SchemaError, find_mismatch, find_schema_defect, parse_json, strip_fence
from synth.edits.application import MAX_STEPS

PERSON = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "tags": {"$ref": "#/definitions/tags"}},
    "required": ["name"],
    "definitions": {"tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True}},
}


def mismatch(value: Any, schema: dict[str, Any], steps: int = MAX_STEPS) -> str | None:
    return find_mismatch(value, schema, Budget(steps))


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ({"name": "Ann", "tags": ["a", "b"]}, None),
        ({}, 'at $: "name" is a required property'),
        ({"name": "ann"}, "at $.name: "),
        ({"name": "Ann", "tags": [1]}, 'at $.tags[0]: 1 is not of type "string"'),
        ({"name": "Ann", "tags": ["a", "a"]}, "at $.tags: "),
        ("Ann", 'at $: "Ann" is not of type "object"'),
    ],
)
def test_a_mismatch_is_named_with_its_place(value: Any, finding: str | None) -> None:
    """Concretely enough for the model to fix it; an ordinary value is checked within a turn of the loop."""
    found = mismatch(value, PERSON, INLINE_STEPS)
    assert found is None if finding is None else str(found).startswith(finding)


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "https://example.com/my-own-draft", "type": "object"},
        {"type": "string", "format": "no-such-format"},
        {"pattern": r"^(?=.*\d).+$"},
        {"$ref": "#/x", "x": {"type": "object"}},
        {"$id": "https://example.com/a", "$ref": "https://example.com/a#/x", "x": {}},
        {"$defs": {"a": {"$anchor": "here"}}, "$ref": "#here"},
        {"items": {"$ref": "#"}},
        {"properties": {"v": {"$schema": "https://example.com/other", "type": "string"}}},
        {},
    ],
)
def test_usable_schemas_have_no_defect(schema: dict[str, Any]) -> None:
    """Whatever draft they name, with references inside, look-arounds and formats."""
    assert find_schema_defect(schema) is None


def nest(levels: int, keyword: str = "items") -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {keyword: schema}
    return schema


def double(levels: int, keyword: str = "anyOf") -> dict[str, Any]:
    """Return a schema of few values with 2**levels ways through it."""
    steps = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**steps, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (5, "must be an object"),
        (None, "must be an object"),
        ({"type": 7}, "is not a JSON Schema: at type"),
        ({"properties": {"a": {"items": 5}}}, "is not a JSON Schema: at properties.a.items"),
        ({"$schema": []}, "is not a JSON Schema"),
        ({"$id": "http://[::1", "$ref": "x"}, "is not a JSON Schema"),
        ({"$ref": "#/x", "x": 5}, "is not a JSON Schema"),
        ({"$ref": "#/x", "x": None}, "is not a JSON Schema"),
        ({"$ref": "#/definitions/a", "definitions": {"a": "b"}}, "is not a JSON Schema"),
        ({"properties": {"a": {"$ref": "http://[bad"}}}, "is not a JSON Schema"),
        ({"$ref": "#/nowhere"}, "is not a JSON Schema"),
        ({"items": {"$ref": "#nowhere"}}, "is not a JSON Schema"),
        ({"$ref": "http://127.0.0.1:1/x"}, "is not a JSON Schema"),
        ({"$ref": "file:///etc/passwd"}, "is not a JSON Schema"),
        ({"properties": {"a": {"allOf": [{"$ref": "other.json"}]}}}, "is not a JSON Schema"),
        ({"pattern": "("}, "is not a JSON Schema: at pattern"),
        ({"const": "\ud800"}, "is not a JSON Schema"),
        (nest(250), "is nested more than 200 levels deep"),
        (nest(100_000), "is nested more than 200 levels deep"),
        ({"properties": {f"p{n}": {"type": "string"} for n in range(20_000)}}, "has more than 10000 values"),
        ({"enum": list(range(20_000))}, "has more than 10000 values"),
        ({"type": "a" * 2_000_000}, "has more than 1000000 characters"),
        ({"properties": {"a" * 2_000_000: 3}}, "has more than 1000000 characters"),
        ({"required": ["a" * 1_000] * 2_000}, "has more than 1000000 characters"),
        (double(17), "has references with more than 100000 ways"),
        (double(30, "allOf"), "has references with more than 100000 ways"),
        (double(60, "oneOf"), "has references with more than 100000 ways"),
        ({"pattern": "(a|b)*" * 20_000}, "has a pattern that is too complex"),
        ({"pattern": "(a{1000}){1000}"}, "has a pattern that is too complex"),
        ({"patternProperties": {"((a{100}){100}){100}": {}}}, "has a pattern that is too complex"),
        ({"pattern": "(" * 5_000 + ")" * 5_000}, "has a pattern that is too complex"),
        ({"pattern": "a{99999999999}"}, "has a pattern that is too complex"),
    ],
)
def test_unusable_schemas_are_found_before_anybody_is_asked(schema: Any, problem: str) -> None:
    """Malformed ones, references that lead nowhere or away, and those that would take too long."""
    assert str(find_schema_defect(schema)).startswith(problem)
    if isinstance(schema, dict):
        with pytest.raises((SchemaError, BudgetExceededError)):
            mismatch({}, schema)


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"pattern": "^(a+){30}$"}, "a" * 29 + "b", False),
        ({"pattern": "^" + "a*" * 9 + "$"}, "a" * 5_000 + "b", False),
        ({"pattern": "^(a+)+$"}, "a" * 50_000 + "b", False),
        ({"properties": {"v": {"pattern": "^(a|a)*$"}}}, {"v": "a" * 5_000 + "b"}, False),
        ({"patternProperties": {"^(a|a)*$": {"type": "string"}}}, {"a" * 5_000: 1}, False),
        ({"pattern": r"^(?=(a+)+$)a"}, "a" * 30 + "b", False),
        ({"uniqueItems": True}, [{"a": n} for n in range(1_200)], True),
        ({"uniqueItems": True}, [{"a": [n]} for n in range(1_200)] + [{"a": [0]}], False),
        ({"enum": [{"a": n} for n in range(500)]}, [1] * 1_000, False),
    ],
)
def test_expensive_looking_values_are_checked_in_linear_time(schema: dict[str, Any], value: Any, fits: bool) -> None:
    """Patterns never backtrack, and unique items are not compared in pairs."""
    assert (mismatch(value, schema) is None) is fits


def test_a_look_around_that_backtracks_without_end_is_not_checked() -> None:
    """Such patterns need a backtracking engine, which is stopped."""
    assert mismatch("a" * 300, {"pattern": r"^(a|a)*\1b(?=c)"}) is None
    assert mismatch("b", {"pattern": r"^(a|a)*\1b(?=c)"}) is not None


def branch(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (double(13), {}),
        ({"items": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "type": "array"}, branch(22)),
        ({"$defs": {"a": {"$anchor": "x", "anyOf": [{"$ref": "#x"}, {"type": "null"}]}}, "$ref": "#x"}, 1),
        ({"$ref": "#"}, 1),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, 1),
        ({"items": {"enum": list(range(1_000))}}, list(range(1_000))),
        ({"pattern": "(?=(a*)*b)c"}, "a" * 3_000),
        ({"items": {"items": {"items": {"type": "integer"}}}}, [[[1] * 100] * 10] * 10),
        ({"properties": {f"p{n}": {"type": "string"} for n in range(4_900)}}, {}),
        ({"anyOf": [{"type": "string"}] * 500}, ["a" * 100_000]),
        ({"allOf": [{"type": "object"}] * 500}, ["a" * 100_000]),
        ({"oneOf": [{"type": "null"}] * 500}, {"a" * 100_000: 1}),
        ({"items": {"items": {"type": "string"}}}, [[{"a": ["b" * 1_000] * 1_000}]]),
        ({"anyOf": [{"type": "string"}] * 300}, list(range(20_000))),
    ],
)
def test_long_work_does_not_begin_on_the_loop(schema: dict[str, Any], value: Any) -> None:
    """It goes to a worker process, which can be stopped."""
    with pytest.raises(BudgetExceededError):
        mismatch(value, schema, INLINE_STEPS)


def test_a_value_that_fits_is_cheap_however_many_branches_it_misses() -> None:
    """The library makes errors, which hold copies of the value, only if all of it is to be refused."""
    schema = {"anyOf": [*[{"type": "string"}] * 500, {"type": "array"}]}
    assert mismatch(["a" * 100_000], schema, INLINE_STEPS) is None


def test_a_value_that_native_code_refuses_is_not_checked() -> None:
    """A lone surrogate is JSON for Python alone."""
    assert mismatch({"name": "\ud800"}, PERSON) is None


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=10,
)


@given(_VALUES)
def test_every_value_fits_an_empty_schema(value: Any) -> None:
    """And none fits the one that forbids all."""
    assert mismatch(value, {}) is None
    assert mismatch([value], {"items": False}) is not None or mismatch([value], {"const": []}) is None


@pytest.mark.parametrize("text", ["NaN", "[1,]", "", "{'a': 1}", "[" * 100_000, "1e999"])
def test_json_is_decoded_strictly(text: str) -> None:
    """ValueError, also for what nests too deeply."""
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)


def test_a_fence_is_stripped_in_linear_time() -> None:
    """Also one that never ends."""
    assert strip_fence("```json\n{}\n```") == "{}"
    assert strip_fence("```json\n" + " " * 1_000_000) == "```json\n" + " " * 1_000_000
