"""Reading and applying listings of whole files, by the rules of aider's `whole`. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from synth.edits.hunks import Draft, Hunk, MalformedError
from synth.edits.workspace import Workspace

_MAX_NAME_CHARS = 250
# How a file name was come by, the surest first: said above the fence, mentioned before, the only file there is.
_ABOVE, _MENTIONED, _ONLY = range(3)


@dataclass(frozen=True, slots=True)
class _Listing:
    path: str
    source: int
    content: str
    text: str
    closed: bool


def whole_file_applied(workspace: Workspace, text: str) -> Draft:
    """Return what an answer's file listings come to. Of two for one file, that with the surer name counts."""
    draft = Draft.of(workspace.files)
    try:
        listings = list(_listings(text.rstrip(), workspace))
    except MalformedError as malformed:
        draft.findings.append(str(malformed))
        return draft
    chosen: dict[str, _Listing] = {}
    for listing in sorted(listings, key=lambda listing: listing.source):
        chosen.setdefault(listing.path, listing)
    for listing in listings:
        if chosen[listing.path] is listing:
            _apply(draft, listing, workspace)
    return draft


def _apply(draft: Draft, listing: _Listing, workspace: Workspace) -> None:
    path = workspace.located(listing.path)
    lead = "" if listing.source == _ABOVE else f"{path}\n"
    tail = "" if listing.closed else f"\n{workspace.fence.closing}"
    draft.hunks.append(Hunk(len(draft.hunks), path, None, listing.text, lead, tail))
    if path in workspace.read_only:
        draft.findings.append(f"{path} was shown read-only")
    else:
        draft.files[path] = listing.content
    if not listing.closed:
        draft.findings.append(f"truncated: the listing of {path} does not end")


def _listings(text: str, workspace: Workspace) -> Iterator[_Listing]:
    """Yield the listings of an answer; MalformedError where one has no file name, and the tool takes none of them."""
    lines = text.splitlines(keepends=True)
    fences = (workspace.fence.opening, workspace.fence.closing)
    mentioned: str | None = None
    position = 0
    while position < len(lines):
        if not lines[position].startswith(fences):
            mentioned = _mention(lines[position], workspace) or mentioned
            position += 1
            continue
        path, source = _name(lines, position, mentioned, workspace)
        inside = range(position + 1, len(lines))
        end = next((at for at in inside if lines[at].startswith(fences)), None)
        start = position - 1 if source == _ABOVE else position
        stop = len(lines) if end is None else end
        verbatim = "".join(lines[start : stop + 1]).rstrip("\r\n")
        yield _Listing(path, source, "".join(lines[inside.start : stop]), verbatim, end is not None)
        mentioned = None
        position = stop + 1


def _mention(line: str, workspace: Workspace) -> str | None:
    """Return the last file that a line of talk names in backticks."""
    words = (word.rstrip(".:,;!") for word in line.split())
    names = [word[1:-1] for word in words if len(word) > 1 and word[0] == word[-1] == "`"]
    return next((name for name in reversed(names) if name in workspace.files), None)


def _name(lines: Sequence[str], fence: int, mentioned: str | None, workspace: Workspace) -> tuple[str, int]:
    """Return the file that a listing is for, and how sure that is."""
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
