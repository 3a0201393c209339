"""Apply SEARCH/REPLACE blocks. Pure."""

from collections.abc import Mapping

from synth.edits.block_matching import replace_lines, unwrap
from synth.edits.block_syntax import Block, parse_blocks
from synth.edits.hunks import EditResult, Hunk, MalformedError, Region, changed_region
from synth.edits.workspace import Workspace


def apply_edit_blocks(workspace: Workspace, text: str) -> EditResult:
    """Apply the SEARCH/REPLACE blocks of an answer. A block that does not apply is skipped, with a finding."""
    result = EditResult.of(workspace.files)
    try:
        found = parse_blocks(text, workspace.fence, sorted(workspace.files))
    except MalformedError as malformed:
        result.findings.append(str(malformed))
        return result
    for index, block in enumerate(found):
        # First by the files as they were shown, as the tool does; then by the files that earlier blocks have changed.
        path = _choose_file(workspace.files, block, workspace.resolve_path(block.path), workspace)
        path = _choose_file(result.files, block, path, workspace)
        alone = _edit(workspace.files, block, path, workspace)
        region = None if alone is None else changed_region(workspace.files.get(path), alone)
        result.hunks.append(_make_hunk(index, block, path, region=region, workspace=workspace))
        _apply(result, block, path, workspace)
    return result


def _choose_file(files: Mapping[str, str], block: Block, path: str, workspace: Workspace) -> str:
    """Return the file in which the block applies: the one that it names, else the first other editable file."""
    if path in workspace.read_only or not block.search.strip() or _edit(files, block, path, workspace):
        return path
    others = (other for other in workspace.files if other in files and _edit(files, block, other, workspace))
    return next(others, path)


def _apply(result: EditResult, block: Block, path: str, workspace: Workspace) -> None:
    if path in workspace.read_only:
        result.findings.append(f"{path} was shown read-only")
    elif (edited := _edit(result.files, block, path, workspace)) is not None:
        result.files[path] = edited
    elif path in result.files:
        lacking = "SEARCH text not found in" if block.search.strip() else "an empty block is for"
        result.findings.append(f"{lacking} {path}")
    elif block.search.strip():
        result.findings.append(f"{path} was not shown")
    else:
        result.findings.append(f"an empty block is for {path}")


def _edit(files: Mapping[str, str], block: Block, path: str, workspace: Workspace) -> str | None:
    """Return the file with the block applied; None if the block does not apply or leaves an empty file."""
    search = unwrap(block.search, path, workspace.fence)
    replace = unwrap(block.replace, path, workspace.fence)
    if search is None or replace is None:
        return None
    if not search.strip():
        return files.get(path, "") + replace or None
    return replace_lines(files[path], search, replace) if path in files else None


def _make_hunk(index: int, block: Block, path: str, *, region: Region | None, workspace: Workspace) -> Hunk:
    fence = workspace.fence
    lead = "" if block.named else f"{path}\n"
    if not block.named and not block.opened:
        lead += f"{fence.opening}\n"
    fenced = block.opened or lead.endswith(f"{fence.opening}\n")
    tail = f"\n{fence.closing}" if fenced and not block.closed else ""
    return Hunk(index, path, region, block.text, lead, tail)
