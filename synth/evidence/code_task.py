"""Requests for one block of Python: read the task, and plan the trials of an answer. Pure."""

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from runtime.frozen import frozen
from runtime.sandbox.trials import Check, Trial
from synth.evidence.examples import MAX_EXAMPLES, Example, has_pairs, key_of, narrow_examples, read_examples
from synth.evidence.expressions import parse_expression
from synth.evidence.inputs import vary_calls
from synth.evidence.plan import Part, Plan
from synth.evidence.target import (
    Stub,
    choose_function,
    find_code,
    find_common_function,
    find_hints,
    find_named_function,
    find_parameters,
    find_stubs,
    list_defined,
    read_source,
)

_MAX_CALLS_SHOWN_TO_INPUTS = 8
_CHANGE = re.compile(
    r"\b(?:now|instead|chang\w+|renam\w+|turn\w* (?:\w+ ){0,5}into|convert\w*|actually|no longer|rather than"
    r"|replac\w+)\b",
    re.IGNORECASE,
)
_DOCSTRING = re.compile(r'(r?"""(?:[^"]|"(?!""))*"""|r?\'\'\'(?:[^\']|\'(?!\'\'))*\'\'\')')


@frozen
class CodeTask:
    """The function that a request wants, its stub if it gives one, examples, and inputs to compare candidates on.

    `is_for_code`: the request may want code, though it may not say which function. `text` is then what says more once
    the answers show the function: a request with pairs of arguments and results, or the user's earlier messages.
    """

    function: str = ""
    stub: Stub | None = None
    examples: tuple[Example, ...] = ()
    inputs: tuple[str, ...] = ()
    is_for_code: bool = False
    text: str = ""

    @property
    def can_rank(self) -> bool:
        """Whether the request shows examples."""
        return bool(self.examples)

    @property
    def is_open(self) -> bool:
        """Whether the function is known."""
        return bool(self.function)

    @property
    def learns_from_answers(self) -> bool:
        """Whether the request may want code, and does not say which function."""
        return self.is_for_code and not self.function

    def count_chars(self, text: str) -> int:
        """Return how much there is to read for the plan of an answer."""
        return len(text) + (len(self.stub.lead) if self.stub else 0)

    def plan(self, text: str) -> Plan | None:
        """Return the plan for an answer, or None if the answer has no code or the function is unknown."""
        source = find_code(text, self.function, self.stub) if self.function else None
        if source is None:
            return None
        checks = [*map(make_check, self.examples), *map(Check, self.inputs)]
        if f"async def {self.function}(" in source:
            checks = [_await_calls(check, self.function) for check in checks]
        places = tuple(range(len(self.examples)))
        return Plan((Part(Trial(source, tuple(checks)), self.examples, places),))

    def with_examples(self, examples: Sequence[Example]) -> "CodeTask":
        """Return the task with these examples instead."""
        return replace(self, examples=tuple(examples))

    def with_answers(self, texts: Sequence[str]) -> "CodeTask":
        """Return the task with the function that all answers define, if the request names none.

        It is the one that `text` is about; else the only one of two or more answers.
        """
        if not self.learns_from_answers:
            return self
        if self.text and (function := choose_function_of(self.text, texts)):
            return _read_task(self.text, function, is_for_code=self.is_for_code)
        sources = [read_source(text) for text in texts]
        function = find_common_function(sources) if len(sources) > 1 or self.text else ""
        if not function:
            return self
        parameters = find_parameters(sources[0], function)
        examples = read_examples(self.text, function=function, parameters=parameters) if self.text else ()
        if len(sources) == 1 and not examples:
            return self
        calls = [example.call for example in examples[:_MAX_CALLS_SHOWN_TO_INPUTS]]
        inputs = vary_calls(function, calls, find_hints(sources[0], function))
        return replace(self, function=function, examples=examples, inputs=inputs)


def read_code_task(text: str, earlier: str = "", *, is_for_code: bool = False) -> CodeTask:
    """Return the task that the text of a request describes. Linear in its length.

    `earlier` are the user's messages before it. A request that goes on about a function of theirs may report what its
    code does now: of its sentences only those count that demand a result, besides the examples of before. Those no
    longer count if it says that something changes.
    """
    task = _read_request(text, is_for_code=is_for_code)
    if not earlier or (task.function and (task.stub or task.function not in earlier)):
        return task
    demanded = read_examples(text, of_changes=True)
    function = choose_function((), demanded)
    is_change = _CHANGE.search(text) is not None
    if not function and is_change:
        return CodeTask(is_for_code=is_for_code, text=task.text)
    if not function:
        return CodeTask(is_for_code=is_for_code, text=f"{earlier}\n\n{task.text}")
    before = _read_task(earlier, function, is_for_code=is_for_code)
    return replace(before, examples=_merge(demanded, () if is_change else before.examples, function))


