"""Applying SEARCH/REPLACE blocks. Pure."""

from collections.abc import Mapping

from synth.edits.block_syntax import Block, blocks
from synth.edits.hunks import Draft, Hunk, MalformedError, Region, touched
from synth.edits.matching import replaced, unwrapped
from synth.edits.workspace import Workspace


def edit_blocks_applied(workspace: Workspace, text: str) -> Draft:
    """Return what an answer's SEARCH/REPLACE blocks come to. Those that do not apply are left out, with a finding."""
    draft = Draft.of(workspace.files)
    try:
        found = blocks(text, workspace.fence, sorted(workspace.files))
    except MalformedError as malformed:
        draft.findings.append(str(malformed))
        return draft
    for index, block in enumerate(found):
        # The file is chosen by what was shown, before any block has changed it.
        path = _path(workspace.files, block, workspace.located(block.path), workspace)
        path = _path(draft.files, block, path, workspace)
        alone = _edited(workspace.files, block, path, workspace)
        region = None if alone is None else touched(workspace.files.get(path), alone)
        draft.hunks.append(_hunk(index, block, path, region=region, workspace=workspace))
        _apply(draft, block, path, workspace)
    return draft


def _path(files: Mapping[str, str], block: Block, path: str, workspace: Workspace) -> str:
    """Return the file in which the block applies: the one it names, else any other that can be edited."""
    if path in workspace.read_only or not block.search.strip() or _edited(files, block, path, workspace):
        return path
    others = (other for other in workspace.files if other in files and _edited(files, block, other, workspace))
    return next(others, path)


def _apply(draft: Draft, block: Block, path: str, workspace: Workspace) -> None:
    if path in workspace.read_only:
        draft.findings.append(f"{path} was shown read-only")
    elif (edited := _edited(draft.files, block, path, workspace)) is not None:
        draft.files[path] = edited
    elif path in draft.files:
        lacking = "SEARCH text not found in" if block.search.strip() else "an empty block is for"
        draft.findings.append(f"{lacking} {path}")
    elif block.search.strip():
        draft.findings.append(f"{path} was not shown")
    else:
        draft.findings.append(f"an empty block is for {path}")


def _edited(files: Mapping[str, str], block: Block, path: str, workspace: Workspace) -> str | None:
    """Return the file with the block applied, None where it does not apply or leaves nothing."""
    search = unwrapped(block.search, path, workspace.fence)
    replace = unwrapped(block.replace, path, workspace.fence)
    if search is None or replace is None:
        return None
    if not search.strip():
        return files.get(path, "") + replace or None
    return replaced(files[path], search, replace) if path in files else None


def _hunk(index: int, block: Block, path: str, *, region: Region | None, workspace: Workspace) -> Hunk:
    fence = workspace.fence
    lead = "" if block.named else f"{path}\n"
    if not block.named and not block.opened:
        lead += f"{fence.opening}\n"
    fenced = block.opened or lead.endswith(f"{fence.opening}\n")
    tail = f"\n{fence.closing}" if fenced and not block.closed else ""
    return Hunk(index, path, region, block.text, lead, tail)
