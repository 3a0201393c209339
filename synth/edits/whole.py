"""Parse and apply listings of whole files, by the rules of aider's `whole` format. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runtime.budget import Budget
from synth.edits.hunks import EditResult, Hunk, MalformedError
from synth.edits.workspace import Workspace

_MAX_NAME_CHARS = 250
_CHARS_PER_WORD = 4
# The source of a listing's file name, the most certain first: the line above the fence, the prose before, or the only
# file.
_ABOVE, _MENTIONED, _ONLY = range(3)


@dataclass(frozen=True, slots=True)
class _Listing:
    path: str
    source: int
    content: str
    text: str
    closed: bool


def apply_file_listings(workspace: Workspace, text: str, budget: Budget) -> EditResult:
    """Apply the file listings of an answer. Of two listings of one file, the more certain name counts."""
    budget.spend(len(text) // _CHARS_PER_WORD)
    result = EditResult.of(workspace.files)
    try:
        listings = list(_parse_listings(text.rstrip(), workspace, budget))
    except MalformedError as malformed:
        result.findings.append(str(malformed))
        return result
    chosen: dict[str, _Listing] = {}
    for listing in sorted(listings, key=lambda listing: listing.source):
        chosen.setdefault(listing.path, listing)
    for listing in listings:
        if chosen[listing.path] is listing:
            _apply(result, listing, workspace)
    return result


def _apply(result: EditResult, listing: _Listing, workspace: Workspace) -> None:
    path = workspace.resolve_path(listing.path)
    lead = "" if listing.source == _ABOVE else f"{path}\n"
    tail = "" if listing.closed else f"\n{workspace.fence.closing}"
    result.hunks.append(Hunk(len(result.hunks), path, None, listing.text, lead, tail))
    if path in workspace.read_only:
        result.findings.append(f"{path} was shown read-only")
    else:
        result.files[path] = listing.content
    if not listing.closed:
        result.findings.append(f"truncated: the listing of {path} does not end")


def _parse_listings(text: str, workspace: Workspace, budget: Budget) -> Iterator[_Listing]:
    """Yield the listings of an answer.

    Raises MalformedError if a listing has no file name: the tool then applies none of them.
    """
    lines = text.splitlines(keepends=True)
    budget.spend(4 * len(lines))
    fences = (workspace.fence.opening, workspace.fence.closing)
    mentioned: str | None = None
    position = 0
    while position < len(lines):
        if not lines[position].startswith(fences):
            mentioned = _find_mention(lines[position], workspace) or mentioned
            position += 1
            continue
        path, source = _find_name(lines, position, mentioned, workspace)
        inside = range(position + 1, len(lines))
        end = next((at for at in inside if lines[at].startswith(fences)), None)
        start = position - 1 if source == _ABOVE else position
        stop = len(lines) if end is None else end
        verbatim = "".join(lines[start : stop + 1]).rstrip("\r\n")
        yield _Listing(path, source, "".join(lines[inside.start : stop]), verbatim, end is not None)
        mentioned = None
        position = stop + 1


def _find_mention(line: str, workspace: Workspace) -> str | None:
    """Return the last file that a line of prose names in backticks, or None."""
    words = (word.rstrip(".:,;!") for word in line.split())
    names = [word[1:-1] for word in words if len(word) > 1 and word[0] == word[-1] == "`"]
    return next((name for name in reversed(names) if name in workspace.files), None)


def _find_name(lines: Sequence[str], fence: int, mentioned: str | None, workspace: Workspace) -> tuple[str, int]:
    """Return the path of a listing's file and the origin of that path."""
    above = lines[fence - 1].strip().strip("*").rstrip(":").strip("`").lstrip("#").strip() if fence else ""
    if above and len(above) <= _MAX_NAME_CHARS:
        base_name = PurePosixPath(above).name
        invented_folder = above not in workspace.files and base_name in workspace.files
        return base_name if invented_folder else above, _ABOVE
    if mentioned:
        return mentioned, _MENTIONED
    if len(workspace.files) == 1:
        return next(iter(workspace.files)), _ONLY
    raise MalformedError("a file listing has no file name on the line above its fence")
