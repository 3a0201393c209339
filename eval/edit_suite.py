"""Small edits of small repositories, of our own making, asked for as coding tools ask: SEARCH/REPLACE blocks."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eval.items import Item
from runtime.sandbox.programs import Program
from synth.edits import EditForm, EditStatus, apply_edits, read_workspace
from synth.request import Message

SUITE = "edits"
_FOLDER = Path(__file__).parent / "edits"
_TEST = "test_edit.py"
_FENCE = "```"
_SYSTEM = f"""\
You change code. Reply with SEARCH/REPLACE blocks and nothing else, one for each place that changes:

greeting.py
{_FENCE}python
<<<<<<< SEARCH
    return "Hello"
=======
    return "Hi"
>>>>>>> REPLACE
{_FENCE}

The path stands alone on the line above the fence. SEARCH repeats whole lines of the file exactly, with their
indentation; REPLACE is what stands there instead. To create a file, leave SEARCH empty."""
_SHOWN = "These are the files, as they are now:"
_ACKNOWLEDGED = "Ok."
_REMINDER = "Reply with SEARCH/REPLACE blocks only, in the form of the example above."


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit to make: files by path, what is wanted, a test that fails before it and passes after it.

    `solution` is one way to do it: (path, old text, new text), the old text empty for a new file.
    """

    name: str
    instruction: str
    files: Mapping[str, str]
    test: str
    solution: Sequence[tuple[str, str, str]]

    def solved(self) -> dict[str, str]:
        """Return the files with the reference solution in them; ValueError where it does not fit."""
        files = dict(self.files)
        for path, old, new in self.solution:
            before = files.get(path, "")
            if (before.count(old) if old else path not in files) != 1:
                raise ValueError(f"{self.name}: {old!r} is not in {path} exactly once")
            files[path] = before.replace(old, new) if old else new
        return files

    def tested(self, files: Mapping[str, str]) -> Program:
        """Return the program that runs the test on some version of the files."""
        return Program({**files, _TEST: self.test}, _TEST)


def edits() -> list[Edit]:
    """Return all edits, the shortest first."""
    found = [
        Edit(row["name"], row["instruction"], row["files"], row["test"], [*map(tuple, row["solution"])])
        for path in sorted(_FOLDER.glob("*.toml"))
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["edit"]
    ]
    return sorted(found, key=lambda edit: (sum(map(len, edit.files.values())), edit.name))


def items() -> list[Item]:
    """Return all edits as items, the shortest first."""
    return [Item(SUITE, edit.name, messages(edit), partial(_program, edit)) for edit in edits()]


def messages(edit: Edit) -> list[Message]:
    """Return the conversation that asks for an edit: instructions, the files, what to do."""
    listings = [f"{path}\n{_FENCE}\n{content}{_FENCE}" for path, content in edit.files.items()]
    return [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": "\n\n".join([_SHOWN, *listings])},
        {"role": "assistant", "content": _ACKNOWLEDGED},
        {"role": "user", "content": f"{edit.instruction}\n\n{_REMINDER}"},
    ]


def _program(edit: Edit, text: str) -> Program | None:
    """Return the test of the files as the tool would have them after this answer, None where it edits nothing."""
    made = apply_edits(EditForm.EDIT_BLOCKS, read_workspace(messages(edit)), text)
    return None if made.status is EditStatus.NONE else edit.tested(made.files)
