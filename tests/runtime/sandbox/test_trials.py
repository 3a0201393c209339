"""Every sandbox makes the same observations of the same code, or answers unknown."""

import pytest

from runtime.sandbox.trials import MAX_SHOWN_CHARS, Check, Kind, Limits, Observation, Trial, failure
from tests.runtime.sandbox.boxes import each_box, observe, opened

ADD = "def add(a, b):\n    return a + b\n"


@each_box
@pytest.mark.parametrize(
    ("source", "check", "expected"),
    [
        (ADD, Check("add(1, 2)", "3"), Observation(Kind.VALUE, True, "3")),
        (ADD, Check("add(1, 2)", "4"), Observation(Kind.VALUE, False, "3")),
        (ADD, Check("add(1, 2)"), Observation(Kind.VALUE, None, "3")),
        (ADD, Check("add(0.1, 0.2)", "0.3"), Observation(Kind.VALUE, True, "0.30000000000000004")),
        (
            ADD,
            Check("[add(0.1, 0.2), (1,)]", "[0.3, (1,)]"),
            Observation(Kind.VALUE, True, "[0.30000000000000004, (1,)]"),
        ),
        (ADD, Check("add(0.1, 0.2)", "0.31"), Observation(Kind.VALUE, False, "0.30000000000000004")),
        (ADD, Check("add(0, 0.0)", "float('inf')"), Observation(Kind.VALUE, False, "0.0")),
        (ADD, Check("add(0, -float('inf'))", "-float('inf')"), Observation(Kind.VALUE, True, "-inf")),
        (ADD, Check("add((1,), ())", "[1]"), Observation(Kind.VALUE, False, "(1,)")),
        (ADD, Check("add(x, y)", "3", setup="x = 1\ny = 2"), Observation(Kind.VALUE, True, "3")),
        (ADD, Check("add(1, 2)  # three", "3  # it is"), Observation(Kind.VALUE, True, "3")),
        (ADD, Check("add(1, '2')", "3"), Observation(Kind.ERROR, error="TypeError")),
        (ADD, Check("add(1, 2)", "3", setup="assert False"), Observation(Kind.ERROR, error="AssertionError")),
        (ADD, Check("sub(1, 2)", "3"), Observation(Kind.ERROR, error="NameError")),
        (ADD, Check("{'a': add(0.1, 0.2)}", "{'a': 0.3}"), Observation(Kind.VALUE, True, "{'a': 0.30000000000000004}")),
        (ADD, Check("{'a': add(1, 2)}", "{'b': 3}"), Observation(Kind.VALUE, False, "{'a': 3}")),
        ("def f(x): return f(x)", Check("f(1)", "1"), Observation(Kind.ERROR, error="RecursionError")),
        ("def f(x): return x[0]", Check("f([])", "1"), Observation(Kind.ERROR, error="IndexError")),
        ("import nowhere_to_be_found", Check("1", "1"), Observation(Kind.UNKNOWN)),
        ("def f():\n    import numpy\n    return numpy.e", Check("f()", "1"), Observation(Kind.UNKNOWN)),
        ("def f():\n    while True: pass", Check("f()", "1"), Observation(Kind.UNKNOWN)),
        ("def f():\n    return len('x' * 10**12)", Check("f()", "1"), Observation(Kind.UNKNOWN)),
        (
            "repr = len = str = bool = None\ndef f(): return [1]",
            Check("f()", "[1]"),
            Observation(Kind.VALUE, True, "[1]"),
        ),
        (
            "if __name__ == '__main__':\n    raise ValueError\nx = 1",
            Check("x", "1"),
            Observation(Kind.VALUE, True, "1"),
        ),
        ("x = 1  # no newline at the end", Check("x", "1"), Observation(Kind.VALUE, True, "1")),
        ("print('hello')\nx = 1", Check("x", "1"), Observation(Kind.VALUE, True, "1")),
    ],
)
async def test_a_check_is_observed(box: str, source: str, check: Check, expected: Observation) -> None:
    """Values are compared, exceptions named, and failures of the sandbox are unknown."""
    report = await observe(box, Trial(source, (check,)), Limits(step_s=2.0, trial_s=10.0))
    observed = (*report.checks, report.loaded)[0]
    assert (observed.kind, observed.equal, observed.shown, observed.error) == (
        expected.kind,
        expected.equal,
        expected.shown,
        expected.error,
    )
    assert bool(observed.message) or observed.kind is not Kind.UNKNOWN


@each_box
@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("x = 1", Kind.VALUE),
        ("x = (", Kind.ERROR),
        ("x = y", Kind.ERROR),
        ("raise ValueError('no')", Kind.ERROR),
        ("import nowhere_to_be_found", Kind.UNKNOWN),
        ("while True: pass", Kind.UNKNOWN),
    ],
)
async def test_a_module_that_does_not_load_is_observed(box: str, source: str, kind: Kind) -> None:
    """Without a module there is nothing to check; if it may be the sandbox's fault, that is unknown."""
    report = await observe(box, Trial(source, (Check("1", "1"),)), Limits(step_s=1.0, trial_s=5.0))
    assert report.loaded.kind is kind
    assert len(report.checks) == (kind is Kind.VALUE)


