"""What an answer that edits files comes to: the edits applied to the files that the conversation shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.ui.diffs import Diff, Effort, diff
from synth.edits import EditForm, Workspace, apply_edits, detect_edit_form, read_workspace

_MAX_FILES = 20


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file as an answer leaves it. `fate` is `changed`, `new` or `gone`."""

    path: str
    fate: str
    diff: Diff


@dataclass(frozen=True, slots=True)
class Edited:
    """What an answer's edits come to; `n_more` files beyond those that are shown."""

    files: Sequence[FileDiff]
    findings: Sequence[str]
    n_more: int = 0


@dataclass(frozen=True, slots=True)
class Editing:
    """How answers to one request are applied: the form that it demands, and the files that it shows."""

    form: EditForm
    shown: Workspace

    @classmethod
    def of(cls, messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> "Editing | None":
        """Return how a request's answers are applied, None where they edit no files."""
        if params.get("tools") or params.get("functions") or params.get("response_format"):
            return None
        form = detect_edit_form(messages)
        return None if form in (None, EditForm.CODE) else cls(form, read_workspace(messages))

    def come_to(self, text: str, effort: Effort) -> Edited:
        """Return what an answer does to the files."""
        made = apply_edits(self.form, self.shown, text)
        before = self.shown.files
        touched = [path for path in sorted({*before, *made.files}) if before.get(path) != made.files.get(path)]
        files = [_file(path, before.get(path), made.files.get(path), effort) for path in touched[:_MAX_FILES]]
        return Edited(files, made.findings, n_more=max(0, len(touched) - _MAX_FILES))


def _file(path: str, before: str | None, after: str | None, effort: Effort) -> FileDiff:
    fate = "new" if before is None else "gone" if after is None else "changed"
    return FileDiff(path, fate, diff(before or "", after or "", effort))
