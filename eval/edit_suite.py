"""Small edits of small repositories, of our own making, asked for as coding tools ask: as blocks or as whole files."""

import ast
import sys
import textwrap
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
WHOLE_SUITE = "edits-whole"
_FOLDER = Path(__file__).parent / "edits"
_TEST = "test_edit.py"
_TEST_NAME = "test_shown"
_MIN_ASSERTS = 2
_FENCE = "```"
_SHOWN_TEST = "test_shown.py"
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
_WHOLE_SYSTEM = f"""\
You change code. Reply with file listings and nothing else: for each file that changes, its path alone on a line, and
below it, in a fence, the whole content of the file as it is after the change:

path/to/file.py
{_FENCE}
# the whole content of the file
...
{_FENCE}"""
_SHOWN = "These are the files, as they are now:"
_ACKNOWLEDGED = "Ok."
_READ_ONLY = "This file is read-only. Its test has to pass:"
_REMINDERS = {
    EditForm.EDIT_BLOCKS: "Reply with SEARCH/REPLACE blocks only, in the form of the example above.",
    EditForm.WHOLE_FILE: "Reply with file listings only, in the form of the example above.",
}


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit to make: files by path, the request, a test that fails before it and passes after it.

    `solution` is one way to do it: (path, old text, new text), the old text empty for a new file.
    """

    name: str
    instruction: str
    files: Mapping[str, str]
    test: str
    solution: Sequence[tuple[str, str, str]]

    def solved(self) -> dict[str, str]:
        """Return the files with the reference solution in them. Raises ValueError if it does not fit."""
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


def items(form: EditForm = EditForm.EDIT_BLOCKS) -> list[Item]:
    """Return all edits as items, the shortest first; every other one shows a test if it has one to show."""
    suite = SUITE if form is EditForm.EDIT_BLOCKS else WHOLE_SUITE
    return [_item(suite, edit, form, shows_test=number % 2 == 1) for number, edit in enumerate(edits())]


def whole_items() -> list[Item]:
    """Return all edits as items that ask for whole files: the one form that very small models can write."""
    return items(EditForm.WHOLE_FILE)


def messages(edit: Edit, form: EditForm = EditForm.EDIT_BLOCKS, test: str | None = None) -> list[Message]:
    """Return the conversation that asks for an edit: instructions, the files, a test if one is shown, the task."""
    shown = [_SHOWN, *(_list_file(path, content) for path, content in edit.files.items())]
    given = [] if test is None else [{"role": "user", "content": f"{_READ_ONLY}\n\n{_list_file(_SHOWN_TEST, test)}"}]
    return [
        {"role": "system", "content": _SYSTEM if form is EditForm.EDIT_BLOCKS else _WHOLE_SYSTEM},
        {"role": "user", "content": "\n\n".join(shown)},
        {"role": "assistant", "content": _ACKNOWLEDGED},
        *([*given, {"role": "assistant", "content": _ACKNOWLEDGED}] if given else []),
        {"role": "user", "content": f"{edit.instruction}\n\n{_REMINDERS[form]}"},
    ]


def make_shown_test(edit: Edit) -> str | None:
    """Return a test file with the first half of an edit's asserts, or None if its only assert must stay hidden."""
    body = ast.parse(edit.test).body
    n_asserts = sum(isinstance(node, ast.Assert) for node in body)
    if n_asserts < _MIN_ASSERTS:
        return None
    imports = [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    shown: list[str] = []
    for node in body:
        if isinstance(node, ast.Assert) and sum(line.startswith("assert ") for line in shown) == n_asserts // 2:
            break
        if not isinstance(node, ast.Import | ast.ImportFrom):
            shown.append(ast.unparse(node))
    test = textwrap.indent("\n".join(shown), "    ")
    run = f'if __name__ == "__main__":\n    {_TEST_NAME}()'
    return "\n".join([*imports, "", "", f"def {_TEST_NAME}():", test, "", "", run, ""])


def _item(suite: str, edit: Edit, form: EditForm, *, shows_test: bool) -> Item:
    test = make_shown_test(edit) if shows_test else None
    asked = messages(edit, form, test)
    files = {**edit.files, **({} if test is None else {_SHOWN_TEST: test})}
    check = () if test is None else (str(Path(sys.executable).resolve()), "-B", _SHOWN_TEST)
    return Item(suite, edit.name, asked, partial(_program, edit, form, asked), files, check)


def _list_file(path: str, content: str) -> str:
    return f"{path}\n{_FENCE}\n{content}{_FENCE}"


def _program(edit: Edit, form: EditForm, asked: Sequence[Message], text: str) -> Program | None:
    """Return the test of the files as the tool would have them after this answer, or None if it edits nothing."""
    made = apply_edits(form, read_workspace(asked), text)
    return None if made.status is EditStatus.NONE else edit.tested(made.files)
