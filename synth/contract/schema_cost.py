"""Bound the cost of compiling a JSON Schema, and of checking a value against it. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runtime.budget import Budget

MAX_VALUES = 10_000
MAX_CHARS = 1_000_000
MAX_DEPTH = 200
MAX_PATHS = 100_000
MAX_PATTERN_SIZE = 10_000
MAX_PATTERN_DEPTH = 20
UNKNOWN_STEPS = 100_000

_MAX_DIGITS = 9  # a prefix of a longer number is large enough
_STEPS_PER_CHECK = 20
_COPIES_PER_ERROR = 2  # of the value: in the error, and in its message
_CHARS_PER_VALUE = 8  # what else is copied for each value in it
_PATTERN_CHARS = 4  # matching a character costs as much as scanning so many
_PAIRS_PER_STEP = 16
_LOOKS_AROUND = re.compile(r"\(\?[=!<]|\\[1-9k]")
_DEFINITIONS = ("$defs", "definitions")
_IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_IN_PLACE = ("not", "if", "then", "else")
_IN_PLACE_MAPPINGS = ("dependentSchemas", "dependencies")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_FOR_MEMBERS = ("additionalProperties", "unevaluatedProperties", "propertyNames")
_FOR_ELEMENTS = ("items", "additionalItems", "unevaluatedItems", "contains")


# Strategy. The library that checks values is linear in most things: patterns, unique items, long lists. Three kinds of
# schemas are expensive whatever the value: large or deep ones, whose compilation takes time and stack; patterns that
# repeat what they repeat, which it expands; and references that are used twice on each of n levels, of which it checks
# each of 2ⁿ ways. All three are found here from the schema alone, and refused before any model is asked. The remaining
# cost depends on the value as well: `count_checks` goes through both as the library does, only counting. A value that
# does not fit costs far more than one that does: for every branch that it misses, the library makes an error that holds
# a copy of the value. `count_errors` counts these copies.
def find_excess(schema: Any) -> str | None:
    """Return why a schema is too expensive to be used, or None."""
    pattern_size = n_chars = 0
    for n_values, (value, depth) in enumerate(_walk(schema), 1):
        if n_values > MAX_VALUES:
            return f"has more than {MAX_VALUES} values"
        if depth > MAX_DEPTH:
            return f"is nested more than {MAX_DEPTH} levels deep"
        n_chars += _count_chars(value)
        if n_chars > MAX_CHARS:
            return f"has more than {MAX_CHARS} characters"
        for pattern in _list_patterns(value):
            size, pattern_depth = _measure_pattern(pattern)
            pattern_size += size
            if pattern_size > MAX_PATTERN_SIZE or pattern_depth > MAX_PATTERN_DEPTH:
                return f"has a pattern that is too complex: {pattern[:60]!r}"
    try:
        n_paths = _PathCounter(schema).count(schema)
    except RecursionError:
        return "has too many references that lead to references"
    return f"has references with more than {MAX_PATHS} ways through them" if n_paths > MAX_PATHS else None


def count_values(value: Any, budget: Budget) -> int:
    """Return how many values a JSON value holds, itself included; each costs a step."""
    count = 0
    for _ in _walk(value):
        count += 1
        budget.spend(1)
    return count


def _walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield a JSON value and all values in it, each with its depth, without recursion."""
    pending = [(value, 1)]
    while pending:
        value, depth = pending.pop()
        yield value, depth
        inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        pending += [(each, depth + 1) for each in inner]


def _count_chars(value: Any) -> int:
    """Return the length of a string, or of an object's names together; 0 for other values."""
    if isinstance(value, str):
        return len(value)
    return sum(map(len, value)) if isinstance(value, dict) else 0


