"""Find the function or class that a request is about, and join a candidate's code with what the request gives. Pure."""

import ast
import builtins
import re
import textwrap
import typing
from collections import Counter
from collections.abc import Iterator, Sequence

from runtime.frozen import frozen
from synth.edits.code import CodeBlock, find_code_blocks
from synth.edits.syntax import parse_python_or_none
from synth.evidence.examples import Example
from synth.evidence.expressions import MAX_DEPTH, depth

MAX_CODE_CHARS = 50_000

Function = ast.FunctionDef | ast.AsyncFunctionDef
_HINT_WORD = re.compile(
    r"\b(?:int|float|str|bool|bytes|complex|list|dict|set|frozenset|tuple|object|None|typing|t|collections|abc|List|Dict|Set"
    r"|FrozenSet|Tuple|Optional|Union|Any|Sequence|MutableSequence|Iterable|Mapping|Collection|Literal|Text|Number)\b"
)
_KIND = "(?:function|method|funktion|función|fonction|函数|関数)"
_CALLED = "(?:called|named|namens|llamada|nommée|名为)"
_NAMED = re.compile(
    rf"{_KIND}[ \t]{{0,4}}{_CALLED}?[ \t]{{0,4}}[`'\"](?P<a>[A-Za-z_]\w*)"
    rf"|{_CALLED}[ \t]{{1,4}}[`'\"]?(?P<b>[A-Za-z_]\w*)[`'\"]?[ \t]?\("
    rf"|(?:{_CALLED}|{_KIND})[ \t]{{1,4}}(?P<c>[A-Za-z_]\w*_\w*)"
    rf"|(?:{_KIND}|implement|write|create|define)[ \t]{{1,4}}`?(?:def )?(?P<d>[A-Za-z_]\w*)\([A-Za-z_*)]",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"\(([^()]{0,300})\)")
_PYTHON = frozenset({"", "python", "py", "python3", "pycon"})


@frozen
class Stub:
    """A function or class that the request gives without a body, in a block of code.

    `lead` is the block's source before it (imports, helpers, constants), `source` its own lines.
    `hints` are its parameters' annotations as source, "" if one has none. Those of a class with one public method are
    the method's, and `callee` is how that is called: `Solution().add`; of another class it is "".
    """

    name: str
    lead: str
    source: str
    parameters: tuple[str, ...]
    hints: tuple[str, ...]
    callee: str = ""

    @property
    def takes_values(self) -> bool:
        """Whether arguments may be written as values, by the hints: of `root: TreeNode` a list is only a picture."""
        return all(_HINT_WORD.sub("", hint).strip("[]|,. '\"()\n") == "" for hint in self.hints)


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


