"""Find the function that a request is about, and put a candidate's code together with what the request gives. Pure."""

import ast
import builtins
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from runtime.frozen import frozen
from synth.edits.code import find_code_blocks
from synth.edits.syntax import parse_python_or_none
from synth.evidence.examples import Example
from synth.evidence.expressions import MAX_DEPTH, depth

MAX_CODE_CHARS = 50_000

Function = ast.FunctionDef | ast.AsyncFunctionDef
_PYTHON = frozenset({"", "python", "py", "python3", "pycon"})


@frozen
class Stub:
    """A function that the request gives without a body, in a block of code.

    `lead` is the block's source before it (imports, helpers, constants), `source` its own lines.
    `hints` are its parameters' annotations as source, "" if one has none.
    """

    name: str
    lead: str
    source: str
    parameters: tuple[str, ...]
    hints: tuple[str, ...]


def find_stubs(text: str) -> list[Stub]:
    """Return the functions without a body in a text's blocks of Python, in order."""
    return [stub for block in _list_blocks(text) for stub in _stubs_in(block)]


def choose_function(stubs: Sequence[Stub], examples: Sequence[Example]) -> str:
    """Return the name of the function that the request asks for, or "" if that is unclear.

    Of several stubs the one that examples call, else the last; without stubs the function that most examples call.
    """
    called = Counter(example.function for example in examples)
    names = [stub.name for stub in stubs]
    for name, _ in called.most_common():
        if not names or name in names:
            return name
    return names[-1] if names else ""


def find_common_function(sources: Sequence[str]) -> str:
    """Return the name of the only public top-level function that all sources define; "" if there is not exactly one."""
    defined = [set(_top_level_functions(source)) for source in sources]
    common = set.intersection(*defined) if defined else set()
    return common.pop() if len(common) == 1 else ""


def find_code(text: str, function: str, stub: Stub | None) -> str | None:
    """Return the module that an answer makes: its code, below what the request gives, or None if it has no code.

    Of several blocks the first that defines the function counts. If none does, the first block is the function's body,
    provided that the request gives its head; otherwise it is taken as it is, and lacks the function.
    """
    if len(text) > MAX_CODE_CHARS:
        return None
    blocks = [block for block in find_code_blocks(text) if block.language in _PYTHON]
    defining = next((block for block in blocks if _defines(block.unindented, function)), None)
    if defining is not None:
        return _join(stub.lead if stub else "", defining.unindented)
    if not blocks:
        return None
    if stub is None:
        return blocks[0].unindented
    body = textwrap.indent(blocks[0].unindented, "    ")
    return _join(stub.lead, f"{stub.source}\n{body}") if blocks[0].code.strip() else None


def read_source(text: str) -> str:
    """Return the first block of Python in an answer, "" if it has none."""
    return next(_list_blocks(text), "")


def find_hints(source: str, function: str) -> tuple[str, ...]:
    """Return the annotations of a function's parameters as source, "" for each without one; () without the function."""
    tree = parse_python_or_none(source)
    for node in () if tree is None else tree.body:
        if isinstance(node, Function) and node.name == function:
            return tuple(map(_hint, [*node.args.posonlyargs, *node.args.args]))
    return ()


def _list_blocks(text: str) -> Iterator[str]:
    """Yield the text's blocks that may be Python, or the whole text if it has no block at all and is code itself."""
    blocks = [block for block in find_code_blocks(text) if len(block.code) <= MAX_CODE_CHARS]
    yield from (block.unindented for block in blocks if block.language in _PYTHON)
    if not blocks and len(text) <= MAX_CODE_CHARS and ("def " in text):
        yield text


def _stubs_in(source: str) -> Iterator[Stub]:
    tree = parse_python_or_none(source)
    if tree is None:
        return
    lines = source.split("\n")
    for node in tree.body:
        if isinstance(node, Function) and _is_stub(node) and not hasattr(builtins, node.name):
            start = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
            arguments = [*node.args.posonlyargs, *node.args.args]
            yield Stub(
                name=node.name,
                lead="\n".join(lines[:start]),
                source="\n".join(lines[start : _end_of_docstring(node)]),
                parameters=tuple(each.arg for each in arguments),
                hints=tuple(map(_hint, arguments)),
            )


def _hint(argument: ast.arg) -> str:
    annotation = argument.annotation
    return "" if annotation is None or depth(annotation) > MAX_DEPTH else ast.unparse(annotation)


def _is_stub(node: Function) -> bool:
    return all(_says_nothing(statement) for statement in node.body)


def _says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _end_of_docstring(node: Function) -> int:
    """Return the last line of a stub that its real body can follow: its docstring's, else the definition's own."""
    first = node.body[0]
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return (first.end_lineno or first.lineno) if is_docstring else first.lineno - 1


def _defines(source: str, function: str) -> bool:
    return bool(function) and any(
        line.startswith((f"def {function}(", f"async def {function}(", f"def {function} (", f"{function} = "))
        for line in source.split("\n")
    )


def _join(lead: str, code: str) -> str:
    future = [line for line in code.split("\n") if line.startswith("from __future__ ")]
    rest = "\n".join(line for line in code.split("\n") if not line.startswith("from __future__ "))
    return "\n".join([*future, lead, rest]) if lead.strip() else code


def _top_level_functions(source: str) -> Iterator[str]:
    tree = parse_python_or_none(source)
    if tree is not None:
        yield from (node.name for node in tree.body if isinstance(node, Function) and not node.name.startswith("_"))
