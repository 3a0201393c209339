"""Requests for edits of Python files: read the task, and plan the trials of an edit. Pure.

The files after the edit are known (synth/edits). The trials run the examples of the instruction, the tests that the
conversation shows, and the doctests of the functions that the edit changes. Tests and doctests are taken as the edit
leaves them: an edit that changes behaviour changes them as well, and would otherwise rank behind one without effect.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from posixpath import basename

from runtime.frozen import frozen
from runtime.sandbox.trials import Trial
from synth.edits import EditForm, EditStatus, Workspace, apply_edits
from synth.edits.syntax import parse_python_or_none
from synth.evidence.behaviour import Result
from synth.evidence.code_task import make_check
from synth.evidence.examples import MAX_EXAMPLES, Example, read_examples
from synth.evidence.plain_tests import write_plain_tests
from synth.evidence.plan import Part, Plan
from synth.evidence.target import Function

MAX_FILE_CHARS = 100_000

_NAMES = Example("", "all names that the edit uses are defined", None)
_DOCTESTS = Example("", "the doctests of changed functions pass", None)


@frozen
class EditTask:
    """The form of the edits, the files that are shown, the instruction's examples, and the tests among the files.

    A test is a path and a call. `examples` are those of the instruction, then the tests, then two for every edit: its
    names are defined, and the doctests of the functions that it changes pass.
    """

    form: EditForm
    workspace: Workspace
    given: tuple[Example, ...] = ()
    tests: tuple[tuple[str, str], ...] = ()

    @property
    def examples(self) -> tuple[Example, ...]:
        """Everything that a candidate is tested with, in order."""
        return (*self.given, *(Example("", call, None) for _, call in self.tests), _NAMES, _DOCTESTS)

    @property
    def can_rank(self) -> bool:
        """Whether the request shows examples or tests."""
        return bool(self.given or self.tests)

    @property
    def is_open(self) -> bool:
        """Edits can always be run: they may make a file."""
        return True

    def count_chars(self, text: str) -> int:
        """Return how much there is to read for the plan of an answer."""
        return len(text) + self.workspace.n_chars

    def plan(self, text: str) -> Plan | None:
        """Return the plan for an answer, or None if it has no sound edits or no file is Python.

        An edit of other files alone is tested with the same examples as the others, so it does not rank behind them.
        """
        applied = apply_edits(self.form, self.workspace, text)
        before, after = _python_files(self.workspace.files), _python_files(applied.files)
        changed = {path: source for path, source in after.items() if before.get(path) != source}
        importable = {**_python_files(self.workspace.read_only), **after}
        if applied.status is not EditStatus.SOUND or not importable:
            return None
        files = tuple(importable.items())
        n_given = len(self.given)
        parts = [
            *_plan_examples(self.given, importable, files),
            *_plan_tests(self.tests, n_given, importable, files),
            *_plan_doctests(before, changed, n_given + len(self.tests) + 1, files),
        ]
        undefined = [name for path in changed for name in _new_undefined(before.get(path, ""), changed[path])]
        place = n_given + len(self.tests)
        names = (
            (place, Result.FAILED, f"undefined: {', '.join(undefined)}") if undefined else (place, Result.PASSED, "")
        )
        has_doctests = any(part.folded for part in parts)
        return Plan(tuple(parts), (names, *(() if has_doctests else ((place + 1, Result.PASSED, ""),))))

    def with_examples(self, examples: Sequence[Example]) -> "EditTask":
        """Return the task with only these of the instruction's examples and tests."""
        calls = {each.call for each in examples}
        given = tuple(each for each in self.given if each in examples)
        return replace(self, given=given, tests=tuple(test for test in self.tests if test[1] in calls))

    @property
    def learns_from_answers(self) -> bool:
        """False: a task of edits is known without its answers."""
        return False

    def with_answers(self, _texts: Sequence[str]) -> "EditTask":
        """Return the task unchanged."""
        return self