def _merge(first: Sequence[Example], second: Sequence[Example], function: str) -> tuple[Example, ...]:
    """Return the examples of a function in both; if both have the same call, the first one's."""
    found = {key_of(each): each for each in (*second, *first) if each.function == function}
    return tuple(found.values())[:MAX_EXAMPLES]


def _read_request(text: str, *, is_for_code: bool) -> CodeTask:
    stubs = find_stubs(text)
    if len(stubs) == 1:  # whatever the examples call: the text is read once
        return _make_task(text, stubs[0].name, stubs, None, (), is_for_code=is_for_code)
    called = read_examples(_unescape_docstrings(text) if stubs else text)
    function, parameters = choose_function(stubs, called), tuple[str, ...]()
    if not function and has_pairs(text):
        function, parameters = find_named_function(text)
        if not function:
            return CodeTask(is_for_code=is_for_code, text=text)
    if not function:
        return CodeTask(is_for_code=is_for_code)
    return _make_task(text, function, stubs, called, parameters, is_for_code=is_for_code)


def _read_task(text: str, function: str, *, is_for_code: bool) -> CodeTask:
    """Return the task for a function that is known."""
    return _make_task(text, function, find_stubs(text), None, (), is_for_code=is_for_code)


def _make_task(
    text: str,
    function: str,
    stubs: Sequence[Stub],
    called: Sequence[Example] | None,
    parameters: tuple[str, ...],
    *,
    is_for_code: bool,
) -> CodeTask:
    """Return the task of a text for a function; `called` are the examples in it, None if they are not read yet."""
    shown = _unescape_docstrings(text) if stubs else text
    stub = next((each for each in stubs if each.name == function), None)
    callee, parameters = (stub.callee, stub.parameters) if stub else ("", parameters)
    if stub is not None and not stub.takes_values:
        found = read_examples(shown) if called is None else called
        examples = tuple(example for example in found if example.function == function)
    elif called is None:
        examples = read_examples(shown, function=function, callee=callee, parameters=parameters)
    else:
        examples = narrow_examples(shown, called, function, callee, parameters)
    calls = [example.call for example in examples[:_MAX_CALLS_SHOWN_TO_INPUTS]]
    return CodeTask(function, stub, examples, vary_calls(function, calls, stub.hints if stub else ()), is_for_code)


def choose_function_of(text: str, answers: Sequence[str]) -> str:
    """Return the function that a text gives a stub or examples of, and that all answers define; "" if there is none."""
    defined = set.intersection(*map(list_defined, answers)) if answers else set()
    stubs = [stub for stub in find_stubs(text) if stub.name in defined]
    called = [example for example in read_examples(text) if example.function in defined]
    return choose_function(stubs, called)


def _unescape_docstrings(text: str) -> str:
    """Return a text with single backslashes for the double ones in its docstrings, which is how a doctest sees them."""
    if "\\\\" not in text:
        return text
    parts = _DOCSTRING.split(text)
    return "".join(
        part.replace("\\\\", "\\") if _DOCSTRING.fullmatch(part) and part[0] != "r" else part for part in parts
    )


def make_check(example: Example) -> Check:
    """Return the check that an example asks for."""
    return Check(example.call, None if example.raises else example.expected, example.setup)


def _await_calls(check: Check, function: str) -> Check:
    """Return a check that waits for the results of an asynchronous function, unless it does so itself."""
    node = parse_expression(check.expression)
    if node is None or "asyncio.run(" in check.expression:
        return check
    expression = ast.unparse(_Awaiting(function).visit(node))
    return replace(check, expression=expression, setup=f"import asyncio\n{check.setup}")


class _Awaiting(ast.NodeTransformer):
    """Runs each call of a function to its end."""

    def __init__(self, function: str) -> None:
        self._function = function

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == self._function:
            return ast.Call(ast.Attribute(ast.Name("asyncio", ast.Load()), "run", ast.Load()), [node], [])
        return node
