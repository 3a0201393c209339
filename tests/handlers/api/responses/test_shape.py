"""Checks of types in a Responses request name the path of what is wrong."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.api.intake.body import refuse
from handlers.api.responses.shape import expect, expect_list
from handlers.errors import ApiError

VALUES: dict[type[Any], Any] = {str: "x", dict: {"a": 1}, list: [1], bool: True, int: 1}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("given_kind", [*VALUES, type(None)])
def test_a_value_has_the_type_or_is_refused(kind: type[Any], given_kind: type[Any]) -> None:
    """Each type against each other: a boolean is no integer, though Python says so."""
    value = VALUES.get(given_kind)
    if kind is given_kind:
        assert expect(kind, value, "a.b") is value
        return
    with pytest.raises(ApiError) as caught:
        expect(kind, value, "a.b")
    error = caught.value
    assert (error.status, error.param, error.code) == (400, "a.b", "invalid_value")
    assert error.message.startswith("a.b: must be a")


@settings(max_examples=25)
@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers())))
def test_a_list_of_objects_is_returned(items: list[dict[str, Any]]) -> None:
    """It is returned as it is; a missing list counts as empty."""
    assert expect_list(items, "input") == items
    assert expect_list(None, "input") == []


@pytest.mark.parametrize(
    ("value", "path"), [({}, "input"), ("x", "input"), ([{}, 1], "input[1]"), ([None], "input[0]")]
)
def test_anything_else_is_refused_with_its_path(value: Any, path: str) -> None:
    """The path leads to the item."""
    with pytest.raises(ApiError) as caught:
        expect_list(value, "input")
    assert caught.value.param == path


def test_a_refusal_may_have_a_code_of_its_own() -> None:
    """Clients compare codes."""
    with pytest.raises(ApiError, match=r"^input: is required$") as caught:
        refuse("input", "is required", code="missing_required_parameter")
    assert caught.value.code == "missing_required_parameter"
