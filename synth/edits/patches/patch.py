"""Apply patches between `*** Begin Patch` and `*** End Patch`. Pure."""

from collections.abc import Callable, Iterator, Sequence

from runtime.budget import Budget
from synth.edits.hunks import EditResult, Hunk, MalformedError, Region
from synth.edits.line_search import find_sequence
from synth.edits.patches.patch_syntax import UPDATE, Action, FilePatch, Section, parse_patch
from synth.edits.workspace import Workspace

Change = tuple[int, Sequence[str], Sequence[str]]


def apply_patch(workspace: Workspace, text: str, budget: Budget) -> EditResult:
    """Apply the patch of an answer. If any part of it does not apply, no file changes."""
    result = EditResult.of(workspace.files)
    try:
        parsed = parse_patch(text, budget)
    except MalformedError as malformed:
        result.findings.append(str(malformed))
        return result
    changes: dict[str, list[Change]] = {}
    actions: dict[str, FilePatch] = {}
    for file in parsed.files:
        path = workspace.resolve_path(file.path)
        result.findings += _find_problems(file, actions.get(path), path, workspace)
        if path not in actions or file.move_to:
            actions[path] = file
        changes.setdefault(path, []).extend(_plan(result, file, path, budget))
    if not result.findings:
        for path, file in actions.items():
            budget.spend_chars(2 * len(result.files.get(path, "")))
            _apply(result, file, path, sorted(changes[path], key=lambda change: change[0]))
    if result.findings:
        result.files = dict(workspace.files)
    if parsed.truncated:
        result.findings.append("truncated: the patch has no *** End Patch")
    return result


def _find_problems(file: FilePatch, earlier: FilePatch | None, path: str, workspace: Workspace) -> Iterator[str]:
    """Yield why the patch cannot do this to the file, regardless of the file's lines."""
    if path in workspace.read_only:
        yield f"{path} was shown read-only"
    elif file.action is not Action.ADD and path not in workspace.files:
        yield f"{path} was not shown"
    elif file.action is Action.ADD and path in workspace.files:
        yield f"{path} is to be added, but exists"
    if earlier and (earlier.action is not file.action or file.action is Action.ADD):
        yield f"the patch does two things to {path}"


def _plan(result: EditResult, file: FilePatch, path: str, budget: Budget) -> Iterator[Change]:
    """Yield the changes (position, old lines, new lines) of an update, and add its hunks to the result."""
    if file.action is not Action.UPDATE or file.move_to:
        result.hunks.append(Hunk(len(result.hunks), path, None, file.text))
    content = result.files.get(path, "")
    budget.spend_chars(len(content))
    lines = content.splitlines()
    position: int | None = 0
    for section in file.sections:
        found = None if position is None else _find_place(lines, section, position, budget)
        changes = [] if found is None else [(found + at, old, new) for at, old, new in section.changes]
        if not file.move_to:
            region = None if found is None else _span(found, changes)
            result.hunks.append(Hunk(len(result.hunks), path, region, section.text, f"{UPDATE}{file.path}\n"))
        if found is None and position is not None and path in result.files:
            result.findings.append(f"the lines of a section were not found in {path}")
        position = None if found is None else found + len(section.expected)
        yield from changes


def _span(found: int, changes: Sequence[Change]) -> Region:
    if not changes:
        return Region(found, found)
    (first, _, _), (last, old, _) = changes[0], changes[-1]
    return Region(first, last + len(old))


def _find_place(lines: Sequence[str], section: Section, position: int, budget: Budget) -> int | None:
    """Return the position of a section's expected lines at or after `position`, below the section's scopes."""
    if section.scopes:
        scopes = [scope.strip() for scope in section.scopes]
        above = _find(lines, scopes, position, str.strip, budget)
        if above is None:
            return None
        position = above + len(scopes)
    if not section.expected:
        return len(lines) if section.at_end else position
    last = len(lines) - len(section.expected)
    for start in (last, position) if section.at_end and last >= 0 else (position,):
        for norm in (str, str.rstrip, str.strip):
            found = _find(lines, section.expected, start, norm, budget)
            if found is not None:
                return found
    return None


def _find(
    lines: Sequence[str], wanted: Sequence[str], start: int, norm: Callable[[str], str], budget: Budget
) -> int | None:
    budget.spend(len(lines) - start + len(wanted))
    found = find_sequence([norm(line) for line in lines[start:]], [norm(line) for line in wanted], budget)
    return None if found is None else start + found


def _apply(result: EditResult, file: FilePatch, path: str, changes: Sequence[Change]) -> None:
    if file.action is Action.ADD:
        result.files[path] = file.content
        return
    lines = result.files.pop(path).splitlines()
    if file.action is Action.DELETE:
        return
    edited: list[str] = []
    taken = 0
    for at, old, new in changes:
        if at < taken:
            result.findings.append(f"the patch changes the same lines of {path} twice")
            return
        edited += [*lines[taken:at], *new]
        taken = at + len(old)
    edited += lines[taken:]
    result.files[file.move_to or path] = "\n".join(edited) + "\n" if edited or lines else ""
