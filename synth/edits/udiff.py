"""Applying unified diffs without line numbers. Pure."""

from synth.edits.diff_matching import hunk_applied
from synth.edits.diff_syntax import Diff, diffs, sides
from synth.edits.hunks import Draft, Hunk, MalformedError, touched
from synth.edits.workspace import Workspace


def udiff_applied(workspace: Workspace, text: str) -> Draft:
    """Return what an answer's diffs come to. Hunks that do not apply are left out, with a finding."""
    draft = Draft.of(workspace.files)
    try:
        found = diffs(text)
    except MalformedError as malformed:
        draft.findings.append(str(malformed))
        return draft
    for index, diff in enumerate(found.hunks):
        path = workspace.located(diff.path)
        shown = workspace.files.get(path)
        region = touched(shown, _edited(shown, diff))
        lead = f"```diff\n--- {diff.path}\n+++ {diff.path}\n"
        draft.hunks.append(Hunk(index, path, region, diff.text, lead, "\n```"))
        _apply(draft, diff, path, workspace)
    if found.truncated:
        draft.findings.append("truncated: the last diff's fence does not close")
    return draft


def _apply(draft: Draft, diff: Diff, path: str, workspace: Workspace) -> None:
    edited = _edited(draft.files.get(path), diff)
    if path in workspace.read_only:
        draft.findings.append(f"{path} was shown read-only")
    elif edited is not None:
        draft.files[path] = edited
    elif path in draft.files:
        draft.findings.append(f"the lines of a hunk were not found in {path}")
    else:
        draft.findings.append(f"{path} was not shown")


def _edited(content: str | None, diff: Diff) -> str | None:
    before, after = sides(diff.lines)
    if not "".join(before).strip():
        return (content or "") + "".join(after) or None
    return None if content is None else hunk_applied(content, diff.lines)
