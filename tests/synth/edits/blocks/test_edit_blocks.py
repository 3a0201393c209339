"""SEARCH/REPLACE blocks, applied. The expected files are those that aider ends up with."""

import pytest

from synth.edits import EditForm, EditStatus, Workspace, apply_edits
from synth.edits.fences import Fence
from tests.synth.edits.conversations import block

FORM = EditForm.EDIT_BLOCKS
CART = """class Cart:
    def __init__(self):
        self.items = []

    def add(self, item):
        self.items.append(item)

    def total(self):
        return sum(i.price for i in self.items)
"""
FILES = Workspace({"shop/cart.py": CART, "README.md": "# Shop\n\nSells things.\n"}, {"LICENSE": "Free.\n"})
APPEND, INSERT = "        self.items.append(item)\n", "        self.items.insert(0, item)\n"


def edited(text: str, path: str = "shop/cart.py") -> str:
    result = apply_edits(FORM, FILES, text)
    assert result.findings == ()
    return result.files[path]


@pytest.mark.parametrize(
    "text",
    [
        block("shop/cart.py", APPEND, INSERT),
        "Here:\n\n" + block("`shop/cart.py`:", APPEND, INSERT) + "\nDone.",
        block("**shop/cart.py**", APPEND, INSERT),
        block("### shop/cart.py", APPEND, INSERT),
        block("./shop/cart.py", APPEND, INSERT),
        block("cart.py", APPEND, INSERT),
        block("shop/carts.py", APPEND, INSERT),
        block("elsewhere.py", APPEND, INSERT),
        block("shop/cart.py", APPEND, INSERT, ("````", "````")),
        block("shop/cart.py", APPEND, INSERT, ("```shell", "```")),
        f"```python\nshop/cart.py\n<<<<<<< SEARCH\n{APPEND}=======\n{INSERT}>>>>>>> REPLACE\n```",
        f"```shop/cart.py\n<<<<<<< SEARCH\n{APPEND}=======\n{INSERT}>>>>>>> REPLACE\n```",
        f"```\nshop/cart.py\n```\n```\n<<<<<<< SEARCH\n{APPEND}=======\n{INSERT}>>>>>>> REPLACE\n```",
        f"shop/cart.py\n<<<<<<< SEARCH\n{APPEND}=======\n{INSERT}>>>>>>> REPLACE",
        f"shop/cart.py\n<<<<< SEARCH>\n{APPEND}=====\n{INSERT}>>>>>>>>> REPLACE  ",
        f"shop/cart.py\n<<<<<<< SEARCH\n{APPEND}=======\n{INSERT}=======",
        block("shop/cart.py", f"shop/cart.py\n```\n{APPEND}```\n", f"```\n{INSERT}```\n"),
        "```sh\nshop/cart.py\n```\n\n" + block("shop/cart.py", APPEND, INSERT),
    ],
)
def test_a_block_is_read_however_it_is_dressed(text: str) -> None:
    """A name that is nearly right, marks of another length, a fence of another kind."""
    assert edited(text) == CART.replace(APPEND, INSERT)


@pytest.mark.parametrize(
    ("search", "replace"),
    [
        ("self.items.append(item)\n", "self.items.insert(0, item)\n"),
        ("            self.items.append(item)\n", "            self.items.insert(0, item)\n"),
        (
            "def add(self, item):\n    self.items.append(item)\n",
            "def add(self, item):\n    self.items.insert(0, item)\n",
        ),
        (f"\n{APPEND}\n    def total(self):\n", f"{INSERT}\n    def total(self):\n"),
        (
            "    def add(self, item):\n...\n    def total(self):\n",
            "    def add(self, item):\n...\n    def sum(self):\n",
        ),
    ],
)
def test_a_search_matches_leniently(search: str, replace: str) -> None:
    """Indentation that all lines lack, a blank first line, lines left out."""
    result = edited(block("shop/cart.py", search, replace))
    expected = CART.replace("total", "sum") if "..." in search else CART.replace(APPEND, INSERT)
    assert result.strip() == expected.strip()


def test_edits_that_change_nothing_are_no_answer() -> None:
    """A model that returns a file unchanged has not done its task."""
    unchanged = apply_edits(FORM, FILES, block("shop/cart.py", APPEND, APPEND))
    assert (unchanged.status, unchanged.findings) == (EditStatus.BROKEN, ("the edits change nothing",))
    there_and_back = block("shop/cart.py", APPEND, INSERT) + "\n" + block("shop/cart.py", INSERT, APPEND)
    assert apply_edits(FORM, FILES, there_and_back).findings == ("the edits change nothing",)


