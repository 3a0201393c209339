"""Examples in pairs of arguments and a result: "Input: nums = [2, 7], target = 9 / Output: [0, 1]", tables. Pure.

They name no function, so it has to be known: its name, how it is called (`Solution().add`), and its parameters.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from runtime.frozen import frozen
from synth.evidence.examples.example import Example
from synth.evidence.examples.sentences import ends_clause, has_constant_arguments, is_doubtful, is_rejected
from synth.evidence.expressions import MAX_EXPRESSION_CHARS, is_value, parse_expression, parse_value, read_value

_INPUTS = "inputs?|eingabe|entrada|entrée|输入|輸入|入力|ввод|입력"
_OUTPUTS = (
    "outputs?|expected output|expected result|expected|result|returns?|ausgabe|ergebnis|salida|saída|sortie|résultat"
    "|输出|輸出|出力|返回|вывод|출력"
)
_LABEL = re.compile(
    r"[ \t>*\-`_#•]*(?:\d{1,3}[.)][ \t]*)?(?:(?:sample|example|test|beispiel|ejemplo|exemple|示例|样例)[ \t]*)?"
    rf"(?:(?P<input>{_INPUTS})|(?P<output>{_OUTPUTS}))"
    r"[ \t]*(?:#?\d{1,3})?[*_`]*[ \t]*(?P<sign>[:=：]|$)[*_`]*[ \t]*",
    re.IGNORECASE,
)
_SAME_LINE = re.compile(rf"(?:(?:sample|example)[ \t]{{1,4}})?(?:{_OUTPUTS})[ \t]{{0,4}}[:=：]", re.IGNORECASE)
# Behind the end of a sentence or the start of a docstring: "Write f(x). Input: 3, Output: 4".
_INLINE_INPUT = re.compile(
    rf"(?<=[.,:;!?(\"'])[ \t]*(?=(?:(?:sample|example)[ \t]+)?(?:{_INPUTS})[ \t]{{0,4}}\d{{0,3}}[ \t]{{0,4}}[:=：])",
    re.IGNORECASE,
)
_ANNOUNCEMENT = re.compile(
    r"(?:^|[ \t(\"'])(?:for example|examples?|e\.g\.|tests?(?: cases?)?|beispiele?|ejemplos?|exemples?)"
    r"(?:[ \t]+\d{1,2}(?=[ \t]*[:,]))?[ \t]*[:,]?[ \t]+(?=[`\[({\"'\d]|[.+-][\d.])",
    re.IGNORECASE,
)
_SEPARATORS = " \t,;./|>→-"
_TAG = re.compile(r"</?(?:strong|b|em|i|code|pre|p|span|br)(?: [^<>]{0,80})?/?>", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"[ \t]*(?P<name>[A-Za-z_]\w*)[ \t]*=(?!=)[ \t]*")
_AND = re.compile(r"[ \t]+(?:and|und|y|et|e|和|,)[ \t]+")
_FOR = re.compile(r"\b(?:for|given|with|when|für|mit|para|pour)\b:?[ \t]+|(?:对于|给定)[ \t]*", re.IGNORECASE)
_SUBJECT = "(?:then|it|the function|the result|the output|the answer|f)[ \t]+"
_MODAL = "(?:should|must|would|will)[ \t]+"
_RETURNS = re.compile(
    rf"(?:\b(?:{_SUBJECT})?(?:{_MODAL})?(?:returns?|gives?|yields?|outputs?|produces?|expect|ergibt|liefert|devuelve"
    rf"|renvoie)\b|\b{_SUBJECT}(?:is|{_MODAL}be)\b|返回)[ \t]*:?[ \t]*",
    re.IGNORECASE,
)
_ARROW = re.compile(r"-->|==>|->|=>|➞|→|⇒|➜|⟶")
_ITEM = re.compile(r"[ \t>*\-+•]*(?:\d{1,3}[.)][ \t]+)?")
_RULE = re.compile(r"\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?$")
_RESULT_TITLE = re.compile(rf"(?:{_OUTPUTS})|.*(?:result|output|expected|returns|ergebnis|resultado|résultat).*")
_OLD = re.compile(
    r"\b(?:actual|current|currently|before|old|got|received|wrong|previous|your|now|today)\b", re.IGNORECASE
)
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_WANTED_TITLE = re.compile(r"\b(?:expected|after|new|wanted|desired|should|correct)\b")
_MEASURED = re.compile(
    r"\b(?:time|ms|s|seconds|calls|steps|complexity|memory|notes?|comments?|why|reason|description)\b"
)
_EXPECTED_LINE = re.compile(r"[ \t>*\-`_#•]*expected\b", re.IGNORECASE)
_MAX_LINES_OF_PAIR = 12
_MAX_ROWS = 64


@frozen
class Target:
    """The function that pairs are about: its name, how it is called, its parameters' names if they are known."""

    name: str
    callee: str
    parameters: tuple[str, ...] = ()

    def make_example(self, given: str, expected: str) -> Example | None:
        """Return the example of a text of arguments and a value; None if the text is not understood."""
        arguments = self._read_arguments(given)
        return None if arguments is None else Example(self.name, f"{self.callee}({arguments})", expected)

    def _read_arguments(self, given: str) -> str | None:
        """Return the arguments of a call from "nums = [2, 7], target = 9", from values alone, or from a call."""
        given = given.strip(" \t,;/|").replace("`", "")
        call = parse_expression(given)
        if isinstance(call, ast.Call) and has_constant_arguments(call) and ast.unparse(call.func) == self.callee:
            return ", ".join(map(ast.unparse, [*call.args, *call.keywords]))
        for text in (given, given.replace(";", ","), _AND.sub(", ", given)):
            arguments = self._read_assignments(text) if _ASSIGNMENT.match(text) else self._read_values(text)
            if arguments is not None:
                return arguments
        return None

    def _read_assignments(self, given: str) -> str | None:
        node = parse_value(f"dict({given})")
        if not isinstance(node, ast.Call) or node.args or not has_constant_arguments(node):
            return None
        names = [keyword.arg for keyword in node.keywords]
        if self.parameters and not set(names) <= set(self.parameters):
            return ", ".join(ast.unparse(keyword.value) for keyword in node.keywords)
        same = parse_expression(f"dict({given})") is not None and ast.unparse(node) == ast.unparse(_parsed(given))
        return given if same else ", ".join(map(ast.unparse, node.keywords))

    def _read_values(self, given: str) -> str | None:
        node = parse_value(given)
        if node is None:
            return None
        n_parameters = len(self.parameters)
        if not isinstance(node, ast.Tuple):
            return ast.unparse(node) if n_parameters in (0, 1) else None
        is_list_of_arguments = n_parameters == len(node.elts) or (n_parameters == 0 and not given.startswith("("))
        if is_list_of_arguments and n_parameters != 1:
            return ", ".join(map(ast.unparse, node.elts))
        return ast.unparse(node) if n_parameters in (0, 1) else None


