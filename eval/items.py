"""The questions of a measurement, and the grading of their answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.sandbox.programs import Program
from synth.request import Message


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a suite. `program` returns the program that grades an answer's text, or None without code.

    `files` are the work tree that it is about, and `check` the command that tests it, for an arm with a checker.
    `tools` are those that the request offers; `program` then gets each call of the answer as a line of JSON behind its
    text.
    """

    suite: str
    name: str
    messages: Sequence[Message]
    program: Callable[[str], Program | None]
    files: Mapping[str, str] = field(default_factory=dict)
    check: tuple[str, ...] = ()
    tools: Sequence[Mapping[str, Any]] = ()
