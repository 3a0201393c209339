"""Apply unified diffs without line numbers. Pure."""

from runtime.budget import Budget
from synth.edits.diffs.diff_matching import apply_hunk
from synth.edits.diffs.diff_syntax import Diff, parse_diffs, split_sides
from synth.edits.hunks import EditResult, Hunk, MalformedError, changed_region
from synth.edits.workspace import Workspace


def apply_udiff(workspace: Workspace, text: str, budget: Budget) -> EditResult:
    """Apply the diffs of an answer. A hunk that does not apply is skipped, with a finding."""
    result = EditResult.of(workspace.files)
    try:
        found = parse_diffs(text, budget)
    except MalformedError as malformed:
        result.findings.append(str(malformed))
        return result
    for index, diff in enumerate(found.hunks):
        path = workspace.resolve_path(diff.path)
        shown = workspace.files.get(path)
        region = changed_region(shown, _edit(shown, diff, budget), budget)
        lead = f"```diff\n--- {diff.path}\n+++ {diff.path}\n"
        result.hunks.append(Hunk(index, path, region, diff.text, lead, "\n```"))
        _apply(result, diff, path, workspace, budget)
    if found.truncated:
        result.findings.append("truncated: the last diff's fence does not close")
    return result


def _apply(result: EditResult, diff: Diff, path: str, workspace: Workspace, budget: Budget) -> None:
    edited = _edit(result.files.get(path), diff, budget)
    if path in workspace.read_only:
        result.findings.append(f"{path} was shown read-only")
    elif edited is not None:
        result.files[path] = edited
    elif path in result.files:
        result.findings.append(f"the lines of a hunk were not found in {path}")
    else:
        result.findings.append(f"{path} was not shown")


def _edit(content: str | None, diff: Diff, budget: Budget) -> str | None:
    budget.spend(4 * len(diff.lines))
    before, after = split_sides(diff.lines)
    if not "".join(before).strip():
        budget.spend_chars(len(content or ""))
        return (content or "") + "".join(after) or None
    return None if content is None else apply_hunk(content, diff.lines, budget)
