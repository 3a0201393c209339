"""Examples in the form of an interactive session: `>>> f(1)` and its output, also IPython's `In [1]:`. Pure."""

import ast
import re
from collections.abc import Sequence

from synth.evidence.examples.asserts import find_equations
from synth.evidence.examples.example import MAX_SETUP_CHARS, Example, await_calls, complete, find_called, find_function
from synth.evidence.expressions import is_value, parse_expression

_PROMPT = re.compile(r">>>(?: |$)|>>>(?=\w)|In \[\d{1,4}\]: ?")
_CONTINUATION = re.compile(r"\.\.\.(?::? |:?$)")
_RESULT = re.compile(r"Out\[\d{1,4}\]: ?")
_DIRECTIVE = re.compile(r"#[ \t]*doctest:(?P<options>.*)")
_TRACEBACK = ("Traceback (most recent call last)", "Traceback (innermost last)")
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*(?P<name>[A-Za-z_]\w*)(?::|$)")
_BLANK = "<BLANKLINE>"


def is_prompt(line: str) -> bool:
    """Whether a line, without space around it, begins a statement of a session."""
    return line.startswith((">>>", "In [")) and _PROMPT.match(line) is not None


def ends_session(line: str) -> bool:
    """Whether a line ends a session and its names: a docstring, a block or a definition begins or ends."""
    return line.startswith(('"""', "'''", "```", "~~~", "def ", "class ")) or line.endswith(('"""', "'''"))


def read_doctest(lines: Sequence[str], start: int, setup: str) -> tuple[int, str, Example | None]:
    """Read one prompt with its continuation and output; return the next line, the setup for it, and the example.

    `setup` are the statements of the session so far, from the first that is no expression. An example that depends on
    them may change what they made, and so becomes part of the setup as well.
    """
    margin = len(lines[start]) - len(lines[start].lstrip())
    source = [_PROMPT.sub("", lines[start].strip(), count=1)]
    position = start + 1
    while position < len(lines) and (mark := _CONTINUATION.match(lines[position].strip())):
        source.append(lines[position].strip()[mark.end() :])
        position += 1
    output: list[str] = []
    while position < len(lines) and not _ends_output(lines[position]):
        is_inside = not lines[position][:margin].strip()
        output.append(lines[position][margin:].rstrip() if is_inside else lines[position].strip())
        position += 1
    code, said = "\n".join(source).strip(), "\n".join(output).strip()
    example = _read_example(code, said, setup)
    is_statement = parse_expression(_remove_comment(code)) is None
    if (example is None or example.setup) and (setup or is_statement) and not _is_broken(code):
        setup = f"{setup}{code}\n" if len(setup) < MAX_SETUP_CHARS else setup
    return position, setup, example


def _ends_output(line: str) -> bool:
    stripped = line.strip()
    return not stripped or is_prompt(stripped) or stripped.startswith(('"""', "'''", "```"))


def _read_example(code: str, said: str, setup: str) -> Example | None:
    options = _DIRECTIVE.search(code)
    said = _RESULT.sub("", said, count=1)
    if options is not None:
        if "SKIP" in options["options"] or ("ELLIPSIS" in options["options"] and "..." in said):
            return None
        code = _DIRECTIVE.sub("", code).strip()
    code = _remove_comment(code)
    node = parse_expression(code)
    if node is None:
        return None
    node = await_calls(node)
    if said in ("", "True"):
        equations = find_equations(node, setup)
        if not said or equations:
            return equations[0] if len(equations) == 1 else None
    example = _read_output(node, said, setup)
    return None if example is None else complete(example)


def _read_output(node: ast.expr, said: str, setup: str) -> Example | None:
    function = find_function(node, setup)
    if not function:
        return None
    code = ast.unparse(node)
    if said.startswith(_TRACEBACK):
        name = _read_exception(said)
        return Example(function, code, None, name, setup) if name else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        printed = _print(node)
        text = "\n".join("" if line.strip() == _BLANK else line for line in said.split("\n"))
        return Example(function, printed, repr(text), "", setup) if printed else None
    expected = parse_expression(_remove_comment(said))
    if expected is None or not is_value(expected):
        return None
    if isinstance(node, ast.Compare | ast.BoolOp):
        code = f"({code})"
    return Example(function, code, ast.unparse(expected), "", setup)


def _read_exception(said: str) -> str:
    """Return the type that a traceback ends with: its first line that is not indented, before a message's own lines."""
    lines = [line for line in said.split("\n")[1:] if line and not line[0].isspace()]
    found = _EXCEPTION.match(lines[0]) if lines else None
    return found["name"] if found else ""


def _print(call: ast.Call) -> str:
    """Return the expression for the text that a call of `print` writes, without the last line's end; "" if unknown."""
    separators = [keyword.value for keyword in call.keywords if keyword.arg == "sep"]
    if len(separators) < len(call.keywords) or not find_called(ast.Tuple(call.args, ast.Load())):
        return ""
    if len(call.args) == 1 and not isinstance(call.args[0], ast.Starred):
        return f"str({ast.unparse(call.args[0])})"
    separator = ast.unparse(separators[0]) if separators else "' '"
    return f"{separator}.join(map(str, [{', '.join(map(ast.unparse, call.args))}]))"


def _remove_comment(code: str) -> str:
    """Return one line of code without a comment at its end, if it is an expression then."""
    head, sign, _ = code.partition(" #")
    return head.strip() if sign and "\n" not in code and parse_expression(code) is None else code


def _is_broken(code: str) -> bool:
    if len(code) > MAX_SETUP_CHARS:
        return True
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return False
