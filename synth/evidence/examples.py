"""Examples of code in a text: doctests, asserts, `f(x) == y`, `f(x) -> y`, "returns". Pure.

Everything is read line by line, forward, and bounded. Anything unclear is left out: a misread example costs more than
a missed one.
"""

import ast
import builtins
import re
from collections.abc import Iterator, Sequence

from runtime.frozen import frozen
from synth.evidence.expressions import (
    MAX_DEPTH,
    MAX_EXPRESSION_CHARS,
    depth,
    find_calls,
    is_value,
    parse_expression,
    read_value,
)

MAX_EXAMPLES = 32
MAX_TEXT_CHARS = 100_000

_MAX_LINE_CHARS = 2000
_MAX_STATEMENT_LINES = 12
_MAX_SETUP_CHARS = 4000
_PROMPT, _CONTINUATION = ">>>", "..."

# Phrases between a call and its value, tried in order, longest first. A bug report states both the actual and the
# wanted result ("f(2) gives 3"), so there only phrases that demand something count.
_CONNECTORS = (
    "should be equal to", "should evaluate to", "must be equal to", "would be equal to", "should return",
    "would return", "will return", "must return", "is equal to", "evaluates to", "should equal", "should give",
    "should be", "would be", "must be", "will be", "returns", "return", "equals", "yields", "outputs", "output:",
    "gives", "is", "===", "==", "=>", "->", "➞", "→", "⇒", "➜", "=",
)  # fmt: skip
_DEMANDS = ("should", "must", "==", "=>", "->", "➞", "→", "⇒", "➜")
_DEMAND = re.compile(r"\b(?:should|must) (?:return|be|give|equal)\b")
_MAX_REPORT_CHARS = 120
_CONTRADICTIONS = ("but", "instead", "although", "though", "which is wrong")
_FILLERS = ("# ", "`", ":", "should be", "returns", "return", "the value ", "exactly ")
_CONJUNCTIONS = frozenset(
    {"and", "as", "because", "but", "for", "not", "or", "since", "so", "when", "while", "whereas"}
)
_LABEL = re.compile(
    r"[ \t>*\-`_]*(?P<label>input|output|expected output|result)[ \t]*\d*[*_`]*[ \t]*[:=][*_`]*", re.IGNORECASE
)
_ASSIGNMENT = re.compile(r"[ \t]*(?P<name>[A-Za-z_]\w*)[ \t]*=(?!=)[ \t]*")
_BUILT_IN = frozenset(dir(builtins))


@frozen
class Example:
    """The expected result of a call, as source: a value, an exception's type in `raises`, or with neither no exception.

    `setup` are statements to run before it. `function` is the name that it calls.
    """

    function: str
    call: str
    expected: str | None
    raises: str = ""
    setup: str = ""

    @property
    def shown(self) -> str:
        """The example for people."""
        if self.raises:
            return f"{self.call} raises {self.raises}"
        return self.call if self.expected is None else f"{self.call} == {self.expected}"


def read_examples(
    text: str, *, function: str = "", parameters: Sequence[str] = (), of_changes: bool = False
) -> tuple[Example, ...]:
    """Return the examples in a text, each once, in order; at most MAX_EXAMPLES.

    With `function`, only those that call it; `parameters` are its names, for pairs of "Input" and "Output". A text
    `of_changes` also describes what there is: of its sentences only those count that demand a result.
    """
    lines = [line[:_MAX_LINE_CHARS] for line in text[:MAX_TEXT_CHARS].split("\n")]
    found: dict[tuple[str, str], Example] = {}
    for example in _read(lines, function, parameters, of_changes=of_changes):
        if function and example.function != function:
            continue
        found.setdefault((example.setup, example.call), example)
        if len(found) == MAX_EXAMPLES:
            break
    return tuple(found.values())


def narrow_examples(
    text: str, examples: Sequence[Example], function: str, parameters: Sequence[str] = ()
) -> tuple[Example, ...]:
    """Return the examples of `read_examples` for a function, given those that it has read without one."""
    # Reading takes most of the time that evidence needs before a panel is asked, so a text is read again only if that
    # may find more: pairs of "Input" and "Output" need the function, and the first reading ends at its limit.
    if len(examples) == MAX_EXAMPLES or "input" in text.lower():
        return read_examples(text, function=function, parameters=parameters)
    return tuple(example for example in examples if example.function == function)


def _read(lines: Sequence[str], function: str, parameters: Sequence[str], *, of_changes: bool) -> Iterator[Example]:
    position, setup = 0, ""
    while position < len(lines):
        line = lines[position].strip()
        if line.startswith(_PROMPT):
            position, setup, example = _read_doctest(lines, position, setup)
            if example is not None:
                yield example
            continue
        if not line:
            setup = ""
        if line.startswith(("assert ", "assert(")):
            position, examples = _read_assert(lines, position)
            yield from examples
            continue
        if function and (label := _LABEL.match(lines[position])) and label["label"].lower() == "input":
            example = _read_pair(lines, position, label.end(), function, parameters)
            if example is not None:
                yield example
        yield from _read_sentence(line, of_changes=of_changes)
        position += 1


