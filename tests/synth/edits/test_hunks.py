"""Edits as values: taken apart, put together, compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.budget import Budget
from synth.edits import (
    AppliedEdits,
    EditForm,
    EditStatus,
    Hunk,
    Region,
    Workspace,
    apply_edits,
    assemble_hunks,
    find_conflict,
)
from synth.edits.application import MAX_STEPS
from synth.edits.hunks import changed_region
from tests.synth.edits.conversations import block

LINES = [f"line_{number} = {number}\n" for number in range(12)]
FILES = Workspace({"a.py": "".join(LINES), "b.py": "b = 1\n"})
EDITS = [form for form in EditForm if form is not EditForm.CODE]


def renamed(form: EditForm, number: int, new: str) -> str:
    """Return an answer that replaces one line of a.py."""
    old = LINES[number]
    match form:
        case EditForm.EDIT_BLOCKS:
            return block("a.py", old, new)
        case EditForm.UDIFF:
            return f"```diff\n--- a.py\n+++ a.py\n@@ ... @@\n-{old}+{new}```\n"
        case EditForm.PATCH:
            return f"*** Begin Patch\n*** Update File: a.py\n@@\n-{old}+{new}*** End Patch\n"
        case _:
            return f"a.py\n```\n{''.join([*LINES[:number], new, *LINES[number + 1 :]])}```\n"


def hunks(form: EditForm, text: str) -> tuple[Hunk, ...]:
    result = apply_edits(form, FILES, text)
    assert result.status is EditStatus.SOUND
    return result.hunks


@given(st.sampled_from(EDITS), st.integers(0, 11), st.sampled_from(["x = 1\n", "# é\n", "\tx\n"]))
def test_a_line_is_replaced(form: EditForm, number: int, new: str) -> None:
    """In every form, to the same effect."""
    expected = "".join([*LINES[:number], new, *LINES[number + 1 :]])
    assert apply_edits(form, FILES, renamed(form, number, new)).files["a.py"] == expected


@pytest.mark.parametrize("form", [EditForm.EDIT_BLOCKS, EditForm.UDIFF, EditForm.PATCH])
@given(numbers=st.lists(st.integers(0, 11), min_size=2, max_size=4, unique=True))
def test_hunks_of_several_answers_make_one(form: EditForm, numbers: list[int]) -> None:
    """Where they touch different lines: each verbatim, all of them applied."""
    answers = [renamed(form, number, f"new_{number} = 0\n") for number in numbers]
    chosen = [hunks(form, answer) for answer in answers]
    assert find_conflict(form, FILES, chosen, Budget(MAX_STEPS)) is None
    text = assemble_hunks(form, [hunk for group in chosen for hunk in group])
    assert all(hunk.text in text and hunk.text in answer for (hunk,), answer in zip(chosen, answers, strict=True))
    new = [f"new_{number} = 0\n" if number in numbers else line for number, line in enumerate(LINES)]
    assert apply_edits(form, FILES, text).files["a.py"] == "".join(new)


@pytest.mark.parametrize("form", EDITS)
def test_hunks_for_the_same_lines_clash(form: EditForm) -> None:
    """Even if they make the same change."""
    one, other = (hunks(form, renamed(form, 3, new)) for new in ("x = 1\n", "y = 1\n"))
    assert find_conflict(form, FILES, [one, other], Budget(MAX_STEPS)) == "two answers change the same lines of a.py"
    assert find_conflict(form, FILES, [one, one], Budget(MAX_STEPS)) == "two answers change the same lines of a.py"
    assert find_conflict(form, FILES, [one], Budget(MAX_STEPS)) is None


def test_a_hunk_that_needs_another_clashes_alone() -> None:
    """It searches text that the other hunk writes; together they apply."""
    text = block("a.py", LINES[0], "one\n") + block("a.py", "one\n", "two\n")
    first, second = hunks(EditForm.EDIT_BLOCKS, text)
    assert (first.region, second.region) == (Region(0, 1), None)
    assert find_conflict(EditForm.EDIT_BLOCKS, FILES, [[second]], Budget(MAX_STEPS)) == "SEARCH text not found in a.py"
    assert find_conflict(EditForm.EDIT_BLOCKS, FILES, [[first, second]], Budget(MAX_STEPS)) is None


def test_a_hunk_that_would_land_elsewhere_clashes() -> None:
    """Here only the section before it gave its place."""
    files = Workspace({"a.txt": "x\ny\nx\n"})
    patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n x\n-y\n+z\n@@\n-x\n+end\n*** End Patch"
    _, last = apply_edits(EditForm.PATCH, files, patch).hunks
    assert (
        find_conflict(EditForm.PATCH, files, [[last]], Budget(MAX_STEPS))
        == "taken together, the hunks apply at other places"
    )


def test_a_hunk_has_its_lead_and_tail() -> None:
    """The name that was said before, the fence that holds several blocks."""
    first, second = (
        block("a.py", LINES[0], "one\n"),
        "<<<<<<< SEARCH\nline_5 = 5\n=======\nfive\n>>>>>>> REPLACE\n```\n",
    )
    shared = apply_edits(EditForm.EDIT_BLOCKS, FILES, first.removesuffix("```\n") + "\n" + second).hunks
    assert assemble_hunks(EditForm.EDIT_BLOCKS, shared[1:]) == f"a.py\n```\n{second}"
    assert assemble_hunks(EditForm.EDIT_BLOCKS, shared[:1]) == first
    unnamed = apply_edits(EditForm.WHOLE_FILE, Workspace({"a.py": ""}), "```\nx = 1\n```").hunks
    assert assemble_hunks(EditForm.WHOLE_FILE, unnamed) == "a.py\n```\nx = 1\n```\n"


def test_patches_go_down_each_file() -> None:
    """Whatever the order in which their hunks were chosen; files stay in the order of their first."""
    late, early = (hunks(EditForm.PATCH, renamed(EditForm.PATCH, number, "x\n"))[0] for number in (8, 2))
    other = hunks(EditForm.PATCH, "*** Begin Patch\n*** Update File: b.py\n-b = 1\n+b = 2\n*** End Patch")[0]
    text = assemble_hunks(EditForm.PATCH, [late, other, early])
    assert text.count("*** Update File: a.py") == 1
    assert text.index("line_2") < text.index("line_8") < text.index("b.py")


@given(st.sampled_from(EDITS), st.integers(0, 11))
def test_edits_with_the_same_effect_are_equal(form: EditForm, number: int) -> None:
    """Their wording and white space at line ends do not matter."""
    plain, wordy = (apply_edits(form, FILES, renamed(form, number, new)) for new in ("x = 1\n", "x = 1  \n"))
    assert plain.outcome == wordy.outcome
    assert plain.outcome != apply_edits(form, FILES, renamed(form, number, "x = 2\n")).outcome
    assert plain.outcome != apply_edits(form, FILES, "Which line?").outcome


MARKS = (
    "a.py",
    "new.py",
    "```",
    "```diff",
    "```sh",
    "<<<<<<< SEARCH",
    "=======",
    ">>>>>>> REPLACE",
    "--- a.py",
    "+++ a.py",
    "@@ ... @@",
    "@@",
    "*** Begin Patch",
    "*** End Patch",
    "*** Update File: a.py",
    "*** Add File: new.py",
    "*** Delete File: b.py",
    "*** Move to: c.py",
    "*** End of File",
    "...",
    "",
    " ",
    *(sign + line.rstrip("\n") for line in LINES[:3] for sign in ("", " ", "-", "+", "  ")),
)
ANSWERS = st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=25).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n"]).map(lambda end: end.join(lines))
)


def _is_fit(text: str, result: AppliedEdits) -> bool:
    verbatim = all(hunk.text in text for hunk in result.hunks)
    counted = [hunk.index for hunk in result.hunks] == list(range(len(result.hunks)))
    return verbatim and counted and (result.status is EditStatus.BROKEN) == bool(result.findings)


@given(st.sampled_from(EditForm), ANSWERS)
def test_any_text_can_be_applied(form: EditForm, text: str) -> None:
    """It never raises; hunks are verbatim; what is put together from them can be applied again."""
    result = apply_edits(form, FILES, text)
    assert _is_fit(text, result)
    hash(result.outcome)
    if form is not EditForm.CODE:
        again = assemble_hunks(form, result.hunks)
        assert _is_fit(again, apply_edits(form, FILES, again))
        assert (
            find_conflict(form, FILES, [result.hunks, result.hunks], Budget(MAX_STEPS)) is not None or not result.hunks
        )


@given(st.sampled_from(EditForm), st.text())
def test_talk_changes_nothing(form: EditForm, text: str) -> None:
    """Unless it is an edit by accident."""
    result = apply_edits(form, FILES, text)
    assert result.status is not EditStatus.NONE or result.files == FILES.files


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_a_region_covers_every_difference(old: list[int], new: list[int]) -> None:
    """What is before and behind it is the same in both."""
    region = changed_region("".join(f"{n}\n" for n in old), "".join(f"{n}\n" for n in new), Budget(10_000))
    assert region is not None
    behind = len(old) - region.end
    assert old[: region.start] == new[: region.start]
    assert behind == 0 or old[-behind:] == new[-behind:]
    assert changed_region(None, "x", Budget(10_000)) is None
    assert changed_region("x", None, Budget(10_000)) is None
