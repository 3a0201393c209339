"""Gaps of Monty that raise no error, so that correct code would seem to be wrong. Pure.

Monty raises an error for most of what it does not have. Of classes, it calls only some special methods; the others it
passes over: `bool(a)` is True whatever `__bool__` says, and `a < b` has no `__lt__`. Tried with version 1.4.
"""

import re

_METHOD = re.compile(r"^[ \t]+(?:async[ \t]+)?def[ \t]+(__\w+__)[ \t]*\(", re.MULTILINE)
_ASSIGNED = re.compile(r"^[ \t]+(__\w+__)[ \t]*=", re.MULTILINE)
_CALLED = frozenset(
    f"__{name}__"
    for name in (
        "init", "eq", "hash", "repr", "str", "call", "contains", "iter", "next", "enter", "exit", "int", "float",
        "index", "abs", "neg", "pos", "invert", "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "floordiv",
        "mod", "divmod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift", "round", "getitem", "setitem",
        "delitem",
    )
)  # fmt: skip
_HARMLESS = frozenset({"__slots__", "__match_args__", "__test__", "__hash__"})


def find_gap(source: str) -> str:
    """Return the first special method of a module's classes that Monty does not call, "" if there is none."""
    if "__" not in source:
        return ""
    defined = _METHOD.findall(source)
    assigned = [name for name in _ASSIGNED.findall(source) if name not in _HARMLESS]
    if "__getitem__" in defined and "__iter__" not in defined:
        return "__getitem__ without __iter__"
    return next((name for name in (*defined, *assigned) if name not in _CALLED), "")