def _parsed(given: str) -> ast.expr:
    node = parse_expression(f"dict({given})")
    assert node is not None  # noqa: S101 -- the caller has looked
    return node


def is_input(line: str) -> bool:
    """Whether a line gives an input, or is the title of one."""
    label = _LABEL.match(_strip_tags(line))
    return label is not None and label["input"] is not None


def read_pair(lines: Sequence[str], start: int, target: Target) -> Example | None:
    """Read the pair whose input begins on a line, over the lines below as far as it goes."""
    label = _LABEL.match(_strip_tags(lines[start]))
    if label is None:
        return None
    line = _strip_tags(lines[start])
    given: list[str] = []
    rest = line[label.end() :]
    for position in range(start, min(len(lines), start + _MAX_LINES_OF_PAIR)):
        if position > start:
            rest = _strip_tags(lines[position])
            label = _LABEL.match(rest)
        if _OLD.search(_STRING.sub("", rest)):
            return None
        if position > start:
            if label is not None and label["input"] is not None:
                return None
            if label is not None:
                return _end_pair(given, rest[label.end() :], lines[position + 1 :], target)
        output = _SAME_LINE.search(rest)
        if output is not None:
            return _end_pair(
                [*given, rest[: output.start()].rstrip(_SEPARATORS)],
                rest[output.end() :],
                lines[position + 1 :],
                target,
            )
        if rest.strip() and not rest.strip().startswith(("```", "~~~")):
            given.append(rest.strip().rstrip(",;").strip("` "))
    return None


def _end_pair(given: Sequence[str], rest: str, below: Sequence[str], target: Target) -> Example | None:
    if any(_EXPECTED_LINE.match(line) for line in below[:4]):
        return None  # the output was the faulty one
    texts = [rest, *(_strip_tags(line) for line in below[:4])]
    shown = next((text.strip(" \t`*") for text in texts if text.strip(" \t`*~")), "")
    shown = shown.removeprefix("python").strip()
    value = read_value(shown, 0)
    if value is None or not ends_clause(shown, value[1]) or is_rejected(shown, value[1]):
        return None
    return target.make_example(", ".join(filter(None, given)), value[0])


def _strip_tags(line: str) -> str:
    return _TAG.sub("", line) if "<" in line else line


def break_before_inputs(line: str) -> list[str]:
    """Return a line as several, one for each input that is given behind other words."""
    return _INLINE_INPUT.sub("\n", line).split("\n") if ":" in line or "=" in line or "：" in line else [line]


def read_prose(line: str, target: Target, *, is_announced: bool) -> Iterator[Example]:
    """Yield the examples in "for [1, 2] it returns 3", in a line `[1, 2] -> 3` and in "Examples: 3 -> 4, 5 -> 6".

    Arrows may belong to a mapping that the function works with: with one argument they have to be announced.
    """
    if has_arrow(line):
        if announcement := _ANNOUNCEMENT.search(line):
            if not is_doubtful(line[: announcement.start()]):
                yield from _read_arrows(line[announcement.end() :], target)
            return
        item = _ITEM.match(line)
        if examples := _read_arrows(line[item.end() if item else 0 :], target):
            if is_announced or all(map(_has_several_arguments, examples)):
                yield from examples
            return
    position = 0
    while (opening := _FOR.search(line, position)) and (found := _read_returned(line, opening.end(), target)):
        example, position = found
        yield example


