"""Values, as cheap ones."""

from dataclasses import field, replace

from runtime.frozen import frozen


@frozen
class Point:
    """Somewhere."""

    x: int
    tags: tuple[str, ...] = field(default_factory=tuple)


def test_values_are_equal_and_hashed_by_their_fields() -> None:
    """And another one is made of one, where a field is to differ."""
    assert Point(1) == Point(1, ()) != Point(2)
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert replace(Point(1), x=3) == Point(3)


def test_there_is_no_room_for_anything_else() -> None:
    """A misspelt name is an error, and a value is small."""
    assert not hasattr(Point(1), "__dict__")