def read_edit_task(form: EditForm, workspace: Workspace, instruction: str) -> EditTask:
    """Return the task of a request for edits. Linear in the length of its texts."""
    tests: list[tuple[str, str]] = []
    for path, source in {**_python_files(workspace.read_only), **_python_files(workspace.files)}.items():
        if _is_test(path):
            plain = write_plain_tests(source)
            tests += [(path, call) for call in (plain.calls if plain else ())]
    given = read_examples(instruction, of_changes=True)
    return EditTask(form, workspace, given, tuple(tests[: MAX_EXAMPLES - len(given)]))


def _plan_examples(
    given: Sequence[Example], importable: Mapping[str, str], files: tuple[tuple[str, str], ...]
) -> Iterator[Part]:
    """Yield a part for each file that defines functions which examples call."""
    defined = {path: _list_definitions(source) for path, source in importable.items() if not _is_test(path)}
    for path, names in defined.items():
        mine = [(place, example) for place, example in enumerate(given) if example.function in names]
        if mine:
            examples = tuple(example for _, example in mine)
            trial = Trial(importable[path], tuple(map(make_check, examples)), files)
            yield Part(trial, examples, tuple(place for place, _ in mine))


def _plan_tests(
    tests: Sequence[tuple[str, str]], first: int, importable: Mapping[str, str], files: tuple[tuple[str, str], ...]
) -> Iterator[Part]:
    """Yield a part for each test file that is still there, as plain Python."""
    for path in dict.fromkeys(path for path, _ in tests):
        plain = write_plain_tests(importable[path]) if path in importable else None
        if plain is not None:
            mine = [(first + place, call) for place, (other, call) in enumerate(tests) if other == path]
            mine = [(place, call) for place, call in mine if call in plain.calls]
            examples = tuple(Example("", call, None) for _, call in mine)
            trial = Trial(plain.source, tuple(map(make_check, examples)), files)
            yield Part(trial, examples, tuple(place for place, _ in mine), of_tests=True)


def _plan_doctests(
    before: Mapping[str, str], changed: Mapping[str, str], place: int, files: tuple[tuple[str, str], ...]
) -> Iterator[Part]:
    """Yield a part for each changed file that has doctests in functions which changed; all are one result."""
    for path, source in changed.items():
        old = _list_definitions(before.get(path, ""))
        examples = tuple(
            example
            for name, node in _list_definitions(source).items()
            if name not in old or ast.dump(old[name]) != ast.dump(node)
            for docstring in _list_docstrings(node)
            for example in read_examples(docstring, function=name)
        )[:MAX_EXAMPLES]
        if examples and not _is_test(path):
            yield Part(Trial(source, tuple(map(make_check, examples)), files), examples, (place,), folded=True)


def _python_files(files: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if path.endswith(".py") and len(text) <= MAX_FILE_CHARS}


def _is_test(path: str) -> bool:
    name = basename(path)
    return name.startswith("test_") or name.endswith("_test.py")


def _list_definitions(source: str) -> dict[str, Function | ast.ClassDef]:
    tree = parse_python_or_none(source)
    return {} if tree is None else {node.name: node for node in tree.body if isinstance(node, Function | ast.ClassDef)}


def _list_docstrings(node: Function | ast.ClassDef) -> Iterator[str]:
    """Yield the docstring of a function, or those of a class and of its methods."""
    inner = node.body if isinstance(node, ast.ClassDef) else []
    for each in (node, *(method for method in inner if isinstance(method, Function))):
        if docstring := ast.get_docstring(each):
            yield docstring


def _new_undefined(before: str, after: str) -> list[str]:
    """Return the names that a file uses without defining them, and did not before."""
    return sorted(_undefined(after) - _undefined(before))


def _undefined(source: str) -> set[str]:
    from pyflakes import checker, messages  # noqa: PLC0415 -- it takes a tenth of the gateway's start

    tree = parse_python_or_none(source)
    if tree is None:
        return set()
    try:
        found = checker.Checker(tree).messages
    except RecursionError:
        return set()
    return {str(each.message_args[0]) for each in found if isinstance(each, messages.UndefinedName)}
