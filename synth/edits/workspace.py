"""The files that a conversation shows. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from posixpath import normpath

from synth.edits.fences import FENCES, Fence
from synth.request import Message, text_of

_MAX_PATH_CHARS = 250
_MAX_ACKNOWLEDGEMENT_CHARS = 200
_READ_ONLY = re.compile(r"\bread[- ]?only\b", re.IGNORECASE)
_BY_OPENING = {fence.opening: fence for fence in FENCES}


@dataclass(frozen=True, slots=True)
class Workspace:
    """The latest version of each file that was shown, by path.

    `files` may be edited, `read_only` may not. `fence` is what stood around them, which the answer's parser expects
    around edits too.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    read_only: Mapping[str, str] = field(default_factory=dict)
    fence: Fence = FENCES[0]

    def located(self, path: str) -> str:
        """Return a path as it was shown: without `./` and the like, unless it was shown so."""
        if path in self.files or path in self.read_only or not path:
            return path
        return normpath(path)


def workspace(messages: Sequence[Message]) -> Workspace:
    """Return the files that the user showed.

    A message shows files if it ends in listings, each a path alone on its line above a fenced block, and if a single
    line was all that the assistant said to it: fenced blocks in talk, in instructions and in answers show none.
    """
    files: dict[str, str] = {}
    read_only: dict[str, str] = {}
    fence = FENCES[0]
    for shown, reply in pairwise(messages):
        if shown.get("role") != "user" or reply.get("role") != "assistant" or not _acknowledges(reply):
            continue
        text = text_of(shown.get("content"))
        listings = list(_listings(text))
        if not listings:
            continue
        fence = listings[-1].fence
        target, other = (read_only, files) if _READ_ONLY.search(text[: listings[0].start]) else (files, read_only)
        for listing in listings:
            target[listing.path] = listing.content
            other.pop(listing.path, None)
    return Workspace(files, read_only, fence)


def _acknowledges(reply: Message) -> bool:
    text = text_of(reply.get("content")).strip()
    return 0 < len(text) <= _MAX_ACKNOWLEDGEMENT_CHARS and "\n" not in text


@dataclass(frozen=True, slots=True)
class _Listing:
    path: str
    content: str
    fence: Fence
    start: int


def _listings(text: str) -> Iterator[_Listing]:
    """Yield the listings at the end of a message; none where anything else follows the last one."""
    # Not splitlines: a form feed or a line separator belongs to the file that holds it.
    lines = text.split("\n")
    found: list[_Listing] = []
    offset = position = 0
    while position < len(lines):
        listing_end = _listing_end(lines, position) if _opens_listing(lines, position) else None
        if listing_end is None:
            if lines[position].strip() and found:
                found.clear()
            offset += len(lines[position]) + 1
            position += 1
            continue
        fence = _BY_OPENING[lines[position + 1]]
        content = "\n".join(lines[position + 2 : listing_end + 1]).removesuffix(fence.closing)
        found.append(_Listing(lines[position], content, fence, offset))
        offset += sum(len(line) + 1 for line in lines[position : listing_end + 1])
        position = listing_end + 1
    yield from found


def _opens_listing(lines: Sequence[str], position: int) -> bool:
    path = lines[position]
    return (
        position + 1 < len(lines)
        and lines[position + 1] in _BY_OPENING
        and 0 < len(path) <= _MAX_PATH_CHARS
        and path == path.strip()
        and path not in _BY_OPENING
        and (position == 0 or not lines[position - 1].strip())
    )


def _listing_end(lines: Sequence[str], start: int) -> int | None:
    """Return the line that closes the listing which begins at `start`, None for no such line.

    A file without a line end at its end has the closing fence right behind its last character: such a line closes
    only where nothing or the next listing follows.
    """
    closing = _BY_OPENING[lines[start + 1]].closing
    for position in range(start + 2, len(lines)):
        if lines[position] == closing:
            return position
        if lines[position].endswith(closing) and _nothing_else(lines, position + 1):
            return position
    return None


def _nothing_else(lines: Sequence[str], position: int) -> bool:
    while position < len(lines) and not lines[position].strip():
        position += 1
    return position == len(lines) or _opens_listing(lines, position)
