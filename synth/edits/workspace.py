"""Find the files that a conversation shows. Pure."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from posixpath import normpath

from runtime.budget import BudgetExceededError
from synth.edits.fences import FENCES, Fence
from synth.request import Message, text_of

_MAX_PATH_CHARS = 250
_MAX_ACKNOWLEDGEMENT_CHARS = 200
_MAX_SHOWN_CHARS = 2_000_000
_MAX_FENCES = 10_000
_READ_ONLY = re.compile(r"\bread[- ]?only\b", re.IGNORECASE)
_INK = re.compile(r"\S")
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

    @property
    def n_chars(self) -> int:
        """The length of all files together."""
        return sum(map(len, (*self.files.values(), *self.read_only.values())))

    def resolve_path(self, path: str) -> str:
        """Return the path under which a file was shown: without `./` and the like, unless it was shown with them."""
        if path in self.files or path in self.read_only or not path:
            return path
        return normpath(path)


def read_workspace(messages: Sequence[Message]) -> Workspace:
    """Return the files that the user showed. Raises BudgetExceededError if they are too many or too large to read here.

    A message shows files if it ends in listings, each a path alone on its line above a fenced block, and if the
    assistant answered it with a single line. Fenced blocks in prose, in instructions and in answers are not files.
    """
    files: dict[str, str] = {}
    read_only: dict[str, str] = {}
    fence = FENCES[0]
    n_chars = n_fences = 0
    for shown, reply in pairwise(messages):
        if shown.get("role") != "user" or reply.get("role") != "assistant" or not _acknowledges(reply):
            continue
        text = text_of(shown.get("content"))
        n_chars += len(text)
        if n_chars > _MAX_SHOWN_CHARS:
            raise BudgetExceededError(f"the files shown are longer than {_MAX_SHOWN_CHARS} characters")
        scanner = _Scanner(text)
        n_fences += scanner.count_fences()
        if n_fences > _MAX_FENCES:
            raise BudgetExceededError(f"the files shown have more than {_MAX_FENCES} fences")
        listings = scanner.find_last_listings()
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
    """A listing in a message: its text from `start` to `end`, which is the end of the closing fence."""

    path: str
    content: str
    fence: Fence
    start: int
    end: int


class _Scanner:
    """Finds the listings of one message, in time that grows with its length.

    Lines end with a line feed alone: a form feed or a Unicode line separator is part of the file that holds it.
    """

    # Lines are never taken one by one: a message may have millions. Built-in searches find the lines that may open or
    # close a listing, and Python looks at those alone. Looking for each listing's end from its beginning would go
    # through the whole rest for each listing without an end, so the ends are found once for each kind of fence.

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends: dict[Fence, list[int]] = {}

    def count_fences(self) -> int:
        """Return how many lines may be fences; a few more if most lines end with a tag."""
        n_tags = self._text.count(">\n")
        if n_tags > _MAX_FENCES:
            n_tags = sum(self._text.count(f"{mark}\n") for fence in FENCES[2:] for mark in fence)
        return self._text.count("```\n") + n_tags

    def find_last_listings(self) -> list[_Listing]:
        """Return the listings at the end of the message; an empty list if other text follows the last one."""
        found: list[_Listing] = []
        end = 0
        for start in self._find_openings():
            if start < end:
                continue
            listing = self._read_listing(start)
            if listing is not None:
                if not self._is_blank(end, start):
                    found.clear()
                found.append(listing)
                end = listing.end
        return found if self._is_blank(end, len(self._text)) else []

    def _find_openings(self) -> list[int]:
        """Return where the lines stand that may be the path of a listing: those above an opening fence."""
        starts: list[int] = []
        for fence in FENCES:
            opening = f"\n{fence.opening}\n"
            at = self._text.find(opening)
            while at >= 0:
                starts.append(self._text.rfind("\n", 0, at) + 1)
                at = self._text.find(opening, at + 1)
        return sorted(starts)

    def _read_listing(self, start: int) -> _Listing | None:
        opened = self._read_opening(start)
        if opened is None:
            return None
        path, fence = opened
        begins = start + len(path) + len(fence.opening) + 2
        ends = self._find_ends(fence)
        position = bisect_left(ends, begins + len(fence.closing))
        if position == len(ends):
            return None
        content = self._text[begins : ends[position]].removesuffix(fence.closing)
        return _Listing(path, content, fence, start, ends[position])

    def _read_opening(self, start: int) -> tuple[str, Fence] | None:
        """Return the path and the fence of the listing that begins with the line at `start`, or None."""
        path_end = self._text.find("\n", start, start + _MAX_PATH_CHARS + 1)
        path = self._text[start : max(start, path_end)]
        if not path or path != path.strip() or path in _BY_OPENING:
            return None
        above = self._text.rfind("\n", 0, max(0, start - 1)) + 1
        if not self._is_blank(above, start):
            return None
        longest = path_end + 1 + max(map(len, _BY_OPENING))
        fence_end = self._text.find("\n", path_end + 1, longest + 1)
        fence = _BY_OPENING.get(self._text[path_end + 1 : fence_end if fence_end >= 0 else longest])
        return None if fence is None else (path, fence)

    def _find_ends(self, fence: Fence) -> list[int]:
        """Return the ends of all closing fences.

        If a file does not end with a newline, the closing fence stands right after its last character. Such a fence
        closes the listing only if nothing or the next listing follows.
        """
        if fence not in self._ends:
            self._ends[fence] = list(self._search_ends(fence.closing))
        return self._ends[fence]

    def _search_ends(self, closing: str) -> Iterator[int]:
        text = self._text + "\n"
        at = text.find(closing + "\n")
        while at >= 0:
            end = at + len(closing)
            if at == 0 or text[at - 1] == "\n" or self._only_listings_follow(end):
                yield end
            at = text.find(closing + "\n", at + 1)

    def _only_listings_follow(self, end: int) -> bool:
        ink = _INK.search(self._text, end)
        if ink is None:
            return True
        start = self._text.rfind("\n", 0, ink.start()) + 1
        return self._read_opening(start) is not None

    def _is_blank(self, start: int, end: int) -> bool:
        return _INK.search(self._text, start, end) is None
