"""The difference between two texts."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.ui.diffs import MAX_LINES, MAX_ROWS, Diff, DiffBudget, compute_diff

LINES = st.lists(st.sampled_from(["a", "b", "some words here", "some other words here", ""]), max_size=30)


def diff(before: str, after: str) -> Diff:
    return compute_diff(before, after, DiffBudget())


def text_of(found: Diff, kind: str) -> list[str]:
    """Return the lines of one side of a diff."""
    return ["".join(piece.text for piece in row.pieces) for row in found.rows if row.kind in ("same", kind)]


@given(LINES, LINES)
def test_a_diff_contains_both_sides(old: list[str], new: list[str]) -> None:
    """Each side is shown by its own lines, in order, with its own numbers; hidden lines are equal."""
    found = diff("".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new))
    assert found.same == (old == new)
    for row in found.rows:
        shown = "".join(piece.text for piece in row.pieces)
        assert row.old is None or old[row.old - 1] == shown
        assert row.new is None or new[row.new - 1] == shown
    if not found.same:
        n_hidden = sum(row.n_hidden for row in found.rows)
        assert len(text_of(found, "del")) + n_hidden == len(old)
        assert len(text_of(found, "add")) + n_hidden == len(new)


def test_changed_words_are_marked() -> None:
    """Within a similar line; a line that differs altogether is shown in one piece."""
    found = diff("return a + b\nnothing alike\n", "return a - b\n~~~~~\n")
    changed = [piece.text for row in found.rows for piece in row.pieces if piece.changed]
    assert changed == ["+", "-"]


def test_equal_lines_are_folded() -> None:
    """Except for a few around each change."""
    old = [f"line {n}" for n in range(50)]
    found = diff("\n".join(old), "\n".join([*old[:25], "new", *old[25:]]))
    assert [row.n_hidden for row in found.rows if row.kind == "gap"] == [22, 22]
    assert len(found.rows) == 9
    assert (found.n_added, found.n_removed) == (1, 0)


def test_the_compared_text_is_bounded() -> None:
    """The diff says that it was cut, and does not call the texts equal."""
    found = diff("a\n" * MAX_LINES + "b\n", "a\n" * MAX_LINES + "c\n")
    assert found.cut
    assert not found.same
    assert not found.rows


def test_the_shown_rows_are_bounded() -> None:
    """The counts are not."""
    found = diff("\n".join(f"old {n}" for n in range(1000)), "\n".join(f"new {n}" for n in range(999)))
    assert (len(found.rows), found.is_whole) == (MAX_ROWS, False)
    assert (found.n_removed, found.n_added) == (1000, 999)


def test_a_last_line_end_is_no_difference() -> None:
    """Models often leave it out."""
    assert diff("a\nb", "a\nb\n").same
    assert diff("", "").same
    assert diff("", "a").n_added == 1


def test_repetition_does_not_stall_a_page() -> None:
    """Repetitive texts, and all texts once the budget is spent, are shown as replaced as a whole."""
    budget = DiffBudget()
    stuttered = compute_diff("a a " * 75, "a b " * 75, budget)
    assert [piece.changed for row in stuttered.rows for piece in row.pieces] == [False, False]
    found = compute_diff("x\n" * 1500, "x\ny\n" * 99, budget)
    assert (found.n_removed, found.n_added) == (1499, 197)
    assert compute_diff("a\nb\nc", "c\nb\nd", DiffBudget(line_steps=1)).n_removed == 3


def test_the_steps_of_a_search_are_limited() -> None:
    """Few pairs of equal lines, but each search leaves most of them to the next: the worst case for difflib."""
    old = [line for n in range(550) for line in (f"same {n}", f"old {n}")] + ["x", "y"] * 200
    new = [line for n in range(550) for line in (f"same {n}", f"new {n}")] + ["x", "z"] * 200
    budget = DiffBudget()
    for _ in range(24):
        compute_diff("\n".join(old), "\n".join(new), budget)
    assert budget.line_steps == 0
    assert compute_diff("\n".join(old), "\n".join(new), budget).n_removed == 1499
