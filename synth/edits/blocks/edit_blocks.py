"""Apply SEARCH/REPLACE blocks. Pure."""

from collections.abc import Mapping

from runtime.budget import Budget
from synth.edits.blocks.block_matching import replace_lines, unwrap
from synth.edits.blocks.block_syntax import Block, parse_blocks
from synth.edits.hunks import EditResult, Hunk, MalformedError, changed_region
from synth.edits.workspace import Workspace


def apply_edit_blocks(workspace: Workspace, text: str, budget: Budget) -> EditResult:
    """Apply the SEARCH/REPLACE blocks of an answer. A block that does not apply is skipped, with a finding."""
    result = EditResult.of(workspace.files)
    try:
        found = parse_blocks(text, workspace.fence, sorted(workspace.files), budget)
    except MalformedError as malformed:
        result.findings.append(str(malformed))
        return result
    for index, block in enumerate(found):
        _BlockEditor(index, block, workspace, budget).apply(result)
    return result


class _BlockEditor:
    """Applies one block.

    The file of a block is chosen twice, as the tool does: by the files as they were shown, then by the files that
    earlier blocks have changed. Both are mostly the same, so each edit of a text is made once.
    """

    def __init__(self, index: int, block: Block, workspace: Workspace, budget: Budget) -> None:
        self._index = index
        self._block = block
        self._workspace = workspace
        self._budget = budget
        self._edited: dict[tuple[str, str | None], str | None] = {}

    def apply(self, result: EditResult) -> None:
        """Add the block's hunk and either its edit or a finding to the result."""
        shown = self._workspace.files
        path = self._choose_file(shown, self._workspace.resolve_path(self._block.path))
        path = self._choose_file(result.files, path)
        alone = self._edit(shown, path)
        region = None if alone is None else changed_region(shown.get(path), alone, self._budget)
        lead, tail = self._surround(path)
        result.hunks.append(Hunk(self._index, path, region, self._block.text, lead, tail))
        edited = None if path in self._workspace.read_only else self._edit(result.files, path)
        if edited is None:
            result.findings.append(self._explain(path, result.files))
        else:
            result.files[path] = edited

    def _choose_file(self, files: Mapping[str, str], path: str) -> str:
        """Return the file in which the block applies: the one that it names, else the first other editable file."""
        if path in self._workspace.read_only or not self._block.search.strip() or self._edit(files, path):
            return path
        others = (other for other in self._workspace.files if other in files and self._edit(files, other))
        return next(others, path)

    def _explain(self, path: str, files: Mapping[str, str]) -> str:
        if path in self._workspace.read_only:
            return f"{path} was shown read-only"
        if not self._block.search.strip():
            return f"an empty block is for {path}"
        return f"SEARCH text not found in {path}" if path in files else f"{path} was not shown"

    def _edit(self, files: Mapping[str, str], path: str) -> str | None:
        """Return the file with the block applied, or None if the block does not apply or leaves an empty file."""
        content = files.get(path)
        key = (path, content)
        if key not in self._edited:
            self._edited[key] = self._edit_text(path, content)
        return self._edited[key]

    def _edit_text(self, path: str, content: str | None) -> str | None:
        block, fence = self._block, self._workspace.fence
        self._budget.spend_chars(2 * (len(block.search) + len(block.replace)))
        search = unwrap(block.search, path, fence)
        replace = unwrap(block.replace, path, fence)
        if search is None or replace is None:
            return None
        if not search.strip():
            self._budget.spend_chars(len(content or ""))
            return (content or "") + replace or None
        return None if content is None else replace_lines(content, search, replace, self._budget)

    def _surround(self, path: str) -> tuple[str, str]:
        """Return what must stand before and after the block's text in another answer."""
        block, fence = self._block, self._workspace.fence
        lead = "" if block.named else f"{path}\n"
        if not block.named and not block.opened:
            lead += f"{fence.opening}\n"
        fenced = block.opened or lead.endswith(f"{fence.opening}\n")
        return lead, f"\n{fence.closing}" if fenced and not block.closed else ""