def _read_returned(line: str, start: int, target: Target) -> tuple[Example, int] | None:
    """Return the example in "[1, 2] it returns 3", which begins at `start`, and its end."""
    for verb in _RETURNS.finditer(line, start, start + MAX_EXPRESSION_CHARS):
        value = read_value(line, verb.end() + (line[verb.end() : verb.end() + 1] == "`"))
        if value is not None:
            is_whole = ends_clause(line, value[1])
            example = target.make_example(line[start : verb.start()].rstrip("，"), value[0]) if is_whole else None
            return (example, value[1]) if example else None
    return None


def has_arrow(line: str) -> bool:
    """Whether a line has an arrow."""
    return _ARROW.search(line) is not None


def _has_several_arguments(example: Example) -> bool:
    call = parse_expression(example.call)
    return isinstance(call, ast.Call) and len(call.args) + len(call.keywords) > 1


def _read_arrows(text: str, target: Target) -> list[Example]:
    """Return the examples in `1 -> 2` or `1 -> 2, 3 -> 4`; none if any of it is not understood."""
    given, *parts = (part.strip(" \t`") for part in _ARROW.split(text[:MAX_EXPRESSION_CHARS], _MAX_ROWS))
    examples: list[Example | None] = []
    for part in parts[:-1]:
        pair = _split_pair(part)
        if pair is None:
            return []
        examples.append(target.make_example(given, pair[0]))
        given = pair[1]
    value = read_value(parts[-1], 0) if parts else None
    rest = parts[-1][value[1] :].strip(" \t`,;)") if value else ""
    if value is None or not (not rest.strip(".") or rest.startswith(". ")):
        return []
    examples.append(target.make_example(given, value[0]))
    return [] if None in examples else [example for example in examples if example]


def _split_pair(text: str) -> tuple[str, str] | None:
    """Return the result and the next argument in "2, 3"; None if there are not just two values."""
    bare = text.replace("`", "")
    for each in (text, bare, bare.replace(";", ","), _AND.sub(", ", bare)):
        node = parse_value(f"({each})")
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:  # noqa: PLR2004
            result, argument = map(ast.unparse, node.elts)
            return result, argument
    return None


# Tables


def is_table(lines: Sequence[str], start: int) -> bool:
    """Whether a Markdown table begins on a line."""
    return (
        "|" in lines[start]
        and start + 1 < len(lines)
        and "-" in lines[start + 1]
        and _RULE.match(lines[start + 1]) is not None
    )


def read_table(lines: Sequence[str], start: int, target: Target | None) -> tuple[int, list[Example]]:
    """Read a table with a column for the result; return the line below it and its examples.

    The other columns hold a call, or the arguments in one column or in one for each parameter. Beside calls the last
    column is the result, whatever its title.
    """
    titles = [title.lower() for title in _split_row(lines[start])]
    position, found = start + 2, list[Example]()
    place = _find_result(titles)
    if place is None and target and re.fullmatch(rf"{re.escape(target.name.lower())}\([\w, ]*\)", titles[-1]):
        place = len(titles) - 1
    while position < len(lines) and "|" in lines[position] and position - start < _MAX_ROWS:
        cells = _split_row(lines[position])
        if len(cells) == len(titles) > 1 and (example := _read_row(titles, cells, place, target)):
            found.append(example)
        position += 1
    return position, found


def _find_result(titles: Sequence[str]) -> int | None:
    """Return the column of the wanted result; -1 if it is not clear which, None if no title names a result."""
    places = [place for place, title in enumerate(titles) if _RESULT_TITLE.fullmatch(title)]
    wanted = [place for place in places if not _OLD.search(titles[place])]
    if len(wanted) > 1:
        wanted = [place for place in wanted if _WANTED_TITLE.search(titles[place])]
    if len(wanted) == 1:
        return wanted[0]
    return -1 if places or _OLD.search(titles[-1]) or _MEASURED.search(titles[-1]) else None


def _split_row(line: str) -> list[str]:
    return [cell.strip(" \t`*") for cell in line.strip().strip("|").split("|")]


def _read_row(titles: Sequence[str], cells: list[str], result: int | None, target: Target | None) -> Example | None:
    if result == -1:
        return None
    place = len(cells) - 1 if result is None else result
    expected = parse_value(cells[place])
    others = [index for index, title in enumerate(titles) if index != place and not _OLD.search(title)]
    given = [cells[index] for index in others]
    if expected is None or not given:
        return None
    call = parse_expression(given[0])
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and has_constant_arguments(call):
        return Example(call.func.id, ast.unparse(call), ast.unparse(expected)) if not is_value(call) else None
    names = [titles[index] for index in others]
    if target is None or result is None:
        return None
    if not (len(names) == 1 and re.fullmatch(_INPUTS, names[0])) and names != [
        each.lower() for each in target.parameters
    ]:
        return None
    return target.make_example(", ".join(given), ast.unparse(expected))
