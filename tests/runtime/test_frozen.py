"""Immutable value classes."""

from dataclasses import field, replace

from runtime.frozen import frozen


@frozen
class Point:
    """A value with a default."""

    x: int
    tags: tuple[str, ...] = field(default_factory=tuple)


def test_values_compare_and_hash_by_their_fields() -> None:
    """`dataclasses.replace` makes a changed copy."""
    assert Point(1) == Point(1, ()) != Point(2)
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert replace(Point(1), x=3) == Point(3)


def test_a_value_has_no_dict() -> None:
    """So a misspelt attribute is an error, and an instance is small."""
    assert not hasattr(Point(1), "__dict__")
