"""Requests for one block of Python: read the task, and plan the trials of an answer. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from runtime.frozen import frozen
from runtime.sandbox.trials import Check, Trial
from synth.evidence.examples import Example, narrow_examples, read_examples
from synth.evidence.inputs import vary_calls
from synth.evidence.plan import Part, Plan
from synth.evidence.target import (
    Stub,
    choose_function,
    find_code,
    find_common_function,
    find_hints,
    find_stubs,
    read_source,
)

_MAX_CALLS_SHOWN_TO_INPUTS = 8


@frozen
class CodeTask:
    """The function that a request wants, its stub if it gives one, examples, and inputs to compare candidates on.

    `is_for_code`: the request may want code, though it may not say which function.
    """

    function: str = ""
    stub: Stub | None = None
    examples: tuple[Example, ...] = ()
    inputs: tuple[str, ...] = ()
    is_for_code: bool = False

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
        places = tuple(range(len(self.examples)))
        return Plan((Part(Trial(source, tuple(checks)), self.examples, places),))

    def with_examples(self, examples: Sequence[Example]) -> "CodeTask":
        """Return the task with these examples instead."""
        return replace(self, examples=tuple(examples))

    def with_answers(self, texts: Sequence[str]) -> "CodeTask":
        """Return the task with the function that all answers define, if the request names none."""
        if not self.learns_from_answers:
            return self
        sources = [read_source(text) for text in texts]
        function = find_common_function(sources)
        return (
            replace(self, function=function, inputs=vary_calls(function, (), find_hints(sources[0], function)))
            if function
            else self
        )


def read_code_task(text: str, *, is_for_code: bool = False) -> CodeTask:
    """Return the task that the text of a request describes. Linear in its length."""
    stubs = find_stubs(text)
    called = read_examples(text)
    function = choose_function(stubs, called)
    if not function:
        return CodeTask(is_for_code=is_for_code)
    stub = next((each for each in stubs if each.name == function), None)
    examples = narrow_examples(text, called, function, parameters=stub.parameters if stub else ())
    calls = [example.call for example in examples[:_MAX_CALLS_SHOWN_TO_INPUTS]]
    return CodeTask(function, stub, examples, vary_calls(function, calls, stub.hints if stub else ()), is_for_code)


def make_check(example: Example) -> Check:
    """Return the check that an example asks for."""
    return Check(example.call, None if example.raises else example.expected, example.setup)
