"""What the edits of an answer come to. Pure."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from posixpath import isabs

from synth.edits.code import code_blocks, code_findings
from synth.edits.edit_blocks import edit_blocks_applied
from synth.edits.forms import EditForm
from synth.edits.hunks import Draft, Hunk
from synth.edits.patch import patch_applied
from synth.edits.syntax import parsing_problem
from synth.edits.udiff import udiff_applied
from synth.edits.whole import whole_file_applied
from synth.edits.workspace import Workspace

_NAME_PUNCTUATION = "<>|?*`\0"
_MAX_NAME_WORDS = 4


class Edits(StrEnum):
    """What an answer's edits are like: none at all, all sound, or with findings."""

    NONE = "none"
    SOUND = "sound"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Applied:
    """An answer, applied.

    `edits` is NONE for an answer without any, which may well be right: a question, a list of files to add. `files` is
    the whole workspace as the tool would have it then, also where there are `findings`: each a concrete defect, fit
    to be told to a model. `hunks` are the edits, in the order of the answer. `outcome` is equal for two answers that
    come to the same.
    """

    edits: Edits
    files: Mapping[str, str]
    findings: tuple[str, ...]
    hunks: tuple[Hunk, ...]
    outcome: Hashable


def applied(form: EditForm, workspace: Workspace, text: str) -> Applied:
    """Return what an answer of some form does to the files that were shown. Never raises, whatever the text."""
    if form is EditForm.CODE:
        return _code_applied(workspace, text)
    draft = _APPLY[form](workspace, text)
    findings = tuple(dict.fromkeys([*draft.findings, *_defects(workspace, draft)]))
    if not draft.hunks and not findings:
        return Applied(Edits.NONE, draft.files, (), (), ("text", _tidy(text)))
    if not findings and draft.files == workspace.files:
        findings = ("the edits change nothing",)
    edits = Edits.BROKEN if findings else Edits.SOUND
    outcome = ("files", tuple(sorted((path, _tidy(content)) for path, content in draft.files.items())))
    return Applied(edits, draft.files, findings, tuple(draft.hunks), outcome)


def _code_applied(workspace: Workspace, text: str) -> Applied:
    blocks = list(code_blocks(text))
    findings = tuple(code_findings(blocks))
    outcome = blocks[0].outcome if len(blocks) == 1 else ("text", _tidy(text))
    edits = Edits.BROKEN if findings else Edits.SOUND if blocks else Edits.NONE
    return Applied(edits, workspace.files, findings, (), outcome)


def _defects(workspace: Workspace, draft: Draft) -> Iterator[str]:
    """Yield what is wrong with the files themselves that were changed or made."""
    for path, content in draft.files.items():
        before = workspace.files.get(path)
        if content == before:
            continue
        if before is None and (problem := _naming_problem(path)):
            yield problem
        elif (before is None or parsing_problem(path, before) is None) and (problem := parsing_problem(path, content)):
            yield f"{path}: {problem}"


def _naming_problem(path: str) -> str | None:
    """Return why no new file should bear a name: leniently read answers turn talk into names."""
    if isabs(path) or path.startswith("../"):
        return f"{path} lies outside of the project"
    if any(mark in path for mark in _NAME_PUNCTUATION) or len(path.split()) > _MAX_NAME_WORDS:
        return f"{path[:80]!r} is not a file name"
    return None


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


_APPLY: Mapping[EditForm, Callable[[Workspace, str], Draft]] = {
    EditForm.EDIT_BLOCKS: edit_blocks_applied,
    EditForm.UDIFF: udiff_applied,
    EditForm.WHOLE_FILE: whole_file_applied,
    EditForm.PATCH: patch_applied,
}