def test_elided_pieces_are_replaced_each() -> None:
    """Between the dots, which must be alike on both sides."""
    search, replace = "class Cart:\n...\n    def total(self):\n", "class Basket:\n...\n    def sum(self):\n"
    assert edited(block("shop/cart.py", search, replace)) == CART.replace("Cart", "Basket").replace("total", "sum")
    lost = apply_edits(FORM, FILES, block("shop/cart.py", search, "class Basket:\n    def sum(self):\n"))
    assert lost.findings == ("SEARCH text not found in shop/cart.py",)


def test_blocks_apply_one_after_the_other() -> None:
    """The second may search what the first has written, and lack a name."""
    second = "<<<<<<< SEARCH\n        self.items.insert(0, item)\n=======\n        pass\n>>>>>>> REPLACE\n"
    text = block("shop/cart.py", APPEND, INSERT) + "\nand\n\n" + second
    assert edited(text) == CART.replace(APPEND, "        pass\n")


def test_several_blocks_may_share_a_fence() -> None:
    """The mark above the second is no file, and the text is found in the only one that has it."""
    first, second = block("shop/cart.py", APPEND, INSERT), block("", "    def total(self):\n", "    def sum(self):\n")
    text = first.removesuffix("```\n") + second.removeprefix("\n```python\n")
    assert edited(text) == CART.replace(APPEND, INSERT).replace("total", "sum")


def test_an_empty_search_creates_a_file_or_appends_to_one() -> None:
    """A name near to a shown one is a new one here."""
    assert edited(block("shop/carts.py", "", "x = 1\n"), "shop/carts.py") == "x = 1\n"
    assert edited(block("README.md", "", "More.\n"), "README.md") == "# Shop\n\nSells things.\nMore.\n"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (block("shop/cart.py", "nowhere\n", "x\n"), "SEARCH text not found in shop/cart.py"),
        (block("bin/run.py", "nowhere\n", "x\n"), "bin/run.py was not shown"),
        (block("LICENSE", "Free.\n", "Mine.\n"), "LICENSE was shown read-only"),
        (block("shop/new.py", "", ""), "an empty block is for shop/new.py"),
        (block("shop/cart.py", CART, ""), "SEARCH text not found in shop/cart.py"),
        (block("shop/cart.py", "cart.py\n", "x\n"), "SEARCH text not found in shop/cart.py"),
        (
            block("shop/cart.py", APPEND, "        (\n"),
            "shop/cart.py: python does not parse: line 6: '(' was never closed",
        ),
        (block("conf.json", "", "{]\n"), "conf.json: json does not parse: line 1: Expecting property name"),
        (block("/etc/conf", "", "x\n"), "/etc/conf lies outside the project"),
        (block("../conf", "", "x\n"), "../conf lies outside the project"),
        ("\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n", "a SEARCH/REPLACE block has no file name"),
        (block("shop/cart.py", APPEND, INSERT)[:-30], "truncated: the last SEARCH/REPLACE block, for shop/cart.py"),
        ("shop/cart.py\n<<<<<<< SEARCH\nx", "truncated: the last SEARCH/REPLACE block, for shop/cart.py"),
    ],
)
def test_findings_are_concrete(text: str, finding: str) -> None:
    """They name the file and the place."""
    result = apply_edits(FORM, FILES, text)
    assert result.status is EditStatus.BROKEN
    assert [found[: len(finding)] for found in result.findings] == [finding]


def test_a_truncated_answer_changes_nothing() -> None:
    """The tool takes none of its blocks; but of blocks that end, it takes those that match."""
    whole, lost = block("shop/cart.py", APPEND, INSERT), block("shop/cart.py", "nowhere\n", "x\n")
    assert apply_edits(FORM, FILES, whole + lost[:-20]).files == FILES.files
    assert apply_edits(FORM, FILES, whole + lost).files["shop/cart.py"] == CART.replace(APPEND, INSERT)


@pytest.mark.parametrize("text", ["", "Which of the files?", "Add `shop/db.py`.\n```bash\nls\n```\n```bash\n"])
def test_an_answer_without_edits_is_no_error(text: str) -> None:
    """It may ask, or name files to add."""
    result = apply_edits(FORM, FILES, text)
    assert (result.status, result.findings, result.hunks) == (EditStatus.NONE, (), ())
    assert result.files == FILES.files


def test_a_file_that_did_not_parse_before_need_not_parse_after() -> None:
    """The edit may well be a step on the way."""
    broken = Workspace({"a.py": "def f(:\n    x\n"})
    assert apply_edits(FORM, broken, block("a.py", "    x\n", "    y\n")).findings == ()


def test_the_fence_of_the_files_is_the_fence_of_the_answer() -> None:
    """Backticks are accepted beside it."""
    tagged = Workspace(FILES.files, {}, Fence("<source>", "</source>"))
    for fence in (("<source>", "</source>"), ("```", "```")):
        result = apply_edits(FORM, tagged, block("shop/cart.py", APPEND, INSERT, fence))
        assert result.files["shop/cart.py"] == CART.replace(APPEND, INSERT)
