"""Checks of the types in a Responses request, with the path of what is wrong. Pure."""

from typing import Any, NoReturn, TypeVar

from handlers.errors import ApiError

T = TypeVar("T")

_NAMES: dict[type, str] = {str: "a string", dict: "an object", list: "an array", bool: "a boolean", int: "an integer"}


def expect(kind: type[T], value: Any, path: str) -> T:
    """Return a value that is of this type; ApiError (400) otherwise."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        refuse(path, f"must be {_NAMES.get(kind, kind.__name__)}")
    return value


def expect_list(value: Any, path: str) -> list[Any]:
    """Return a list of objects; None counts as empty; ApiError (400) for anything else."""
    items = [] if value is None else expect(list, value, path)
    for position, item in enumerate(items):
        expect(dict, item, f"{path}[{position}]")
    return items


def refuse(path: str, problem: str, *, code: str = "invalid_value") -> NoReturn:
    """Raise the ApiError (400) for a field."""
    raise ApiError(400, f"{path}: {problem}", param=path, code=code)
