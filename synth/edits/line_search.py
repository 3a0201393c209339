"""Find a sequence of lines in another one, in linear time. Pure."""

from collections.abc import Iterator, Sequence

from runtime.budget import Budget

_OTHER = "\0"
_N_CODE_POINTS = 0x110000


def find_sequences(lines: Sequence[str], wanted: Sequence[str], budget: Budget) -> Iterator[int]:
    """Yield the positions at which all `wanted` lines stand in `lines`, from first to last; none if `wanted` is empty.

    Each further position costs as many steps as there are wanted lines.
    """
    # Comparing slices at each position takes len(lines) * len(wanted) steps if most lines are alike, as in a file of
    # blank lines. So each distinct wanted line becomes one character, and both sequences become strings: str.find is
    # linear for long needles (Crochemore-Perrin, CPython 3.10 and later) and runs at the speed of memchr for others.
    budget.spend(len(lines) + len(wanted))
    if not wanted or len(wanted) > len(lines):
        return
    codes: dict[str, str] = {}
    for line in wanted:
        if line not in codes:
            if len(codes) + 1 == _N_CODE_POINTS:
                return
            codes[line] = chr(len(codes) + 1)
    text = "".join([codes.get(line, _OTHER) for line in lines])
    needle = "".join([codes[line] for line in wanted])
    position = text.find(needle)
    while position >= 0:
        yield position
        budget.spend(len(wanted))
        position = text.find(needle, position + 1)


def find_sequence(lines: Sequence[str], wanted: Sequence[str], budget: Budget) -> int | None:
    """Return the first position at which all `wanted` lines stand in `lines`, or None."""
    return next(find_sequences(lines, wanted, budget), None)
