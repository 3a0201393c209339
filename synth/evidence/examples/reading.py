"""Read all examples in a text. Pure.

Everything is read line by line, forward, and bounded. What is not understood is left out: an example that was misread
costs more than one that was missed.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from synth.evidence.examples.asserts import is_assert, read_assert
from synth.evidence.examples.doctests import ends_session, is_prompt, read_doctest
from synth.evidence.examples.example import Example
from synth.evidence.examples.pairs import (
    Target,
    break_before_inputs,
    has_arrow,
    is_input,
    is_table,
    read_pair,
    read_prose,
    read_table,
)
from synth.evidence.examples.sentences import is_doubtful, is_remark, read_sentence
from synth.evidence.examples.shown_tests import find_test_blocks, read_tests
from synth.evidence.expressions import parse_expression

MAX_EXAMPLES = 32
MAX_TEXT_CHARS = 100_000

_MAX_READ = 4 * MAX_EXAMPLES  # those found again cost as much as new ones
_MAX_LINE_CHARS = 2000
_MAX_LINES_UP = 40
_MAX_TITLE_CHARS = 40
_ANNOUNCING = re.compile(
    r"example|e\.g\.|input|output|returns?\b|expected|\btests?\b|\bcases?\b|sample|beispiel|ejemplo|exempl|exemple|例",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?:if|elif|else|for|while|def|class|try|except|finally|with|async|case|match|lambda)\b")
_WANTED = re.compile(
    r"\b(?:should|must|expected|desired|wanted?|after|need|instead|correct|right|fixed)\b", re.IGNORECASE
)
_TITLE = re.compile(r"#{1,6} [^\W\d]")
_OLD_TITLE = re.compile(
    r"\W*(?:the |what )?"
    r"(?:currently|current|actually|actual|before|got|wrong|observed|previously|now|today|i get|i got)"
    r"(?: (?:output|results?|behaviou?r|state|version|code|values?))?\W*",
    re.IGNORECASE,
)
_REJECTING = re.compile(
    r"\W*(?:but|instead|however|(?:this|that|which|it)(?:['\u2019]s| is) (?:wrong|incorrect|a bug|not)"
    r"|expected\b|(?:it )?should|(?:i|we) (?:expect|want|need))\b",
    re.IGNORECASE,
)
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
    if target is not None:
        lines = [part for line in lines for part in break_before_inputs(line)]
    found: dict[tuple[str, str], Example] = {}
    contradicted = set[tuple[str, str]]()
    for example in islice(_read(lines, target, of_changes=of_changes), _MAX_READ):
        if function and example.function != function:
            continue
        key = key_of(example)
        if _value_of(found.setdefault(key, example)) != _value_of(example):
            contradicted.add(key)
        if len(found) - len(contradicted) == MAX_EXAMPLES:
            break
    # A text that gives a call two results reports a fault with one of them. Only a sentence that demands a result says
    # which; if there is none, the call is no example.
    if contradicted:
        again = (
            ()
            if of_changes
            else read_examples(text, function=function, callee=callee, parameters=parameters, of_changes=True)
        )
        demanded = {key_of(example): example for example in again}
        found = {
            key: demanded.get(key, example)
            for key, example in found.items()
            if key not in contradicted or key in demanded
        }
    return tuple(found.values())


def key_of(example: Example) -> tuple[str, str]:
    """Return what an example is about, however its call is spaced and quoted."""
    return example.setup, _normalize(example.call)


def _value_of(example: Example) -> tuple[str | None, str]:
    return None if example.expected is None else _normalize(example.expected), example.raises


def _normalize(text: str) -> str:
    """Return an expression in one spelling, whatever its spaces and quotes."""
    node = parse_expression(text)
    return text if node is None else ast.unparse(node)


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
    doubted = _find_doubted(lines)
    # A faulty line is left out as an empty one, so that nothing reads it, not even from the lines above it.
    lines = ["" if is_doubted else line for line, is_doubted in zip(lines, doubted, strict=True)]
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
        yield from _read_line(lines, position, target, of_changes=of_changes)
        position += 1


def _read_line(lines: Sequence[str], position: int, target: Target | None, *, of_changes: bool) -> Iterator[Example]:
    following, after = (line.strip() for line in [*lines[position + 1 : position + 3], "", ""][:2])
    if is_remark(following) and is_remark(after):
        following = ""  # the output of several lines
    found = list(read_sentence(lines[position].strip(), following, of_changes=of_changes))
    if found and not _is_rejected(lines, position + 1):
        yield from found
    if target is not None and not found and not of_changes:
        yield from _read_pairs(lines, position, target)


def _read_pairs(lines: Sequence[str], position: int, target: Target) -> Iterator[Example]:
    if is_input(lines[position]):
        example = read_pair(lines, position, target)
        if example is not None:
            yield example
    else:
        line = lines[position].strip()
        is_announced = has_arrow(line) and _is_announced(lines, position)
        yield from read_prose(line, target, is_announced=is_announced)


def _is_announced(lines: Sequence[str], position: int) -> bool:
    """Whether the text above the arrows around a line says that they are examples."""
    for place in range(position - 1, max(-1, position - _MAX_LINES_UP), -1):
        line = lines[place].strip(" \t`~")
        if line and not has_arrow(line):
            return _ANNOUNCING.search(line) is not None
    return False


def _find_doubted(lines: Sequence[str]) -> list[bool]:
    """Return for each line whether it stands below a title such as "Actual output:", with what is wrong or old."""
    doubted, is_below = list[bool](), False
    for each in lines:
        line = each.strip()
        is_old = (len(line) < _MAX_TITLE_CHARS and _OLD_TITLE.fullmatch(line) is not None) or (
            line.endswith(":") and is_doubtful(line)
        )
        is_title = is_old or line.endswith((":", "：", ":**", ":*")) or _TITLE.match(line) is not None
        if is_title or (is_below and _WANTED.search(line)):
            is_below = is_old and not _CODE.match(line) and not _WANTED.search(line)
        doubted.append(is_below)
    return doubted


def _is_rejected(lines: Sequence[str], position: int) -> bool:
    """Whether the text goes on by rejecting what it has just stated: a comment "prints 4", then "but I need 3"."""
    is_behind_code = False
    for line in lines[position : position + 3]:
        text = line.strip()
        if text.startswith(("```", "~~~")):
            is_behind_code = True
        elif text or not is_behind_code:
            return _REJECTING.match(text) is not None and "(" not in text
    return False
