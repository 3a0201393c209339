"""One answer out of hunks of several. Pure."""

from collections.abc import Iterable, Sequence
from itertools import combinations, groupby

from synth.edits.application import applied
from synth.edits.forms import EditForm
from synth.edits.hunks import Hunk, Region
from synth.edits.patch_syntax import BEGIN, END
from synth.edits.workspace import Workspace

_APART = "@@"


def assembled(form: EditForm, hunks: Sequence[Hunk]) -> str:
    """Return an answer of a form that has edits which makes these hunks, each verbatim, in the order given.

    But for patches, where the hunks of a file stand together and go down the file, as their readers demand.
    """
    if form is EditForm.PATCH:
        return "\n".join([BEGIN, *_grouped(_down_each_file(hunks)), END, ""])
    if form is EditForm.UDIFF:
        return "\n\n".join(_grouped(hunks)) + "\n"
    return "\n\n".join(hunk.lead + hunk.text + hunk.tail for hunk in hunks) + "\n"


def clash(form: EditForm, workspace: Workspace, chosen: Sequence[Sequence[Hunk]]) -> str | None:
    """Return why hunks cannot be assembled, None where they can. `chosen` groups them by the answer they are of.

    They can if those of different answers touch different regions, and all together apply where each was meant to.
    """
    for ours, theirs in combinations(chosen, 2):
        for one in ours:
            if any(_same_place(one, other) for other in theirs):
                return f"two answers change the same lines of {one.path}"
    hunks = [hunk for group in chosen for hunk in group]
    result = applied(form, workspace, assembled(form, hunks))
    if result.findings:
        return result.findings[0]
    if _places(result.hunks) != _places(hunks):
        return "taken together, the hunks land elsewhere"
    return None


def _same_place(one: Hunk, other: Hunk) -> bool:
    if one.path != other.path:
        return False
    return one.region is None or other.region is None or one.region.overlaps(other.region)


def _places(hunks: Iterable[Hunk]) -> list[tuple[str, Region]]:
    return sorted((hunk.path, hunk.region or Region(-1, -1)) for hunk in hunks)


def _down_each_file(hunks: Sequence[Hunk]) -> list[Hunk]:
    first = {hunk.path: position for position, hunk in reversed(list(enumerate(hunks)))}
    return sorted(hunks, key=lambda hunk: (first[hunk.path], hunk.region or Region(-1, -1)))


def _grouped(hunks: Iterable[Hunk]) -> list[str]:
    """Return the hunks' texts, with one lead and one tail around those that follow each other and share them."""
    groups = groupby(hunks, key=lambda hunk: (hunk.path, hunk.lead, hunk.tail))
    return [lead + _apart([hunk.text for hunk in group]) + tail for (_, lead, tail), group in groups]


def _apart(texts: Sequence[str]) -> str:
    """Return texts one below the other, with a line between where the next would be read as going on."""
    return "\n".join([texts[0], *(text if text.startswith(_APART) else f"{_APART}\n{text}" for text in texts[1:])])
