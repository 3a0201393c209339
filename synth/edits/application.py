"""Apply the edits that an answer carries to the files that the conversation shows. Pure."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from posixpath import isabs

from runtime.budget import Budget, BudgetExceededError
from synth.edits.blocks.edit_blocks import apply_edit_blocks
from synth.edits.code import find_code_blocks, find_code_defects
from synth.edits.diffs.udiff import apply_udiff
from synth.edits.forms import EditForm
from synth.edits.hunks import EditResult, Hunk
from synth.edits.patches.patch import apply_patch
from synth.edits.syntax import file_syntax_error
from synth.edits.whole import apply_file_listings
from synth.edits.workspace import Workspace

MAX_STEPS = 8_000_000
"""The default budget for one answer: about two seconds; real edits of large files stay far below."""

_NAME_PUNCTUATION = "<>|?*`\0"
_MAX_NAME_WORDS = 4


class EditStatus(StrEnum):
    """Whether an answer has edits, and whether they are sound or have findings."""

    NONE = "none"
    SOUND = "sound"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class AppliedEdits:
    """The result of applying an answer's edits.

    `status` is NONE for an answer without edits, which may be right: a question, or a list of files to add. `files` is
    the whole workspace as the tool would leave it, even if there are `findings`: each is a concrete defect, worded for
    a model. `hunks` are the edits in the order of the answer. `outcome` is equal for two answers with the same effect.
    """

    status: EditStatus
    files: Mapping[str, str]
    findings: tuple[str, ...]
    hunks: tuple[Hunk, ...]
    outcome: Hashable


def apply_edits(form: EditForm, workspace: Workspace, text: str, steps: int = MAX_STEPS) -> AppliedEdits:
    """Apply an answer of the given form to the files that were shown.

    The work ends after `steps`, with the finding that the edits are too complex. Never raises, whatever the text.
    """
    try:
        return try_edits(form, workspace, text, Budget(steps))
    except BudgetExceededError:
        finding = "the edits are too complex to be checked"
        return AppliedEdits(EditStatus.BROKEN, workspace.files, (finding,), (), ("text", text))


def try_edits(form: EditForm, workspace: Workspace, text: str, budget: Budget) -> AppliedEdits:
    """Apply an answer as `apply_edits` does, but raise BudgetExceededError."""
    budget.spend_chars(4 * len(text) + sum(map(len, workspace.files.values())))
    if form is EditForm.CODE:
        return _check_code(workspace, text, budget)
    result = _APPLY[form](workspace, text, budget)
    findings = tuple(dict.fromkeys([*result.findings, *_find_defects(workspace, result, budget)]))
    if not result.hunks and not findings:
        return AppliedEdits(EditStatus.NONE, result.files, (), (), ("text", _strip_line_ends(text)))
    if not findings and result.files == workspace.files:
        findings = ("the edits change nothing",)
    status = EditStatus.BROKEN if findings else EditStatus.SOUND
    budget.spend_chars(8 * sum(map(len, result.files.values())))
    outcome = ("files", tuple(sorted((path, _strip_line_ends(content)) for path, content in result.files.items())))
    return AppliedEdits(status, result.files, findings, tuple(result.hunks), outcome)


def _check_code(workspace: Workspace, text: str, budget: Budget) -> AppliedEdits:
    # Lines count beside characters: the loops over a block's lines make most of the cost if these are short.
    budget.spend(8 * (text.count("```") + text.count("~~~")) + text.count("\n"))
    budget.spend_chars(4 * len(text))
    blocks = list(find_code_blocks(text))
    findings = tuple(find_code_defects(blocks, budget))
    outcome = blocks[0].outcome if len(blocks) == 1 else ("text", _strip_line_ends(text))
    status = EditStatus.BROKEN if findings else EditStatus.SOUND if blocks else EditStatus.NONE
    return AppliedEdits(status, workspace.files, findings, (), outcome)


def _find_defects(workspace: Workspace, result: EditResult, budget: Budget) -> Iterator[str]:
    """Yield the defects of the changed and new files themselves: impossible names, syntax errors."""
    for path, content in result.files.items():
        before = workspace.files.get(path)
        if content == before:
            continue
        if before is None and (problem := _find_name_problem(path)):
            yield problem
        elif (problem := file_syntax_error(path, content, budget)) and (
            before is None or file_syntax_error(path, before, budget) is None
        ):
            yield f"{path}: {problem}"


def _find_name_problem(path: str) -> str | None:
    """Return why a new file must not have this name, or None. Lenient readers sometimes take prose for a name."""
    if isabs(path) or path.startswith("../"):
        return f"{path} lies outside the project"
    if any(mark in path for mark in _NAME_PUNCTUATION) or len(path.split()) > _MAX_NAME_WORDS:
        return f"{path[:80]!r} is not a file name"
    return None


def _strip_line_ends(text: str) -> str:
    """Return a text without white space at the ends of its lines and at its own end."""
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


_APPLY: Mapping[EditForm, Callable[[Workspace, str, Budget], EditResult]] = {
    EditForm.EDIT_BLOCKS: apply_edit_blocks,
    EditForm.UDIFF: apply_udiff,
    EditForm.WHOLE_FILE: apply_file_listings,
    EditForm.PATCH: apply_patch,
}
