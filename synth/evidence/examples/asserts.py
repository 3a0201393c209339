"""Examples in the form of assert statements, and in their conditions. Pure."""

import ast
from collections.abc import Iterator, Sequence

from synth.evidence.examples.example import Example, await_calls, complete, find_called, find_function
from synth.evidence.expressions import MAX_DEPTH, MAX_EXPRESSION_CHARS, depth

_MAX_STATEMENT_LINES = 12
_DECORATION = "-*•`>+ \t"
_DEFAULT_TOLERANCE = 1e-6  # pytest's, and that of a sandbox's comparison


def is_assert(line: str) -> bool:
    """Whether a line begins an assert statement, perhaps as an item of a list or in backticks."""
    return line.lstrip(_DECORATION).startswith(("assert ", "assert("))


def read_assert(lines: Sequence[str], start: int) -> tuple[int, list[Example]]:
    """Read an assert statement, over several lines if it needs them; return the next line and the examples in it.

    It is parsed as its first line, and then once, where its brackets are balanced: trying each line would cost its
    length squared.
    """
    text, n_open = "", 0
    for position in range(start, min(len(lines), start + _MAX_STATEMENT_LINES)):
        line = lines[position].strip()
        if position == start:
            bare = line.lstrip(_DECORATION)
            line = bare.rstrip("`").rstrip() if bare != line else bare
        text += line + "\n"
        n_open += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if len(text) > MAX_EXPRESSION_CHARS:
            break
        is_whole = n_open <= 0 and not line.endswith("\\")
        conditions = _read_conditions(text) if is_whole or position == start else []
        if conditions or is_whole:
            return position + 1, [each for condition in conditions for each in find_examples(condition, "")]
    return start + 1, []


def _read_conditions(text: str) -> list[ast.expr]:
    """Return the conditions of assert statements in one line; none if the text is anything else."""
    try:
        statements = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    asserts = [each for each in statements if isinstance(each, ast.Assert)]
    return [await_calls(each.test) for each in asserts] if all(depth(each) <= MAX_DEPTH for each in statements) else []


def find_examples(condition: ast.expr, setup: str) -> list[Example]:
    """Return the examples in a condition that should hold, one for each part of a conjunction."""
    is_conjunction = isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And)
    parts = condition.values if is_conjunction and isinstance(condition, ast.BoolOp) else [condition]
    found = (find_equations(part, setup) or list(_find_truth(part, setup)) for part in parts)
    return [each for examples in found for each in examples]


def find_equations(node: ast.expr, setup: str) -> list[Example]:
    """Return the examples in `f(x) == y`, `f(x) is None` and `f(x) == approx(y)`; [] for any other expression."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.Is):
        return []
    left, right = node.left, node.comparators[0]
    if _tolerance_of(left) is not None or (not find_called(left) and find_called(right) and not _is_approximate(right)):
        left, right = right, left
    function = find_function(left, setup)
    if not function:
        return []
    if _is_approximate(right):
        example = _approximate(function, left, right, setup)
    else:
        example = Example(function, ast.unparse(left), ast.unparse(right), "", setup)
    completed = None if example is None else complete(example)
    return [] if completed is None else [completed]


def _find_truth(condition: ast.expr, setup: str) -> Iterator[Example]:
    holds = True
    if isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not):
        holds, condition = False, condition.operand
    function = find_function(condition, setup)
    example = Example(function, f"bool({ast.unparse(condition)})", str(holds), "", setup) if function else None
    if example is not None and (completed := complete(example)) is not None:
        yield completed


# Approximate values: pytest.approx with its parameters rel and abs


def _is_approximate(node: ast.expr) -> bool:
    return _tolerance_of(node) is not None


def _tolerance_of(node: ast.expr) -> ast.Call | None:
    match node:
        case ast.Call(func=ast.Name(id="approx") | ast.Attribute(attr="approx"), args=[_, *_]):
            return node
    return None


def _approximate(function: str, left: ast.expr, right: ast.expr, setup: str) -> Example | None:
    """Return the example for a comparison with a tolerance of its own, or with the one that every sandbox has."""
    if not isinstance(right, ast.Call):
        return None
    names = ["", "rel", "abs"]
    given = dict(zip(names, right.args, strict=False)) | {each.arg: each.value for each in right.keywords}
    expected = ast.unparse(right.args[0])
    if set(given) <= {""}:
        return Example(function, ast.unparse(left), expected, "", setup)
    if not set(given) <= set(names):
        return None
    relative = ast.unparse(given["rel"]) if "rel" in given else "0" if "abs" in given else str(_DEFAULT_TOLERANCE)
    absolute = ast.unparse(given["abs"]) if "abs" in given else "1e-12"
    call = f"abs({ast.unparse(left)} - ({expected})) <= max(({relative}) * abs({expected}), {absolute})"
    return Example(function, call, "True", "", setup)
