"""SEARCH/REPLACE blocks, parsed."""

import pytest

from runtime.budget import Budget, BudgetExceededError
from synth.edits.blocks.block_syntax import Block, parse_blocks
from synth.edits.fences import FENCES
from synth.edits.hunks import MalformedError

BODY = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"


def parse(text: str, names: tuple[str, ...] = ("src/cart.py",), steps: int = 100_000) -> list[Block]:
    return parse_blocks(text, FENCES[0], names, Budget(steps))


def test_a_block_has_its_source_and_its_sides() -> None:
    """With name and fences, as they stood there."""
    source = f"src/cart.py\n```python\n{BODY}```"
    assert parse(f"Here:\n\n{source}\n\nDone.") == [
        Block("src/cart.py", "a\n", "b\n", source, named=True, opened=True, closed=True)
    ]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("src/cart.py", "src/cart.py"),
        ("`src/cart.py`:", "src/cart.py"),
        ("cart.py", "src/cart.py"),
        ("src/crat.py", "src/cart.py"),
        ("src/other.py", "src/other.py"),
        ("x" * 100_000 + ".py", "x" * 100_000 + ".py"),
    ],
)
def test_a_name_may_differ_a_little(name: str, path: str) -> None:
    """A base name, or one that is similar; a very long one is compared with none."""
    assert [block.path for block in parse(f"{name}\n{BODY}")] == [path]


def test_a_block_that_creates_a_file_names_no_other() -> None:
    """A new file is often named like an old one."""
    assert [block.path for block in parse("src/crat.py\n<<<<<<< SEARCH\n=======\nb\n>>>>>>> REPLACE\n")] == [
        "src/crat.py"
    ]


@pytest.mark.parametrize(("text", "problem"), [(BODY, "no file name"), ("a.py\n<<<<<<< SEARCH\nx\n", "does not end")])
def test_one_malformed_block_spoils_the_answer(text: str, problem: str) -> None:
    """The tool applies none of the others."""
    with pytest.raises(MalformedError, match=problem):
        parse(text)


def test_similar_names_are_compared_within_the_budget() -> None:
    """Hundreds of long names, and as many blocks with names of the same letters."""
    names = tuple(f"f{n}{'ab' * 100}.py" for n in range(300))
    text = "".join(f"g{n}{'ba' * 100}.py\n{BODY}" for n in range(300))
    with pytest.raises(BudgetExceededError):
        parse(text, names, steps=1_000_000)
