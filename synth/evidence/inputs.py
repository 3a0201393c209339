"""Make further arguments for a function, on which candidates can be compared with each other. Pure and repeatable.

They come from the arguments of the request's own examples, changed a little, else from type hints. The correct results
are unknown, but candidates can be compared by their agreement (AlphaCode, arXiv 2203.07814; CodeT, 2207.10397).
"""

import ast
import random
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from synth.evidence.expressions import parse_expression

MAX_INPUTS = 16

_LARGEST = 50  # of an integer: candidates may be exponential in it
_MAX_CHARS = 300
_ROUNDS = 4
_BY_HINT: dict[str, tuple[Any, ...]] = {
    "int": (0, 1, 2, 3, 7, 10, -1, 12),
    "float": (0.0, 1.5, -2.25, 3.0, 10.1),
    "str": ("", "a", "abc", "Hello World", "aab b1", "(())", "racecar"),
    "bool": (True, False),
    "list": ([], [1], [3, 1, 2], [1, 1, 2, -3], [5, 4, 3, 2, 1]),
    "dict": ({}, {"a": 1}, {"b": 2, "a": 1}),
}
_LISTS: dict[str, tuple[Any, ...]] = {
    "int": ([], [1], [3, 1, 2], [1, 1, 2, -3], [5, 4, 3, 2, 1], [0, 10, -10]),
    "float": ([], [1.0], [3.5, 1.0, 2.25], [1.1, 1.1, -3.0]),
    "str": ([], ["a"], ["b", "a", "ab"], ["", "abc", "abc"]),
}


def vary_calls(function: str, calls: Sequence[str], hints: Sequence[str]) -> tuple[str, ...]:
    """Return up to MAX_INPUTS calls of the function that are not among `calls`."""
    literal = [arguments for call in calls if (arguments := _literal_arguments(call, function)) is not None]
    made = _mutations(literal) if literal else _from_hints(hints)
    known = {tuple(map(repr, arguments)) for arguments in literal}
    found: dict[tuple[str, ...], None] = {}
    for arguments in made:
        key = tuple(map(repr, arguments))
        if key not in known and sum(map(len, key)) <= _MAX_CHARS:
            found.setdefault(key)
        if len(found) == MAX_INPUTS:
            break
    return tuple(f"{function}({', '.join(key)})" for key in found)


def _literal_arguments(call: str, function: str) -> tuple[Any, ...] | None:
    node = parse_expression(call)
    if (
        not isinstance(node, ast.Call)
        or not isinstance(node.func, ast.Name)
        or node.func.id != function
        or node.keywords
    ):
        return None
    try:
        return tuple(ast.literal_eval(argument) for argument in node.args)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return None


def _mutations(literal: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    rng = random.Random("inputs")  # noqa: S311 -- repeatable on purpose
    for _ in range(_ROUNDS):
        for arguments in literal:
            for place in range(len(arguments)):
                changed = _mutated(arguments[place], rng)
                yield (*arguments[:place], changed, *arguments[place + 1 :])


def _mutated(value: Any, rng: random.Random) -> Any:
    mutated = value
    match value:
        case bool():
            mutated = not value
        case int():
            mutated = max(-_LARGEST, min(_LARGEST, rng.choice([value + 1, value - 1, 0, 1, value * 2, -value])))
        case float():
            mutated = rng.choice([value + 1.0, -value, value / 2, 0.0])
        case str():
            mutated = _mutated_text(value, rng)
        case list() | tuple():
            mutated = type(value)(_mutated_items(list(value), rng))
        case dict() if value:
            kept = list(value.items())
            kept.pop(rng.randrange(len(kept)))
            mutated = dict(kept)
    return mutated


def _mutated_text(value: str, rng: random.Random) -> str:
    if not value:
        return rng.choice(["a", "ab", " "])
    at = rng.randrange(len(value))
    return rng.choice([value[:at] + value[at + 1 :], value[::-1], value + value[at], value[:at], value.swapcase()])


def _mutated_items(items: list[Any], rng: random.Random) -> list[Any]:
    if not items:
        return items
    at = rng.randrange(len(items))
    return rng.choice(
        [
            [*items[:at], *items[at + 1 :]],
            items[::-1],
            [*items, items[at]],
            [*items[:at], _mutated(items[at], rng), *items[at + 1 :]],
            items[:at],
        ]
    )


def _from_hints(hints: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    pools = [_values_of(hint) for hint in hints]
    if not pools or not all(pools):
        return
    longest = max(map(len, pools))
    for index in range(longest):
        yield tuple(pool[index % len(pool)] for pool in pools)
    for index, arguments in enumerate(product(*(pool[:3] for pool in pools))):
        if index == MAX_INPUTS:
            return
        yield arguments


def _values_of(hint: str) -> tuple[Any, ...]:
    base, _, inner = hint.replace("typing.", "").replace(" ", "").lower().partition("[")
    if base in ("list", "sequence", "iterable", "tuple"):
        return _LISTS.get(inner.rstrip("]").split(",")[0], _BY_HINT["list"])
    return _BY_HINT.get(base, ())
