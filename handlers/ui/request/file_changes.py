"""The files that an answer changes: its edits applied to the files that the conversation shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.ui.diffs import Diff, DiffBudget, compute_diff
from runtime.budget import BudgetExceededError
from synth.edits import EditForm, Workspace, apply_edits, detect_edit_form, read_workspace

_MAX_STEPS = 1_000_000  # a page shows several answers, and its thread shares the interpreter
_MAX_FILES = 20


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file as an answer leaves it. `kind` is `changed`, `new` or `deleted`."""

    path: str
    kind: str
    diff: Diff


@dataclass(frozen=True, slots=True)
class FileChanges:
    """The files that an answer changes, and `n_more` not shown; `findings` name the edits that do not apply."""

    files: Sequence[FileChange]
    findings: Sequence[str]
    n_more: int = 0


@dataclass(frozen=True, slots=True)
class EditContext:
    """The context in which answers to a request are applied: the demanded edit form, and the files shown."""

    form: EditForm
    shown: Workspace

    @classmethod
    def of_request(cls, messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> "EditContext | None":
        """Return the edit context of a request, or None if its answers edit no files."""
        if params.get("tools") or params.get("functions") or params.get("response_format"):
            return None
        form = detect_edit_form(messages)
        if form in (None, EditForm.CODE):
            return None
        try:
            return cls(form, read_workspace(messages))
        except BudgetExceededError:
            return None

    def apply(self, text: str, budget: DiffBudget) -> FileChanges:
        """Return the changes that an answer makes to the files."""
        result = apply_edits(self.form, self.shown, text, steps=_MAX_STEPS)
        before, after = self.shown.files, result.files
        paths = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
        files = [_change(path, before.get(path), after.get(path), budget) for path in paths[:_MAX_FILES]]
        return FileChanges(files, result.findings, n_more=max(0, len(paths) - _MAX_FILES))


def _change(path: str, before: str | None, after: str | None, budget: DiffBudget) -> FileChange:
    kind = "new" if before is None else "deleted" if after is None else "changed"
    return FileChange(path, kind, compute_diff(before or "", after or "", budget))
