"""Special methods that Monty passes over are known, and so is that it still does."""

import pytest

from runtime.sandbox import monty
from runtime.sandbox.forks import ForkSandbox
from runtime.sandbox.monty_gaps import find_gap
from runtime.sandbox.namespaces import Isolation, isolation
from runtime.sandbox.trials import Check, Kind, Limits, Trial
from tests.runtime.sandbox.boxes import observe

PLAIN = "class A:\n    def __init__(self):\n        self.v = 1\n\n    def __add__(self, other):\n        return 3\n"


@pytest.mark.parametrize(
    ("source", "gap"),
    [
        ("x = 1", ""),
        (PLAIN, ""),
        ("if __name__ == '__main__':\n    pass", ""),
        ("class A:\n    __slots__ = ('x',)", ""),
        ("class A:\n    def __lt__(self, other): pass", "__lt__"),
        ("class A:\n    async def __aenter__(self): pass", "__aenter__"),
        ("class A:\n    def __getitem__(self, i): pass", "__getitem__ without __iter__"),
        ("class A:\n    def __getitem__(self, i): pass\n    def __iter__(self): pass", ""),
        ("class A:\n    def f(self): pass\n    __bool__ = f", "__bool__"),
        ("def __lt__(a, b): pass", ""),
    ],
)
def test_gaps_are_found(source: str, gap: str) -> None:
    """Of methods of classes; functions may be called anything."""
    assert find_gap(source) == gap


RIGHT = [
    ("def __lt__(self, other): return True", "A() < A()", "True"),
    ("def __bool__(self): return False", "bool(A())", "False"),
    ("def __len__(self): return 0", "1 if A() else 2", "2"),
    ("def __getattr__(self, name): return name", "A().word", "'word'"),
    ("def __iadd__(self, other): return 3", "[a := A(), a.__iadd__(1)][1]", "3"),
    ("def __format__(self, spec): return spec", "f'{A():x}'", "'x'"),
]


@pytest.mark.parametrize(("method", "expression", "expected"), RIGHT)
async def test_what_monty_passes_over_is_unknown(method: str, expression: str, expected: str) -> None:
    """Right code does not count as wrong, and runs in the next sandbox."""
    trial = Trial(f"class A:\n    {method}\n", (Check(expression, expected),))
    assert (await observe(monty.NAME, trial)).loaded.kind is Kind.UNKNOWN
    if isolation() is Isolation.NAMESPACES:
        assert ForkSandbox.name == "namespaces"
        assert [check.equal for check in (await observe("namespaces", trial)).checks] == [True]


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("def f():\n    f.n = getattr(f, 'n', 0) + 1\n    return f.n", "f() == 1"),
        ("def f():\n    'doc'\n    return f.__doc__", "f() == 'doc'"),
        ("def f():\n    return 'a'.translate(str.maketrans('a', 'b'))", "f() == 'b'"),
        ("def f():\n    return bytes([1, 2])", "f() == b'\\x01\\x02'"),
        (PLAIN, "A() + A() == 3"),
    ],
)
async def test_right_code_is_never_wrong(source: str, expression: str) -> None:
    """It is unknown, or passes."""
    report = await observe(monty.NAME, Trial(source, (Check(expression, "True"),)), Limits(step_s=5.0, trial_s=10.0))
    assert all(each.kind is Kind.UNKNOWN or each.equal for each in report.checks)
