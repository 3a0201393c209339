"""Immutable value classes that are cheap to make.

`dataclass(frozen=True)` sets each field with a call to `object.__setattr__`, which makes an instance cost three times
as much. A request makes some hundred of them, so here the type checker alone enforces immutability.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class a dataclass with slots that compares and hashes by its fields."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
