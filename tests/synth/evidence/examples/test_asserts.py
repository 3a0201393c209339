"""Conditions of asserts are examples."""

import pytest

from tests.synth.evidence.examples.forms import shown


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("assert f(1) == 2", ["f(1) == 2"]),
        ("assert 2 == f(1)", ["f(1) == 2"]),
        ("assert f(1) is None", ["f(1) == None"]),
        ("assert f(1)", ["bool(f(1)) == True"]),
        ("assert not f(1)", ["bool(f(1)) == False"]),
        ("assert f(1) == 2, 'why'", ["f(1) == 2"]),
        ("assert f(1) == 2  # why", ["f(1) == 2"]),
        ("assert f([1,\n  2]) == [\n 2]", ["f([1, 2]) == [2]"]),
        ("assert abs(f(1) - 2) < 0.1", ["bool(abs(f(1) - 2) < 0.1) == True"]),
        ("assert f(1) != 2", ["bool(f(1) != 2) == True"]),
        ("assert (f(1) == 2)", ["f(1) == 2"]),
        ("assert f(1) ==", []),
        ("assert f('{') == '['", ["f('{') == '['"]),
        ("assert f([')',\n 2]) == 3", ["f([')', 2]) == 3"]),
        ("assert x == 2", []),
        ("assert", []),
        ("- `assert f(1) == 2`", ["f(1) == 2"]),
        ("1 assert f(1) == 2", ["f(1) == 2"]),
        ("assert f(1) == 2; assert not f(2)", ["f(1) == 2", "bool(f(2)) == False"]),
        ("assert f(1) == 2 and f(2) == 3", ["f(1) == 2", "f(2) == 3"]),
        ("assert f(1) == f(2) == 3", ["bool(f(1) == f(2) == 3) == True"]),
        ("assert f(1) is True", ["f(1) == True"]),
        ("assert f(1) == pytest.approx(0.3)", ["f(1) == 0.3"]),
        ("assert approx(0.3) == f(1)", ["f(1) == 0.3"]),
        ("assert f(1) == approx(3, abs=1)", ["abs(f(1) - (3)) <= max((0) * abs(3), 1) == True"]),
        ("assert math.isclose(f(1), 2)", ["bool(math.isclose(f(1), 2)) == True"]),
        ("assert f(x) == f(-x)", []),
        ("assert await f(1) == 2", ["asyncio.run(f(1)) == 2"]),
        ("assert f(1) == expected", []),
        ("assert f(Point(1)) == Point(2)", ["f(Point(1)) == Point(2)"]),
        ("assert all(f(i) == i for i in range(3))", ["bool(all((f(i) == i for i in range(3)))) == True"]),
        ("assert (", []),
    ],
)
def test_asserts_are_examples(text: str, examples: list[str]) -> None:
    """An assert's equation is an example; any other condition is to be true or false."""
    assert shown(text) == examples
