"""The estimated cost of schemas. Whole schemas are in test_json_schema.py."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.budget import Budget, BudgetExceededError
from synth.contract.schema_cost import MAX_CHARS, MAX_VALUES, count_checks, count_errors, count_values, find_excess

_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=10,
)


def is_within(schema: Any, value: Any, steps: int) -> bool:
    try:
        count_checks(schema, value, Budget(steps))
    except BudgetExceededError:
        return False
    return True


def spent(count: Callable[[Any, Any, Budget], None], schema: Any, value: Any) -> int:
    budget = Budget(1_000_000)
    count(schema, value, budget)
    return 1_000_000 - budget._steps


@pytest.mark.parametrize(
    "pattern",
    [r"^[A-Z]{2}\d{4,10}$", r"[^\]]{1,64}@(\w+\.)+\w{2,24}", "x{2}" * 100, "{", "a{", "a{b}", "[", "\\", ")", "(" * 10],
)
def test_ordinary_patterns_are_cheap(pattern: str) -> None:
    """Malformed ones are left for the library to refuse."""
    assert find_excess({"pattern": pattern}) is None


@pytest.mark.parametrize(
    "pattern", ["(a{100}){200}", "((a{30}){30}){30}", "[a-z]{10001}", "a{5000,}" * 3, "(?:a|b){6000}(c){6000}"]
)
def test_repeated_repetitions_are_expensive(pattern: str) -> None:
    """The library expands them."""
    assert "pattern" in str(find_excess({"properties": {"a": {"pattern": pattern}}}))


def test_a_pattern_counts_wherever_it_stands() -> None:
    """Many small ones are as expensive as a large one."""
    one = {"pattern": "a{1000}"}
    assert find_excess({"properties": {"a": one}}) is None
    assert find_excess({"properties": {f"p{n}": one for n in range(20)}}) is not None
    assert find_excess({"properties": {"pattern": {"type": "string"}}}) is None


def test_a_schema_that_refers_to_itself_is_finite() -> None:
    """Trees are described so."""
    tree = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    assert find_excess(tree) is None


def test_a_long_chain_of_references_is_refused() -> None:
    """It would need more stack than there is."""
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(4_000)}
    assert find_excess({"$defs": {**chain, "d4000": {}}, "$ref": "#/$defs/d0"}) is not None


@given(_VALUES)
def test_values_are_counted(value: Any) -> None:
    """Each of them once."""

    def count(each: Any) -> int:
        inner = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        return 1 + sum(map(count, inner))

    assert count_values(value, Budget(10_000)) == count(value)


@given(_VALUES, _VALUES)
def test_any_schema_is_refused_or_counted(schema: Any, value: Any) -> None:
    """No schema raises another exception."""
    assert find_excess(schema) is None
    assert is_within(schema, value, 1_000_000)


def test_steps_are_spent_by_the_size_of_the_value() -> None:
    """A large schema is cheap for a small value, and a small one is not for a long list."""
    schema = {"properties": {f"p{n}": {"type": "string"} for n in range(1_000)}}
    assert is_within(schema, {"p1": "x"}, 100)
    assert not is_within({"items": {"type": "string"}}, ["x"] * 1_000, 10_000)


@given(_VALUES, _VALUES)
def test_the_errors_of_any_schema_are_counted(schema: Any, value: Any) -> None:
    """No schema raises another exception, and finding the errors is never cheaper than checking."""
    count_errors(schema, value, Budget(1_000_000))
    assert spent(count_errors, schema, value) > spent(count_checks, schema, value)


def test_an_error_costs_as_much_as_a_copy_of_the_value() -> None:
    """Of all of it, on each level."""
    schema = {"anyOf": [{"type": "string"}] * 10}
    small, large = ({"a": ["b" * n]} for n in (10, 64_000))
    assert spent(count_errors, schema, large) - spent(count_errors, schema, small) > 10 * 1_000


def test_all_limits_are_above_those_of_openai() -> None:
    """OpenAI allows 5,000 properties, ten levels deep (https://platform.openai.com/docs/guides/structured-outputs)."""
    assert MAX_VALUES > 5_000
    assert MAX_CHARS > 120_000
    schema: dict[str, Any] = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(450)}}
    for _ in range(10):
        schema = {"type": "object", "properties": {"inner": schema}, "additionalProperties": False}
    assert find_excess(schema) is None
