"""Read single Python expressions out of prose. Pure, and linear in the length of the text.

The text is a client's: every scan is by hand and moves forward only, every parsed piece is bounded.
"""

import ast
import keyword
import re
import warnings
from collections.abc import Iterator

MAX_EXPRESSION_CHARS = 1000
MAX_DEPTH = 50
"""How deep an expression may be nested: what is read here is also unparsed, which recurses."""

_MAX_UNCLOSED = 8  # parentheses that do not close, in one text: each is scanned for up to MAX_EXPRESSION_CHARS

_OPENING = {"(": ")", "[": "]", "{": "}"}
_NUMBER = re.compile(r"[+-]?(?:0[xob][0-9a-fA-F]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?j?|\.\d+)")
_GOES_ON = re.compile(
    r"[ \t]*(?:[+%@&^]|\*{1,2}[ \t]*[\w(\[]|/[\w(]|/ \d|\|[ \t]*[\w(\[]|-[ \t]*[\d(\[a-z]|[<>!=]=|[<>] ?\d"
    r"|(?:if|or)[ \t]|-+>|=>|[→➞]|\.\.|,[ \t]*[-+]?[\d\[(\"'])"
)
_CLOSING_WIDE = "。，；：、）」】！？…"  # of Chinese and Japanese, which have no spaces either
_NAME = re.compile(r"[A-Za-z_]\w*")
_VALUE_NAMES = frozenset({"True", "False", "None", "inf", "nan"})
_FOREIGN_VALUES = {"true": True, "false": False, "null": None}  # of JSON, and of prose
_FOREIGN = re.compile(r"\b(?:true|false|null)\b")
_GROUPED = re.compile(r",\d{3}(?!\d)")
_CONSTRUCTORS = frozenset(
    {"set", "frozenset", "dict", "list", "tuple", "float", "int", "str", "bytes", "bool", "complex", "range", "sorted"}
)
_NOT_A_CALL = frozenset({*keyword.kwlist, *keyword.softkwlist, "print"})
_OF_VALUES = (
    ast.expr_context | ast.operator | ast.unaryop | ast.keyword | ast.Constant
    | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.UnaryOp | ast.BinOp
)  # fmt: skip


def parse_expression(text: str) -> ast.expr | None:
    """Parse one expression, or None if the text is no expression, too long, or nested too deeply."""
    text = text.strip()
    if not text or len(text) > MAX_EXPRESSION_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `1 is 1`, an odd escape
            node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return node if depth(node) <= MAX_DEPTH else None


def depth(node: ast.AST) -> int:
    """Return how many levels a tree has. Does not recurse."""
    level, nodes = 0, [node]
    while nodes:
        level += 1
        nodes = [child for each in nodes for child in ast.iter_child_nodes(each)]
    return level


def is_value(node: ast.expr) -> bool:
    """Whether an expression consists of constants and constructors only, as the expected value of an example must."""
    return all(
        (isinstance(part, _OF_VALUES) and not (isinstance(part, ast.Constant) and part.value is ...))
        or (isinstance(part, ast.Name) and part.id in _CONSTRUCTORS)
        or (isinstance(part, ast.Call) and isinstance(part.func, ast.Name))
        for part in ast.walk(node)
    )


def read_value(text: str, start: int) -> tuple[str, int] | None:
    """Read a value at `start`; return its text and its end, or None if there is no value.

    A number, a string, brackets, True, False, None, or a constructor's call such as `set()`.
    """
    if start >= len(text):
        return None
    sign = 1 if text[start] == "-" else 0
    first = text[start + sign : start + sign + 1]
    if first in _OPENING or first in "\"'":
        end = end_of_item(text, start + sign)
    elif number := _NUMBER.match(text, start):
        end = number.end()
    elif name := _NAME.match(text, start):
        end = _end_of_named(text, name)
    else:
        return None
    if end is None or not _is_delimited(text, start, end):
        return None
    node = parse_value(text[start:end])
    if node is None:
        return None
    return (ast.unparse(node) if _FOREIGN.search(text, start, end) else text[start:end]), end


