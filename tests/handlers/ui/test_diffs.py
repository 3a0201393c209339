"""The difference between two texts."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.ui.diffs import MAX_LINES, MAX_ROWS, Diff, DiffBudget, compute_diff

LINES = st.lists(st.sampled_from(["a", "b", "some words here", "some other words here", ""]), max_size=30)


def diff(before: str, after: str) -> Diff:
    return compute_diff(before, after, DiffBudget())


def text_of(made: Diff, kind: str) -> list[str]:
    """Return the lines of one side of a diff."""
    return ["".join(piece.text for piece in row.pieces) for row in made.rows if row.kind in ("same", kind)]


@given(LINES, LINES)
def test_a_diff_has_both_sides(old: list[str], new: list[str]) -> None:
    """What is shown of each side are its own lines, in order, with its own numbers; what is hidden is equal."""
    made = diff("".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new))
    assert made.same == (old == new)
    for row in made.rows:
        said = "".join(piece.text for piece in row.pieces)
        assert row.old is None or old[row.old - 1] == said
        assert row.new is None or new[row.new - 1] == said
    if not made.same:
        n_hidden = sum(row.n_hidden for row in made.rows)
        assert len(text_of(made, "del")) + n_hidden == len(old)
        assert len(text_of(made, "add")) + n_hidden == len(new)


def test_words_that_changed_are_marked() -> None:
    """Within a line that stayed itself; a line that is another one altogether is not torn apart."""
    made = diff("return a + b\nnothing alike\n", "return a - b\n~~~~~\n")
    changed = [piece.text for row in made.rows for piece in row.pieces if piece.changed]
    assert changed == ["+", "-"]


def test_equal_lines_are_folded() -> None:
    """All but a few around each change."""
    old = [f"line {n}" for n in range(50)]
    made = diff("\n".join(old), "\n".join([*old[:25], "new", *old[25:]]))
    assert [row.n_hidden for row in made.rows if row.kind == "gap"] == [22, 22]
    assert len(made.rows) == 9
    assert (made.n_added, made.n_removed) == (1, 0)


def test_what_is_compared_is_bounded() -> None:
    """And the diff says so: beyond the bound nobody knows."""
    made = diff("a\n" * MAX_LINES + "b\n", "a\n" * MAX_LINES + "c\n")
    assert made.cut
    assert not made.same
    assert not made.rows


def test_what_is_shown_is_bounded() -> None:
    """And what was counted is not."""
    made = diff("\n".join(f"old {n}" for n in range(1000)), "\n".join(f"new {n}" for n in range(999)))
    assert (len(made.rows), made.is_whole) == (MAX_ROWS, False)
    assert (made.n_removed, made.n_added) == (1000, 999)


def test_a_last_line_end_is_no_difference() -> None:
    """Models are careless there."""
    assert diff("a\nb", "a\nb\n").same
    assert diff("", "").same
    assert diff("", "a").n_added == 1


def test_repetition_does_not_cost_a_page_its_time() -> None:
    """What difflib would chew on for long is told as changed as a whole; so is what comes once the budget is spent."""
    budget = DiffBudget()
    stuttered = compute_diff("a a " * 75, "a b " * 75, budget)
    assert [piece.changed for row in stuttered.rows for piece in row.pieces] == [False, False]
    made = compute_diff("x\n" * 1500, "x\ny\n" * 99, budget)
    assert (made.n_removed, made.n_added) == (1499, 197)
    assert compute_diff("a\nb\nc", "c\nb\nd", DiffBudget(line_pairs=1)).n_removed == 3