def find_named_function(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the function that a sentence names, and its parameters if it gives them: "write a function `f(a, b)`"."""
    for found in _NAMED.finditer(text[:MAX_CODE_CHARS]):
        name = next(filter(None, found.groups()))
        if hasattr(builtins, name):
            continue
        signature = _SIGNATURE.match(text, found.start() + found[0].index(name) + len(name))
        words = (
            [word.partition(":")[0].partition("=")[0].strip() for word in signature[1].split(",")] if signature else []
        )
        return name, tuple(words) if all(word.isidentifier() for word in words) else ()
    return "", ()


def find_parameters(source: str, function: str) -> tuple[str, ...]:
    """Return the names of the parameters of a top-level function; () if it is not there."""
    tree = parse_python_or_none(source)
    for node in () if tree is None else tree.body:
        if isinstance(node, Function) and node.name == function:
            return tuple(each.arg for each in [*node.args.posonlyargs, *node.args.args])
    return ()


def find_common_function(sources: Sequence[str]) -> str:
    """Return the name of the only public top-level function that all sources define; "" if there is not exactly one."""
    defined = [set(_top_level_functions(source)) for source in sources]
    common = set.intersection(*defined) if defined else set()
    return common.pop() if len(common) == 1 else ""


def list_defined(text: str) -> set[str]:
    """Return the names of the functions and classes that an answer's blocks of Python define at their top level."""
    trees = [parse_python_or_none(source) for source in _list_blocks(text)]
    nodes = [node for tree in trees if tree is not None for node in tree.body]
    return {node.name for node in nodes if isinstance(node, Function | ast.ClassDef)}


def find_code(text: str, function: str, stub: Stub | None) -> str | None:
    """Return the module that an answer makes: its code, below what the request gives, or None if it has no code.

    Of several blocks the first that defines the function counts, below those that only define something else: helpers.
    If none does, the first block is the function's body, provided that the request gives its head; otherwise it is
    taken as it is, and lacks the function.
    """
    if len(text) > MAX_CODE_CHARS:
        return None
    blocks = [block for block in find_code_blocks(text) if block.language in _PYTHON]
    defining = next((block for block in blocks if _defines(block.unindented, function)), None)
    if defining is not None:
        helpers = [block.unindented for block in blocks if block is not defining and _only_defines(block, function)]
        return _join(stub.lead if stub else "", "\n".join([*helpers, defining.unindented]))
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
    # A head alone is no Python yet: "class Solution:\n    def add(self, a):" is what some sites give.
    tree = parse_python_or_none(source) or (
        parse_python_or_none(f"{source.rstrip()} ...") if source.rstrip().endswith(":") else None
    )
    if tree is None:
        return
    lines = source.rstrip().split("\n")
    imports = [line for line in lines if line.startswith(("from typing ", "import typing"))]
    for node in tree.body:
        if isinstance(node, Function) and _is_stub(node) and not hasattr(builtins, node.name):
            yield _describe_stub(node, node, lines, imports)
        elif isinstance(node, ast.ClassDef) and (methods := _list_methods(node)) and all(map(_is_stub, methods)):
            yield _describe_stub(node, methods[-1] if len(methods) == 1 else None, lines, imports)


def _list_methods(node: ast.ClassDef) -> list[Function]:
    """Return the methods of a class that is a stub: its public ones, none if it holds anything else of weight."""
    methods = [each for each in node.body if isinstance(each, Function)]
    rest = [each for each in node.body if not isinstance(each, Function | ast.Pass | ast.Expr | ast.AnnAssign)]
    public = [method for method in methods if not method.name.startswith("_")]
    return [] if rest or len(methods) > len(public) + 1 else public


def _describe_stub(
    node: Function | ast.ClassDef, called: Function | None, lines: list[str], imports: list[str]
) -> Stub:
    start = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
    arguments = [] if called is None else [*called.args.posonlyargs, *called.args.args][called is not node :]
    hints = tuple(map(_hint, arguments))
    callee = node.name if called is node else f"{node.name}().{called.name}" if called is not None else ""
    source = "\n".join(lines[start : _end_of_docstring(node)])
    words = set(re.findall(r"\w+", "\n".join(lines[start:]))) & set(typing.__all__)
    lead = "\n".join(lines[:start])
    if words and not imports:  # its author's environment has them
        lead = f"from typing import {', '.join(sorted(words))}\n{lead}"
    return Stub(node.name, lead, source, tuple(each.arg for each in arguments), hints, callee)


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


def _end_of_docstring(node: Function | ast.ClassDef) -> int:
    """Return the last line of a stub that its real body can follow: its docstring's, else the definition's own."""
    if isinstance(node, ast.ClassDef) and isinstance(node.body[0], Function):
        return min([node.body[0].lineno, *(each.lineno for each in node.body[0].decorator_list)]) - 1
    first = node.body[0]
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return (first.end_lineno or first.lineno) if is_docstring else first.lineno - 1


def _defines(source: str, function: str) -> bool:
    return bool(function) and any(
        line.startswith(
            (
                *(f"def {function}(", f"async def {function}(", f"def {function} (", f"{function} = "),
                *(f"class {function}:", f"class {function}("),
            )
        )
        for line in source.split("\n")
    )


def _only_defines(block: CodeBlock, function: str) -> bool:
    """Whether a block does no more than define functions, classes and constants, but not the function itself."""
    tree = None if _defines(block.unindented, function) else parse_python_or_none(block.unindented)
    nodes = [] if tree is None else tree.body
    has_definitions = any(isinstance(node, Function | ast.ClassDef) for node in nodes)
    return has_definitions and all(
        isinstance(node, Function | ast.ClassDef | ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant))
        for node in nodes
    )


def _join(lead: str, code: str) -> str:
    future = [line for line in code.split("\n") if line.startswith("from __future__ ")]
    rest = "\n".join(line for line in code.split("\n") if not line.startswith("from __future__ "))
    return "\n".join([*future, lead, rest]) if lead.strip() else code


def _top_level_functions(source: str) -> Iterator[str]:
    tree = parse_python_or_none(source)
    if tree is not None:
        yield from (node.name for node in tree.body if isinstance(node, Function) and not node.name.startswith("_"))