@each_box
async def test_a_lost_check_costs_only_itself(box: str) -> None:
    """After a check that never ends, or takes all memory, the others are made all the same."""
    source = "def f(x):\n    while x: pass\n    return x\n"
    checks = (Check("f(0)", "0"), Check("f(1)", "1"), Check("len('x' * 10**12)", "1"), Check("f(0)", "0"))
    report = await observe(box, Trial(source, checks), Limits(step_s=1.0, trial_s=30.0))
    assert [(check.kind, check.equal) for check in report.checks] == [
        (Kind.VALUE, True),
        (Kind.UNKNOWN, None),
        (Kind.UNKNOWN, None),
        (Kind.VALUE, True),
    ]


@each_box
async def test_the_time_of_a_trial_is_bounded(box: str) -> None:
    """Checks that there is no time for are unknown; there is one observation for each."""
    checks = (Check("f()", "1"),) * 50
    report = await observe(box, Trial("def f():\n    while True: pass", checks), Limits(step_s=0.2, trial_s=0.5))
    assert {check.kind for check in report.checks} == {Kind.UNKNOWN}
    assert len(report.checks) == len(checks)


@each_box
async def test_trials_do_not_see_each_other(box: str) -> None:
    """Definitions and changes of one module are gone in the next."""
    async with opened(box) as session:
        limits = Limits(step_s=10.0, trial_s=30.0)
        await session.observe(Trial("import math\nmath.pi = 3\nleft = 1", (Check("left", "1"),)), limits)
        report = await session.observe(Trial("import math", (Check("left", "1"), Check("math.pi > 3", "True"))), limits)
    assert [(check.error, check.equal) for check in report.checks] == [("NameError", None), ("", True)]


@each_box
async def test_texts_are_cut(box: str) -> None:
    """A long value and a long message are shown up to a limit."""
    source = "def f(): return 'x' * 10**5\ndef g(): raise ValueError('x' * 10**5)"
    report = await observe(box, Trial(source, (Check("f()"), Check("g()"))))
    assert len(report.checks[0].shown) == MAX_SHOWN_CHARS
    assert len(report.checks[1].message) == MAX_SHOWN_CHARS


@pytest.mark.parametrize("error", ["ImportError", "MemoryError", "PermissionError", "OSError", "EOFError"])
def test_an_exception_of_the_sandbox_s_is_unknown(error: str) -> None:
    """A module, memory or files that a sandbox does not give say nothing about the code."""
    assert failure(error, "why").kind is Kind.UNKNOWN


@pytest.mark.parametrize("error", ["ValueError", "KeyError", "SyntaxError", "RecursionError", "AssertionError"])
def test_any_other_exception_is_the_code_s_failure(error: str) -> None:
    """An exception that would happen anywhere is the code's failure."""
    assert failure(error, "why") == Observation(Kind.ERROR, error=error, message="why")


@each_box
@pytest.mark.parametrize("value", ["{}", "[{}]", "(1, {})", "{{'a': {}}}"])
async def test_a_value_that_equals_anything_equals_nothing(box: str, value: str) -> None:
    """Its own `__eq__` cannot make an example pass, also inside other values."""
    source = "class Any:\n    def __eq__(self, other): return True\n    def __repr__(self): return 'any'\n"
    check = Check(value.format("Any()"), value.format("1"))
    report = await observe(box, Trial(source, (check,)), Limits(step_s=5.0, trial_s=10.0))
    assert [each.equal for each in report.checks] == [False]


@pytest.mark.parametrize("text", ["\ud800", "\x1b[31m", "\x00", "\u202e"])
def test_a_message_is_safe_to_show(text: str) -> None:
    """A message that the code chose can be encoded, and does not control a terminal."""
    assert failure("ValueError", f"a\n{text}").message == failure("ValueError", f"a\n{text}").message.encode().decode()
    assert text[0] not in failure("ValueError", text).message


@each_box
@pytest.mark.parametrize(
    "source",
    [
        "import sys\ndef f():\n    sys.stderr.write('note')\n    return 1",
        "def f():\n    return 1 if __builtins__ else 0",
        "def f():\n    import socket\n    socket.create_connection(('127.0.0.1', 9), 1)",
        "def f():\n    from urllib.request import urlopen\n    return urlopen('http://127.0.0.1:9/').status",
    ],
)
async def test_a_construct_that_the_sandbox_lacks_is_no_failure(box: str, source: str) -> None:
    """Streams, names that every module has, and the network."""
    report = await observe(box, Trial(source, (Check("f()", "1"),)), Limits(step_s=5.0, trial_s=10.0))
    assert all(each.kind is not Kind.ERROR for each in (report.loaded, *report.checks))
