"""Further inputs are new, repeatable, small, and of the kinds that the function takes."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.evidence.inputs import MAX_INPUTS, vary_calls

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-100, 100)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def arguments(call: str) -> list[object]:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    return [ast.literal_eval(argument) for argument in node.args]


@given(st.lists(st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=4))
def test_calls_are_varied(examples: list[list[object]]) -> None:
    """Each is a call with literals, none is an example's or twice there, and the same come every time."""
    calls = [f"f({', '.join(map(repr, each))})" for each in examples]
    found = vary_calls("f", calls, ())
    assert found == vary_calls("f", calls, ())
    assert len(found) <= MAX_INPUTS
    assert len(set(found)) == len(found)
    assert not {repr(arguments(call)) for call in found} & {repr(each) for each in examples}


def test_kinds_are_kept() -> None:
    """A list of integers stays one, and so does a text."""
    for call in vary_calls("f", ["f([1, 2, 3], 'abc')"], ()):
        numbers, text = arguments(call)
        assert isinstance(numbers, list)
        assert all(isinstance(number, int) for number in numbers)
        assert isinstance(text, str)


def test_integers_stay_small() -> None:
    """A candidate may be exponential in a number."""
    assert all(abs(arguments(call)[0]) <= 50 for call in vary_calls("f", ["f(40)", "f(1000000)"], ()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hints", "kinds"),
    [
        (("int",), (int,)),
        (("List[int]", "str"), (list, str)),
        (("list[float]",), (list,)),
        (("typing.List[str]",), (list,)),
        (("bool", "float"), (bool, float)),
        (("Dict[str, int]",), (dict,)),
    ],
)
def test_hints_give_inputs(hints: tuple[str, ...], kinds: tuple[type, ...]) -> None:
    """Without examples, inputs are made from type hints."""
    found = vary_calls("f", (), hints)
    assert found
    for call in found:
        assert [type(value) for value in arguments(call)] == list(kinds)


@pytest.mark.parametrize("hints", [(), ("",), ("int", ""), ("Tree",), ("Callable[[int], int]",)])
def test_unknown_kinds_give_none(hints: tuple[str, ...]) -> None:
    """No input is invented for a parameter of unknown kind."""
    assert vary_calls("f", (), hints) == ()


@pytest.mark.parametrize("call", ["f(x)", "f(g(1))", "f(a=1)", "g(1)", "f(", "f(*[1])", "m.f(1)"])
def test_calls_that_are_not_literal_give_no_inputs(call: str) -> None:
    assert vary_calls("f", [call], ()) == ()
