"""The task of a request for edits, and the plan for the edited files."""

import pytest

from runtime.sandbox.monty import MontySandbox
from synth.contract.contract import Contract
from synth.edits import EditForm, Workspace
from synth.evidence.behaviour import Result
from synth.evidence.edit_task import EditTask, read_edit_task
from synth.evidence.finder import Finder
from synth.evidence.inquiry import Ranking, Subject
from synth.request import ChatRequest
from tests.runtime.sandbox.boxes import PATIENT
from tests.synth.small_evidence import open_inquiry

CART = '''"""A cart."""


def total(prices):
    """Return the sum.

    >>> total([1, 2])
    3
    """
    return sum(prices)
'''
TEST = (
    "from cart import total\n\n\ndef test_empty():\n    assert total([]) == 0\n\n\ndef test_with(fixture):\n    pass\n"
)
ASK = "Give total() a second parameter, discount, default 0: total([10, 5], 3) should be 12."


def listing(source: str, path: str = "cart.py") -> str:
    """Return an answer that gives a whole file."""
    return f"{path}\n```\n{source}```\n"


RIGHT = CART.replace("(prices)", "(prices, discount=0)", 1).replace("sum(prices)", "sum(prices) - discount")
UNDEFINED = RIGHT.replace("- discount", "- rebate")
FORGETFUL = RIGHT.replace("sum(prices) - discount", "prices[0] + prices[1] - discount")
LAZY = CART.replace('"""A cart."""', '"""The cart."""')


def task(instruction: str = ASK, **files: str) -> EditTask:
    shown = {"cart.py": CART, "test_cart.py": TEST, **files}
    return read_edit_task(EditForm.WHOLE_FILE, Workspace(shown), instruction)


def test_a_request_is_read() -> None:
    """Examples of the instruction, and tests without parameters among the files that are shown."""
    read = task()
    assert [example.shown for example in read.given] == ["total([10, 5], 3) == 12"]
    assert read.tests == (("test_cart.py", "test_empty()"),)
    assert read.can_rank
    assert len(read.examples) == 4
    assert not read_edit_task(EditForm.WHOLE_FILE, Workspace({"cart.py": CART}), "Tidy up.").can_rank


def test_cases_of_unittest_are_read() -> None:
    source = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n    def other(self): pass\n"
    read = read_edit_task(EditForm.WHOLE_FILE, Workspace({}, {"tests/test_t.py": source}), "")
    assert read.tests == (("tests/test_t.py", "T_test_a()"),)


@pytest.mark.parametrize("text", ["", "Which file?", listing("def f(:\n")])
def test_an_answer_without_sound_edits_is_not_planned(text: str) -> None:
    """Answers of prose, and files that do not parse."""
    assert task().plan(text) is None


def test_other_languages_are_not_planned() -> None:
    """Without Python there is nothing to run."""
    read = read_edit_task(EditForm.WHOLE_FILE, Workspace({"notes.md": "old\n"}), "")
    assert read.plan(listing("new\n", "notes.md")) is None


def test_names_that_were_undefined_before_are_no_finding() -> None:
    """Only names that the edit makes undefined count against it."""
    before = CART + "\n\ndef old():\n    return magic\n"
    plan = task(**{"cart.py": before}).plan(listing(before.replace("A cart", "The cart")))
    assert plan is not None
    assert plan.known[0][1] is Result.PASSED


async def ranked(texts: list[str], workspace: Workspace, instruction: str = ASK) -> Ranking:
    """Rank answers in this order."""
    sandbox = MontySandbox(wait_s=60)
    request = ChatRequest(None, [{"role": "user", "content": instruction}], {})
    finder = Finder([sandbox], limits=PATIENT, request_s=600)
    try:
        contract = Contract(edits=EditForm.WHOLE_FILE, workspace=workspace)
        async with open_inquiry(finder.inquire(request, contract, "auto", 1e12)) as inquiry:
            for number, text in enumerate(texts):
                inquiry.add(Subject(str(number), "model", text, text))
            return await inquiry.rank([str(number) for number in range(len(texts))])
    finally:
        await sandbox.close()


