"""The operator's checker ranks edits, on files that are those of its work tree."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Checker, Secret
from runtime.sandbox.commands import Finished
from synth.contract.contract import Contract
from synth.edits import EditForm, Workspace
from synth.evidence.behaviour import Checked
from synth.evidence.checker import count_failures, make_command, read_outcome
from synth.evidence.finder import Finder
from synth.evidence.inquiry import Ranking, Subject
from synth.request import ChatRequest
from tests.synth.small_evidence import open_inquiry

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX process groups")

# A checker without a test framework: it prints how many of its three conditions fail.
CHECK = """\
import sys
from limit import LIMIT
failed = sum([LIMIT <= 1, LIMIT <= 2, LIMIT % 2 == 1])
print(f"{failed} failed" if failed else "fine")
sys.exit(bool(failed))
"""
FILE = "LIMIT = 1\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a work tree with a module and its check."""
    (tmp_path / "limit.py").write_text(FILE)
    (tmp_path / "check.py").write_text(CHECK)
    return tmp_path


def checker(tree: Path) -> Checker:
    return Checker(tree, (sys.executable, "check.py"), isolate=False, env={"PYTHONDONTWRITEBYTECODE": Secret("1", "x")})


def listing(text: str) -> str:
    return f"limit.py\n```\n{text}```\n"


async def ranked(checker: Checker, texts: list[str], shown: str = FILE) -> Ranking:
    request = ChatRequest(None, [{"role": "user", "content": "Raise the limit."}], {})
    contract = Contract(edits=EditForm.WHOLE_FILE, workspace=Workspace({"limit.py": shown}))
    async with open_inquiry(Finder([]).inquire(request, contract, "auto", 1e12, checker)) as inquiry:
        for number, text in enumerate(texts):
            inquiry.add(Subject(str(number), "model", text, text))
        return await inquiry.rank([str(number) for number in range(len(texts))])


async def test_the_exit_status_comes_first_and_then_the_number_of_failures(tree: Path) -> None:
    """The one that passes is best, then the one with fewer failing tests; the output is kept."""
    found = await ranked(checker(tree), [listing(f"LIMIT = {n}\n") for n in (0, 3, 4)])
    assert [standing.tier for standing in found.standings] == [2, 1, 0]
    assert [standing.finding for standing in found.standings] == [
        "fails the checker, 2 failing: 2 failed",
        "fails the checker, 1 failing: 1 failed",
        "passes the checker",
    ]
    assert (found.by, found.n_passed, found.standings[2].output) == ("checker", 1, "fine\n")
    assert (tree / "limit.py").read_text() == FILE


async def test_other_files_than_the_work_tree_s_are_not_checked(tree: Path) -> None:
    """Its verdict would be about other code."""
    found = await ranked(checker(tree), [listing("LIMIT = 0\n"), listing("LIMIT = 4\n")], shown="LIMIT = 5\n")
    assert (found.by, found.n_ran) == ("", 0)


async def test_a_checker_that_takes_too_long_ranks_no_candidate(tree: Path) -> None:
    """A timeout is unknown, not a failure."""
    (tree / "check.py").write_text("import time\ntime.sleep(600)\n")
    found = await ranked(replace(checker(tree), timeout_s=0.5), [listing("LIMIT = 0\n"), listing("LIMIT = 4\n")])
    assert [standing.tier for standing in found.standings] == [0, 0]
    assert found.standings[0].finding == "the checker did not end in time"


async def test_a_checker_that_cannot_run_ranks_no_candidate(tree: Path) -> None:
    found = await ranked(
        replace(checker(tree), command=("/nowhere",)), [listing("LIMIT = 0\n"), listing("LIMIT = 4\n")]
    )
    assert ([standing.tier for standing in found.standings], found.by) == ([0, 0], "")


async def test_an_answer_without_edits_is_not_checked(tree: Path) -> None:
    found = await ranked(checker(tree), ["Which limit?"])
    assert found.standings[0].finding == ""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("=== 2 failed, 10 passed in 0.1s ===", 2),
        ("1 failed, 2 errors in 3s", 3),
        ("Ran 5 tests in 0.1s\n\nFAILED (failures=1, errors=2)", 3),
        ("Tests:       2 failed, 5 passed, 7 total", 2),
        ("test result: FAILED. 3 passed; 4 failed; 0 ignored", 4),
        ("5 examples, 2 failures", 2),
        ("--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\nFAIL\nexit status 1", 2),
        ("# pass 3\n# fail 2", 2),
        ("2 failed\n" + "noise\n" * 30, None),
        ("Segmentation fault", None),
        ("", None),
    ],
)
def test_failures_are_counted(output: str, expected: int | None) -> None:
    """By the summaries of common test runners, in the last lines."""
    assert count_failures(output) == expected


def test_an_outcome_is_read(tree: Path) -> None:
    """Exit code 0 passes, whatever the output; a timeout is unknown."""
    assert read_outcome(Finished(0, "1 failed")) == Checked(True, None, "1 failed")
    assert read_outcome(Finished(1, "1 failed")) == Checked(False, 1, "1 failed")
    assert read_outcome(Finished(None, "1 failed")) == Checked(None, None, "1 failed")
    command = make_command(checker(tree))
    assert (command.env, command.isolate, command.workdir) == ((("PYTHONDONTWRITEBYTECODE", "1"),), False, tree)
