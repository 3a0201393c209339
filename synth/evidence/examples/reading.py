"""Read all examples in a text. Pure.

Everything is read line by line, forward, and bounded. What is not understood is left out: an example that was misread
costs more than one that was missed.
"""

from collections.abc import Iterator, Sequence

from synth.evidence.examples.asserts import is_assert, read_assert
from synth.evidence.examples.doctests import ends_session, is_prompt, read_doctest
from synth.evidence.examples.example import Example
from synth.evidence.examples.pairs import Target, is_input, is_table, read_pair, read_prose, read_table
from synth.evidence.examples.sentences import read_sentence
from synth.evidence.examples.shown_tests import find_test_blocks, read_tests

MAX_EXAMPLES = 32
MAX_TEXT_CHARS = 100_000

_MAX_LINE_CHARS = 2000
_MARKS_OF_PAIRS = (
    "put", "eingabe", "entr", "输入", "輸入", "入力", "ввод", "입력", "|--", "| --", "|:-", "| :-",
    "->", "=>", "→", "➞", "⇒", "➜", "⟶", "for ", "given ", "when ", "with ", "für ", "para ", "pour ", "对于", "给定",
)  # fmt: skip


def read_examples(
    text: str, *, function: str = "", callee: str = "", parameters: Sequence[str] = (), of_changes: bool = False
) -> tuple[Example, ...]:
    """Return the examples in a text, each once, in order; at most MAX_EXAMPLES.

    With `function`, only those that call it, and pairs of arguments and results too; `callee` is how it is called, if
    that is not its name, and `parameters` are its names. A text `of_changes` also describes what there is: of its
    sentences only those count that demand a result.
    """
    lines = [line[:_MAX_LINE_CHARS] for line in text[:MAX_TEXT_CHARS].split("\n")]
    target = Target(function, callee or function, tuple(parameters)) if function else None
    found: dict[tuple[str, str], Example] = {}
    for example in _read(lines, target, of_changes=of_changes):
        if function and example.function != function:
            continue
        found.setdefault((example.setup, example.call), example)
        if len(found) == MAX_EXAMPLES:
            break
    return tuple(found.values())


def narrow_examples(
    text: str, examples: Sequence[Example], function: str, callee: str = "", parameters: Sequence[str] = ()
) -> tuple[Example, ...]:
    """Return the examples of `read_examples` for a function, given those that it has read without one."""
    # Reading takes most of the time that evidence needs before a panel is asked, so a text is read again only if that
    # may find more: pairs of arguments and results need the function, and the first reading ends at its limit.
    if len(examples) == MAX_EXAMPLES or has_pairs(text):
        return read_examples(text, function=function, callee=callee, parameters=parameters)
    return tuple(example for example in examples if example.function == function)


def has_pairs(text: str) -> bool:
    """Whether a text may show pairs of arguments and results, which name no function."""
    lowered = text.lower()
    return any(mark in lowered for mark in _MARKS_OF_PAIRS)


def _read(lines: list[str], target: Target | None, *, of_changes: bool) -> Iterator[Example]:
    for start, end in find_test_blocks(lines):
        examples, numbers = read_tests("\n".join(lines[start:end]))
        yield from examples
        for number in numbers:
            lines[start + number] = ""
    position, setup = 0, ""
    while position < len(lines):
        line = lines[position].strip()
        if is_prompt(line):
            position, setup, example = read_doctest(lines, position, setup)
            if example is not None:
                yield example
            continue
        if setup and ends_session(line):
            setup = ""
        if is_assert(line):
            position, examples = read_assert(lines, position)
            yield from examples
            continue
        if "|" in line and is_table(lines, position):
            position, examples = read_table(lines, position, target)
            yield from examples
            continue
        following = lines[position + 1].strip() if position + 1 < len(lines) else ""
        found = list(read_sentence(line, following, of_changes=of_changes))
        yield from found
        if target is not None and not found and not of_changes:
            yield from _read_pairs(lines, position, target)
        position += 1


def _read_pairs(lines: Sequence[str], position: int, target: Target) -> Iterator[Example]:
    if is_input(lines[position]):
        example = read_pair(lines, position, target)
        if example is not None:
            yield example
    else:
        yield from read_prose(lines[position].strip(), target)