async def test_edits_are_ranked_by_examples_tests_and_names() -> None:
    """The one that does what the instruction says and breaks no test is best, and every other has its finding."""
    texts = [listing(each) for each in (LAZY, UNDEFINED, FORGETFUL, RIGHT)]
    found = await ranked(texts, Workspace({"cart.py": CART, "test_cart.py": TEST}))
    best = next(each for each in found.standings if each.tier == 0)
    assert (best.name, best.passed_all, found.by) == ("3", True, "examples")
    lazy, undefined, forgetful, _ = found.standings
    assert (lazy.failed or "").startswith("`total([10, 5], 3) == 12`: TypeError")
    assert "rebate" in undefined.finding
    assert (forgetful.failed or "").startswith("`test_empty()`: IndexError")


async def test_an_edit_of_other_files_is_not_behind() -> None:
    """It is run with the same tests as the other candidate, and passes."""
    workspace = Workspace({"cart.py": CART, "notes.md": "old\n"})
    found = await ranked([listing("new\n", "notes.md"), listing(LAZY)], workspace, "Update the notes.")
    assert [standing.tier for standing in found.standings] == [0, 0]
    assert not any(standing.passed_all for standing in found.standings)


async def test_doctests_of_changed_functions_are_run() -> None:
    """As the edit leaves them: one that no longer holds is a finding, one that was changed along is none."""
    broken = CART.replace("sum(prices)", "sum(prices) + 1")
    along = broken.replace("    3\n", "    4\n")
    found = await ranked([listing(broken), listing(along)], Workspace({"cart.py": CART}), "Add one to the total.")
    assert [standing.tier for standing in found.standings] == [1, 0]
    assert "doctests" in found.standings[0].finding


LIBRARY_TESTS = """import unittest
import pytest
from cart import total
import cart as module


@pytest.fixture
def prices():
    return [1, 2]


@pytest.mark.parametrize("given, expected", [([], 0), ([1], 1), pytest.param([5], 9, marks=pytest.mark.xfail)])
def test_rows(given, expected):
    assert total(given) == expected


def test_fixture(prices):
    assert module.total(prices) == pytest.approx(3.0)


def test_raises():
    with pytest.raises(TypeError) as info:
        total(None)
    assert "None" in str(info.value)


@pytest.mark.skip
def test_skipped():
    assert False


def test_files(tmp_path):
    assert False


class TestCart(unittest.TestCase):
    def setUp(self):
        self.prices = [1, 2]

    def test_total(self):
        self.assertEqual(total(self.prices), 3)
        with self.assertRaises(TypeError):
            total(1)
"""


async def test_tests_for_pytest_and_unittest_are_run() -> None:
    """Without either: rows, fixtures, expected exceptions and cases are written out."""
    cart = CART.replace(
        "return sum(prices)", "if prices is None:\n        raise TypeError('None')\n    return sum(prices)"
    )
    broken = cart.replace("sum(prices)", "sum(prices) + len(prices)")
    workspace = Workspace({"cart.py": cart, "test_cart.py": LIBRARY_TESTS})
    found = await ranked([listing(broken), listing(cart.replace("A cart", "The cart"))], workspace, "Tidy up.")
    assert [standing.tier for standing in found.standings] == [1, 0]
    assert found.standings[0].finding.startswith("passes 3 of 7 examples; fails `test_rows(given=[1], expected=1)`")
    assert found.standings[1].passed_all


async def test_doctests_of_a_changed_class_are_run() -> None:
    """In its docstring and in those of its methods."""
    stack = (
        'class Stack:\n    """A stack.\n\n    >>> s = Stack()\n    >>> s.push(1)\n    >>> s.items\n    [1]\n'
        '    """\n\n'
        "    def __init__(self):\n        self.items = []\n\n"
        "    def push(self, item):\n        self.items.append(item)\n"
    )
    broken = stack.replace("append(item)", "append([item])")
    better = stack.replace("append(item)", "insert(len(self.items), item)")
    found = await ranked([listing(broken), listing(better)], Workspace({"cart.py": stack}), "Rewrite push().")
    assert [standing.tier for standing in found.standings] == [1, 0]
    assert "doctests" in found.standings[0].finding
