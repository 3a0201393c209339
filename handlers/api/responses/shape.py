"""Checks of the types in a Responses request; errors name the path of the field. Pure."""

from typing import Any, TypeVar

from handlers.api.intake.body import TYPE_NAMES, refuse

T = TypeVar("T")


def expect(kind: type[T], value: Any, path: str) -> T:
    """Return a value that is of this type. Raises ApiError (400) otherwise."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        refuse(path, f"must be {TYPE_NAMES[kind]}")
    return value


def expect_list(value: Any, path: str) -> list[Any]:
    """Return a list of objects; None counts as empty. Raises ApiError (400) for anything else."""
    items = [] if value is None else expect(list, value, path)
    for position, item in enumerate(items):
        expect(dict, item, f"{path}[{position}]")
    return items
