"""Assemble one answer from hunks of several answers. Pure."""

from collections.abc import Iterable, Sequence
from itertools import combinations, groupby

from runtime.budget import Budget
from synth.edits.application import try_edits
from synth.edits.forms import EditForm
from synth.edits.hunks import Hunk, Region
from synth.edits.patches.patch_syntax import BEGIN, END
from synth.edits.workspace import Workspace

_SECTION_MARK = "@@"


def assemble_hunks(form: EditForm, hunks: Sequence[Hunk]) -> str:
    """Return an answer of the given form that makes these hunks, each verbatim, in the given order.

    Patches are the exception: their readers demand that the hunks of a file stand together, from its top to its end.
    """
    if form is EditForm.PATCH:
        return "\n".join([BEGIN, *_group_by_file(_sort_within_files(hunks)), END, ""])
    if form is EditForm.UDIFF:
        return "\n\n".join(_group_by_file(hunks)) + "\n"
    return "\n\n".join(hunk.lead + hunk.text + hunk.tail for hunk in hunks) + "\n"


def assemble_picks(
    form: EditForm, workspace: Workspace, picks: Sequence[tuple[str, int]], budget: Budget
) -> str | None:
    """Return the answer made of hunks of several answers, each pick (an answer's text, the number of a hunk from 1).

    None if a hunk does not exist, or if two of them conflict.
    """
    hunks: dict[str, dict[int, Hunk]] = {}
    chosen: dict[str, list[Hunk]] = {}
    order: list[Hunk] = []
    for text, number in picks:
        if text not in hunks:
            hunks[text] = {hunk.index + 1: hunk for hunk in try_edits(form, workspace, text, budget).hunks}
        if number not in hunks[text]:
            return None
        order.append(hunks[text][number])
        chosen.setdefault(text, []).append(hunks[text][number])
    conflict = find_conflict(form, workspace, list(chosen.values()), budget)
    return assemble_hunks(form, order) if conflict is None else None


def find_conflict(form: EditForm, workspace: Workspace, chosen: Sequence[Sequence[Hunk]], budget: Budget) -> str | None:
    """Return why hunks cannot be assembled, or None if they can. `chosen` has one group of hunks per answer.

    Two conditions: hunks of different answers change different regions, and the assembled answer applies every hunk at
    the place that it had in its own answer.
    """
    # A region that merely does not overlap is not enough. A lenient reader may find the lines of one hunk at another
    # place once the hunk before it has been applied, and a file without a known region may be replaced as a whole.
    # So the assembled answer is applied for real, and each hunk must land where it landed alone.
    for ours, theirs in combinations(chosen, 2):
        budget.spend(len(ours) * len(theirs))
        for one in ours:
            if any(_overlap(one, other) for other in theirs):
                return f"two answers change the same lines of {one.path}"
    hunks = [hunk for group in chosen for hunk in group]
    result = try_edits(form, workspace, assemble_hunks(form, hunks), budget)
    if result.findings:
        return result.findings[0]
    if _list_places(result.hunks) != _list_places(hunks):
        return "taken together, the hunks apply at other places"
    return None


def _overlap(one: Hunk, other: Hunk) -> bool:
    if one.path != other.path:
        return False
    return one.region is None or other.region is None or one.region.overlaps(other.region)


def _list_places(hunks: Iterable[Hunk]) -> list[tuple[str, Region]]:
    return sorted((hunk.path, hunk.region or Region(-1, -1)) for hunk in hunks)


def _sort_within_files(hunks: Sequence[Hunk]) -> list[Hunk]:
    """Return hunks file by file, in the order of the files' first hunks, each file's from its top to its end."""
    first = {hunk.path: position for position, hunk in reversed(list(enumerate(hunks)))}
    return sorted(hunks, key=lambda hunk: (first[hunk.path], hunk.region or Region(-1, -1)))


def _group_by_file(hunks: Iterable[Hunk]) -> list[str]:
    """Return the hunks' texts; neighbours that share lead and tail get one of each."""
    groups = groupby(hunks, key=lambda hunk: (hunk.path, hunk.lead, hunk.tail))
    return [lead + _join_sections([hunk.text for hunk in group]) + tail for (_, lead, tail), group in groups]


def _join_sections(texts: Sequence[str]) -> str:
    """Join texts with a section mark between them, unless the next text begins with one itself."""
    return "\n".join(
        [texts[0], *(text if text.startswith(_SECTION_MARK) else f"{_SECTION_MARK}\n{text}" for text in texts[1:])]
    )
