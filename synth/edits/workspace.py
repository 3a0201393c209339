"""Find the files that a conversation shows. Pure."""

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

    `files` may be edited, `read_only` may not. `fence` is the fence around the last of them, which the tool expects
    around edits too.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    read_only: Mapping[str, str] = field(default_factory=dict)
    fence: Fence = FENCES[0]

    def resolve_path(self, path: str) -> str:
        """Return the path under which a file was shown: without `./` and the like, unless it was shown with them."""
        if path in self.files or path in self.read_only or not path:
            return path
        return normpath(path)


def read_workspace(messages: Sequence[Message]) -> Workspace:
    """Return the files that the user showed.

    A message shows files if it ends in listings, each a path alone on its line above a fenced block, and if the
    assistant answered it with a single line. Fenced blocks in prose, in instructions and in answers are not files.
    """
    files: dict[str, str] = {}
    read_only: dict[str, str] = {}
    fence = FENCES[0]
    for shown, reply in pairwise(messages):
        if shown.get("role") != "user" or reply.get("role") != "assistant" or not _acknowledges(reply):
            continue
        text = text_of(shown.get("content"))
        listings = list(_find_listings(text))
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


def _find_listings(text: str) -> Iterator[_Listing]:
    """Yield the listings at the end of a message; nothing if other text follows the last one."""
    # Not splitlines: a form feed or a line separator is part of the file's text.
    lines = text.split("\n")
    found: list[_Listing] = []
    offset = position = 0
    while position < len(lines):
        listing_end = _find_listing_end(lines, position) if _opens_listing(lines, position) else None
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


def _find_listing_end(lines: Sequence[str], start: int) -> int | None:
    """Return the position of the line that closes the listing at `start`, or None.

    If a file does not end with a newline, the closing fence stands right after its last character. Such a line closes
    the listing only if nothing or the next listing follows.
    """
    closing = _BY_OPENING[lines[start + 1]].closing
    for position in range(start + 2, len(lines)):
        if lines[position] == closing:
            return position
        if lines[position].endswith(closing) and _only_listings_follow(lines, position + 1):
            return position
    return None


def _only_listings_follow(lines: Sequence[str], position: int) -> bool:
    while position < len(lines) and not lines[position].strip():
        position += 1
    return position == len(lines) or _opens_listing(lines, position)