# Doctests


def _read_doctest(lines: Sequence[str], start: int, setup: str) -> tuple[int, str, Example | None]:
    """Read one prompt with its continuation and output; return the next line, the setup for it, and the example."""
    margin = len(lines[start]) - len(lines[start].lstrip())
    source = [lines[start].strip()[len(_PROMPT) :].removeprefix(" ")]
    position = start + 1
    while position < len(lines) and lines[position].strip().startswith(_CONTINUATION):
        source.append(lines[position].strip()[len(_CONTINUATION) :].removeprefix(" "))
        position += 1
    output: list[str] = []
    while position < len(lines) and not _ends_output(lines[position]):
        output.append(lines[position][margin:] if lines[position][:margin].isspace() else lines[position].strip())
        position += 1
    code, said = "\n".join(source).strip(), "\n".join(output).strip()
    example = _doctest_example(code, said, setup)
    if example is None and not said and len(setup) < _MAX_SETUP_CHARS and not _is_broken(code):
        setup = f"{setup}{code}\n"
    return position, setup, example


def _ends_output(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith((_PROMPT, '"""', "'''", "```"))


def _doctest_example(code: str, said: str, setup: str) -> Example | None:
    code = _without_comment(code)
    node = parse_expression(code)
    if node is None or said in ("", "True"):
        equation = _equation(node, setup)
        if node is None or not said or equation is not None:
            return equation
    code = ast.unparse(node)
    if said.startswith("Traceback (most recent call last)"):
        name = said.rsplit("\n", maxsplit=1)[-1].split(":", maxsplit=1)[0].strip().rpartition(".")[2]
        function = _called(node)
        return Example(function, code, None, name, setup) if function and name.isidentifier() else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        if len(node.args) != 1 or node.keywords:
            return None
        function = _called(node.args[0])
        return Example(function, f"str({ast.unparse(node.args[0])})", repr(said), "", setup) if function else None
    function, expected = _called(node), parse_expression(_without_comment(said))
    if not function or expected is None or not is_value(expected):
        return None
    return Example(function, code, ast.unparse(expected), "", setup)


def _without_comment(code: str) -> str:
    """Return one line of code without a comment at its end, if it is an expression then."""
    head, sign, _ = code.partition(" #")
    return head.strip() if sign and "\n" not in code and parse_expression(code) is None else code


def _is_broken(code: str) -> bool:
    if len(code) > _MAX_SETUP_CHARS:
        return True
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return False


# Asserts and equations


def _read_assert(lines: Sequence[str], start: int) -> tuple[int, list[Example]]:
    """Read an assert statement, over several lines if needed; return the next line and its examples.

    It is parsed as its first line, and then once, where its brackets are balanced: trying each line would cost its
    length squared.
    """
    text, n_open = "", 0
    for position in range(start, min(len(lines), start + _MAX_STATEMENT_LINES)):
        line = lines[position].strip()
        text += line + "\n"
        n_open += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if len(text) > MAX_EXPRESSION_CHARS:
            break
        is_whole = n_open <= 0 and not line.endswith("\\")
        condition = _condition(text) if is_whole or position == start else None
        if condition is None and not is_whole:
            continue
        example = None if condition is None else _asserted(condition)
        return position + 1, [] if example is None else [example]
    return start + 1, []


def _condition(text: str) -> ast.expr | None:
    """Return the condition of an assert statement, or None if the text is not one."""
    try:
        (statement,) = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return statement.test if isinstance(statement, ast.Assert) and depth(statement) <= MAX_DEPTH else None


def _asserted(test: ast.expr) -> Example | None:
    if (example := _equation(test, "")) is not None:
        return example
    holds, condition = True, test
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        holds, condition = False, test.operand
    function = _called(condition)
    return Example(function, f"bool({ast.unparse(condition)})", str(holds)) if function else None


def _equation(node: ast.expr | None, setup: str) -> Example | None:
    """Return the example in `f(x) == y` or `f(x) is None`, or None for any other expression."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.Is):
        return None
    left, right = node.left, node.comparators[0]
    if not _called(left) and _called(right):
        left, right = right, left
    function = _called(left)
    return Example(function, ast.unparse(left), ast.unparse(right), "", setup) if function else None


def _called(node: ast.expr) -> str:
    """Return the name of the first function, not built in, that an expression calls; "" if it calls none."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id not in _BUILT_IN:
            return part.func.id
    return ""


# Sentences: `f([1, 2]) should be 3`


def _read_sentence(line: str, *, of_changes: bool) -> Iterator[Example]:
    taken = 0
    calls = list(find_calls(line))
    ends = [*(start for _, start, _ in calls[1:]), len(line)]
    for (name, start, end), next_start in zip(calls, ends[: len(calls)], strict=True):
        if start < taken or name in _BUILT_IN:
            continue
        value = _value_after(line, end, of_changes=of_changes)
        if value is None and of_changes:
            value = _value_demanded(line, end, next_start)
        call = parse_expression(line[start:end])
        if value is None or call is None or not _has_constant_arguments(call):
            continue
        expected, taken = value
        yield Example(name, line[start:end], expected)


def _value_demanded(line: str, start: int, end: int) -> tuple[str, int] | None:
    """Return the wanted value of a call after its actual result: "f([]) raises IndexError. It should be 0"."""
    words = line[start : min(end, start + _MAX_REPORT_CHARS)]
    found = _DEMAND.search(words)
    if found is None:
        return None
    value = read_value(line, _skip(line, start + found.end(), " \t`:"))
    return value if value is not None and _ends_clause(line, value[1]) else None


def _value_after(line: str, position: int, *, of_changes: bool) -> tuple[str, int] | None:
    """Return the value that a sentence gives to the call ending at `position`, and the end of the value."""
    position = _skip(line, position, " \t`,")
    if line.startswith("# ", position) or line.startswith("// ", position):
        position = _skip(line, position, "#/ \t")
    connector = next((word for word in _CONNECTORS if line[position : position + len(word)].lower() == word), None)
    if connector is None or (connector.isalpha() and line[position + len(connector) :][:1].isalnum()):
        return None
    if of_changes and not connector.startswith(_DEMANDS):
        return None
    position = _skip(line, position + len(connector), " \t`:")
    for filler in _FILLERS:
        if line.startswith(filler, position):
            position = _skip(line, position + len(filler), " \t`:")
    value = read_value(line, position)
    if value is None or _is_contradicted(line, value[1]):
        return None
    return value if not connector.isalpha() or _ends_clause(line, value[1]) else None


def _is_contradicted(line: str, position: int) -> bool:
    """Whether the sentence continues with a contradiction: "gives 3, but"."""
    return line[position : position + 30].lstrip(" \t`'\",;.").lower().startswith(_CONTRADICTIONS)


def _ends_clause(line: str, position: int) -> bool:
    """Whether a clause ends here: "is 4." and "is 4 because" do, "is 4 times as fast" does not."""
    rest = line[position : position + 20].lstrip(" \t`'\"")
    return not rest[:1].isalnum() or rest.split(maxsplit=1)[0].rstrip(",.;:").lower() in _CONJUNCTIONS


def _skip(line: str, position: int, characters: str) -> int:
    while position < len(line) and line[position] in characters:
        position += 1
    return position


def _has_constant_arguments(call: ast.expr) -> bool:
    if not isinstance(call, ast.Call):
        return False
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return all(not isinstance(each, ast.Starred) and is_value(each) for each in arguments)


# Input: nums = [2, 7], target = 9 / Output: [0, 1]


def _read_pair(
    lines: Sequence[str], start: int, position: int, function: str, parameters: Sequence[str]
) -> Example | None:
    """Read a line that begins with "Input:", with the "Output:" in it or in one of the next two lines with text."""
    given, _, rest = _partition_output(lines[start][position:])
    below = [line for line in lines[start + 1 : start + 4] if line.strip()][:2]
    for line in ["Output:" + rest] if rest else below:
        label = _LABEL.match(line)
        if label is None:
            continue
        if label["label"].lower() == "input":
            return None
        value = read_value(line, _skip(line, label.end(), " \t`"))
        arguments = _arguments(given.strip().rstrip(",;").strip("` "), parameters)
        if value is None or arguments is None:
            return None
        return Example(function, f"{function}({arguments})", value[0])
    return None


def _partition_output(text: str) -> tuple[str, str, str]:
    lowered = text.lower()
    at = lowered.find("output:")
    return (text, "", "") if at < 0 else (text[:at], text[at : at + 7], text[at + 7 :])


def _arguments(given: str, parameters: Sequence[str]) -> str | None:
    """Return the arguments of a call from "nums = [2, 7], target = 9" or from values alone."""
    if _ASSIGNMENT.match(given):
        node = parse_expression(f"f({given})")
        if not isinstance(node, ast.Call) or node.args or not _has_constant_arguments(node):
            return None
        names = [keyword.arg for keyword in node.keywords]
        if parameters and names != list(parameters[: len(names)]):
            return ", ".join(ast.unparse(keyword.value) for keyword in node.keywords)
        return given
    node = parse_expression(given)
    if node is None or not is_value(node):
        return None
    is_list_of_arguments = isinstance(node, ast.Tuple) and not given.startswith("(") and len(parameters) != 1
    if is_list_of_arguments or len(parameters) in (0, 1):
        return given if is_list_of_arguments or not isinstance(node, ast.Tuple) else f"({given.strip('()')})"
    return None
