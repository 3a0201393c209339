"""Reading test runners, compilers and linters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.feedback.program_output import read_output
from tests.work_limit import limit_work

FAILED = [
    "F.\n===== short test summary info =====\nFAILED t.py::t\n========= 1 failed, 3 passed in 0.12s =========",
    "1 failed in 0.27s",
    "2 passed, 1 error in 1:02:03",
    "========== 1 failed, 2 passed, 4 warnings in 3.20s (0:00:03) ==========",
    "\x1b[31m\x1b[1m1 failed\x1b[0m, \x1b[32m3 passed\x1b[0m\x1b[31m in 0.1s\x1b[0m",
    "Ran 3 tests in 0.001s\n\nFAILED (failures=1, errors=1)",
    "Tests:       1 failed, 2 passed, 3 total",
    " Tests  2 failed | 5 passed (7)",
    "  3 passing (12ms)\n  1 failing\n",
    "# pass 3\n# fail 1\n",
    "test result: FAILED. 1 passed; 1 failed; 0 ignored",
    "--- FAIL: TestX (0.00s)\nFAIL\texample.com/x\t0.004s",
    "error[E0308]: mismatched types\n --> src/main.rs:2:5",
    "main.c:3:5: error: expected ';' before 'return'",
    "src/app.ts(3,7): error TS2322: Type 'string' is not assignable",
    "src/app.ts:3:7 - error TS2322: Type",
    "greet.py:3: error: Incompatible return value type\nFound 1 error in 1 file (checked 1 source file)",
    "\u2716 3 problems (2 errors, 1 warning)",
    '  File "x.py", line 1\n    def f(:\nSyntaxError: invalid syntax',
    "FAILURE: Build failed with an exception.\n\nBUILD FAILED in 2s",
    "1 failed in 0.27s\r\n",
]
PASSED = [
    "....\n4 passed in 0.05s",
    "=== 4 passed, 1 skipped, 2 warnings in 0.05s ===",
    "Ran 3 tests in 0.001s\n\nOK",
    "Ran 3 tests in 0.001s\n\nOK (skipped=1)",
    "Tests:       3 passed, 3 total",
    " Tests  7 passed (7)",
    "  3 passing (12ms)",
    "# tests 4\n# pass 4\n# fail 0\n",
    "test result: ok. 3 passed; 0 failed; 0 ignored",
    "ok  \texample.com/x\t0.004s",
    "[INFO] BUILD SUCCESS",
]
SILENT = [
    "",
    "total 16\ndrwxr-xr-x 3 root root",
    "The tests failed yesterday: 3 failed, as I said.",
    "I expect 4 passed in the end",
    "OK",
    "Ran 0 tests in 0.000s\n\nOK",
    "no tests ran in 0.01s",
    "✖ 3 problems (0 errors, 3 warnings)",
    "test result: ok. 0 passed; 0 failed; 5 ignored",
    "Process exited with code 1",
    "# fail 0 is what I want",
    "Found 0 errors",
    "print('error: none')",
]


@pytest.mark.parametrize("text", FAILED)
def test_a_failing_run_is_a_failure(text: str) -> None:
    """The summary of a failing run is a failure, also in the middle of other output."""
    assert read_output(text) is False
    assert read_output(f"$ make\n{text}\nmake: *** [all] Error 1") is False


@pytest.mark.parametrize("text", PASSED)
def test_a_passing_run_is_a_success(text: str) -> None:
    """Tests that ran and passed are a success."""
    assert read_output(text) is True


@pytest.mark.parametrize("text", SILENT)
def test_other_output_is_no_signal(text: str) -> None:
    """Words about tests, empty runs, warnings and exit codes are no signal."""
    assert read_output(text) is None


def test_one_failure_among_successes_is_a_failure() -> None:
    """Several runs in one output have passed only if none of them failed."""
    assert read_output("4 passed in 0.05s\n1 failed in 0.1s\n4 passed in 0.05s") is False


def test_the_ends_of_a_long_output_are_read() -> None:
    """A summary at the end of a megabyte counts; one in the middle is not looked at."""
    filler = "x\n" * 500_000
    assert read_output(f"{filler}4 passed in 0.05s") is True
    assert read_output(f"{filler}4 passed in 0.05s\n{filler}") is None


@pytest.mark.parametrize("line", ["=" * 290, "1 failed, " * 29, "a:" * 140, "Tests: " + "1 todo, " * 35, "a" * 290])
def test_hostile_lines_are_linear(line: str) -> None:
    """Lines that nearly match take no more than any other."""
    with limit_work():
        read_output("\n".join([line] * 5_000))


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    """No text makes the reader fail."""
    assert read_output(text) in (True, False, None)