def parse_value(text: str) -> ast.expr | None:
    """Parse a value, also with JSON's names for True, False and None. Return None if the text is no value."""
    node = parse_expression(text)
    if node is not None and _FOREIGN.search(text):
        node = _ForeignValues().visit(node)
    return node if node is not None and is_value(node) else None


class _ForeignValues(ast.NodeTransformer):
    """Replaces the names true, false and null by constants."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_FOREIGN_VALUES[node.id]) if node.id in _FOREIGN_VALUES else node


def find_calls(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each outermost call `name(…)` with its name, its start and its end, in order.

    Methods (`a.b()`), definitions, and calls whose parentheses do not close within MAX_EXPRESSION_CHARS are left out.
    """
    position = n_unclosed = 0
    while n_unclosed < _MAX_UNCLOSED and (name := _NAME.search(text, position)):
        position = name.end()
        if text[position : position + 1] != "(" or name[0] in _NOT_A_CALL or _follows_definition(text, name.start()):
            continue
        end = end_of_item(text, position)
        if end is None:
            n_unclosed += 1
            continue
        if text[name.start() - 1 : name.start()] != ".":
            yield name[0], name.start(), end
        position = end


def end_of_item(text: str, start: int) -> int | None:
    """Return the end of the string or brackets that open at `start`, or None if they do not close within the bound."""
    limit = min(len(text), start + MAX_EXPRESSION_CHARS)
    expected: list[str] = []
    position = start
    while position < limit:
        character = text[position]
        if character in "\"'":
            position = _end_of_string(text, position, limit)
        elif character in _OPENING:
            expected.append(_OPENING[character])
            position += 1
        elif character in ")]}":
            if not expected or expected.pop() != character:
                return None
            position += 1
        else:
            position += 1
        if not expected:
            return position if position <= limit else None
    return None


def _end_of_string(text: str, start: int, limit: int) -> int:
    """Return where a string literal ends; behind the limit if it does not."""
    quote = text[start] * 3 if text.startswith(text[start] * 3, start) else text[start]
    position = start + len(quote)
    while position < limit:
        if text[position] == "\\":
            position += 2
        elif text.startswith(quote, position):
            return position + len(quote)
        elif text[position] == "\n" and len(quote) == 1:
            return limit + 1
        else:
            position += 1
    return limit + 1


def _end_of_named(text: str, name: re.Match[str]) -> int | None:
    if name[0] in _VALUE_NAMES or name[0] in _FOREIGN_VALUES:
        return name.end()
    if name[0] in _CONSTRUCTORS and text[name.end() : name.end() + 1] == "(":
        return end_of_item(text, name.end())
    if name[0].lower() in ("b", "r", "f", "u", "rb", "br") and text[name.end() : name.end() + 1] in "\"'":
        return end_of_item(text, name.end())
    return None


def _is_delimited(text: str, start: int, end: int) -> bool:
    """Whether a value may end here: not in a word, a number or another string, nor before an operator or an index."""
    rest = text[end : end + 2]
    if rest[:1] in ("'", '"') and text[start] in "'\"":
        return False
    if text[end - 1].isdigit() and _GROUPED.match(text, end):
        return False  # 1,000
    is_end = (
        not rest
        or rest[0].isspace()
        or rest[0] in _CLOSING_WIDE
        or "\u3040" <= rest[0] <= "\u9fff"
        or rest[0] in "`,;:!?#)]}\"'<|/*"
        or (rest[0] == "." and not rest[1:].isalnum())
    )
    return is_end and not _GOES_ON.match(text, end)


def _follows_definition(text: str, start: int) -> bool:
    before = text[max(0, start - 8) : start].split()
    return bool(before) and before[-1] in ("def", "class") and text[start - 1 : start].isspace()