def _list_patterns(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    named = value.get("patternProperties")
    pattern = value.get("pattern")
    return [*(named if isinstance(named, dict) else ()), *([pattern] if isinstance(pattern, str) else ())]


def _measure_pattern(pattern: str) -> tuple[int, int]:
    """Return the size of a pattern with its counted repetitions written out, and how deeply its groups nest."""
    sizes, last, deepest = [0], 0, 1
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "(":
            sizes.append(1)
            deepest = max(deepest, len(sizes))
            continue
        if char == "{":
            end = pattern.find("}", position)
            last *= max(1, _read_count(pattern[position:end]) - 1) if end >= 0 else 1
            position = end + 1 if end >= 0 else position
        elif char == ")" and len(sizes) > 1:
            last = sizes.pop()
        else:
            last = 1
            if char == "\\":
                position += 1
            elif char == "[":
                position = max(position, pattern.find("]", position + 1) + 1)
        sizes[-1] += last
    return sum(sizes), deepest


def _read_count(text: str) -> int:
    """Return the larger number of `n`, `n,` or `n,m`; one for anything else."""
    numbers = [part for part in text.split(",") if part.isdecimal()]
    return max([int(number[:_MAX_DIGITS]) for number in numbers], default=1)


class _PathCounter:
    """Counts the ways through a schema and its references; a schema that refers to itself counts once."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._counts: dict[int, int] = {}

    def count(self, schema: Any) -> int:
        """Return the number of ways, or a number above `MAX_PATHS`. Raises RecursionError if references go too deep."""
        if isinstance(schema, list):
            return min(MAX_PATHS + 1, sum(map(self.count, schema)))
        if not isinstance(schema, dict):
            return 0
        if id(schema) not in self._counts:
            self._counts[id(schema)] = 1  # while it is counted, for those that lead back to it
            inner = [value for name, value in schema.items() if name not in _DEFINITIONS]
            targets = [_resolve(self._root, schema.get(name)) for name in _REFERENCES]
            count = 1 + sum(self.count(each) for each in (*inner, *targets))
            self._counts[id(schema)] = min(MAX_PATHS + 1, count)
        return self._counts[id(schema)]


def _resolve(root: Any, reference: Any) -> Any:
    """Return the target of a reference within the schema (RFC 6901), or None for any other reference."""
    if reference == "#":
        return root
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found = root
    for token in reference[2:].split("/"):
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name[:9]) < len(found):
            found = found[int(name[:9])]
        else:
            return None
    return found


def count_checks(schema: Any, value: Any, budget: Budget) -> None:
    """Spend the steps for checking a value against a schema. Raises BudgetExceededError if there are too few.

    A reference by an anchor or an address, or one without end, may take any number of steps. It takes more than a turn
    of the event loop has, so that such a schema is checked where the work can be stopped.
    """
    _visit_all(_Checks(schema, budget), schema, value)


def count_errors(schema: Any, value: Any, budget: Budget) -> None:
    """Spend the steps for finding out where a value does not fit. Raises BudgetExceededError if there are too few."""
    _visit_all(_Errors(schema, budget), schema, value)


def _visit_all(checks: "_Checks", schema: Any, value: Any) -> None:
    try:
        checks.visit(schema, value)
    except RecursionError:
        checks.budget.spend(UNKNOWN_STEPS)


class _Checks:
    """Goes through a schema and a value as a validator does that looks at every branch."""

    def __init__(self, root: Any, budget: Budget) -> None:
        self.budget = budget
        self._root = root

    def visit(self, schema: Any, value: Any) -> None:
        """Spend the steps for one schema and one value, and for all that follow from them."""
        self.budget.spend(_STEPS_PER_CHECK)
        if not isinstance(schema, dict):
            return
        for branch in self._list_branches(schema):
            self.visit(branch, value)
        choices = schema.get("enum")
        self.budget.spend(len(choices) if isinstance(choices, list) else 0)
        if isinstance(value, str):
            self._match(_list_patterns(schema), value)
        elif isinstance(value, dict):
            for name in value:
                self._match(_list_patterns(schema), name)
            self._visit_members(schema, value)
        elif isinstance(value, list):
            self._visit_elements(schema, value)

    def _match(self, patterns: Sequence[str], text: str) -> None:
        self.budget.spend_chars(len(text))
        for pattern in patterns:
            self.budget.spend_chars(_PATTERN_CHARS * len(text))
            if _LOOKS_AROUND.search(pattern):  # the engine for these starts anew at each character
                self.budget.spend(len(text) ** 2 // _PAIRS_PER_STEP)

    def _list_branches(self, schema: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the schemas that apply to the same value."""
        for name in _REFERENCES:
            if name in schema:
                target = _resolve(self._root, schema[name])
                if target is None:
                    self.budget.spend(UNKNOWN_STEPS)
                else:
                    yield target
        for name in _IN_PLACE_LISTS:
            yield from schema[name] if isinstance(schema.get(name), list) else ()
        for name in _IN_PLACE_MAPPINGS:
            yield from schema[name].values() if isinstance(schema.get(name), dict) else ()
        for name in _IN_PLACE:
            if name in schema:
                yield schema[name]

    def _visit_members(self, schema: Mapping[str, Any], members: Mapping[str, Any]) -> None:
        properties = schema.get("properties")
        for name in members:
            if isinstance(properties, dict) and name in properties:
                self.visit(properties[name], members[name])
        patterns = schema.get("patternProperties")
        rest = [schema[name] for name in _FOR_MEMBERS if name in schema]
        rest += patterns.values() if isinstance(patterns, dict) else ()
        for each in rest:
            for value in members.values():
                self.visit(each, value)

    def _visit_elements(self, schema: Mapping[str, Any], elements: list[Any]) -> None:
        self.budget.spend(len(elements))
        for name in ("prefixItems", "items"):
            if isinstance(schema.get(name), list):
                for each, value in zip(schema[name], elements, strict=False):
                    self.visit(each, value)
        for name in _FOR_ELEMENTS:
            if isinstance(schema.get(name), dict):
                for value in elements:
                    self.visit(schema[name], value)


class _Errors(_Checks):
    """Goes through both as a validator does that makes an error for every branch."""

    def __init__(self, root: Any, budget: Budget) -> None:
        super().__init__(root, budget)
        self._sizes: dict[int, int] = {}

    def visit(self, schema: Any, value: Any) -> None:
        """Spend the steps for one schema and one value, and for all that follow from them."""
        self.budget.spend_chars(_COPIES_PER_ERROR * self._measure(value))
        super().visit(schema, value)

    def _measure(self, value: Any) -> int:
        """Return about how many characters a copy of a value has."""
        if not isinstance(value, dict | list):
            return _CHARS_PER_VALUE + _count_chars(value)
        if id(value) not in self._sizes:
            self.budget.spend(len(value))
            inner = value.values() if isinstance(value, dict) else value
            self._sizes[id(value)] = _CHARS_PER_VALUE + _count_chars(value) + sum(map(self._measure, inner))
        return self._sizes[id(value)]
