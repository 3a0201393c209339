"""What is asked in a measurement, and how an answer to it is graded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime.sandbox.programs import Program
from synth.request import Message


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a suite. `program` gives what grades an answer's text, None where nothing in it can be run."""

    suite: str
    name: str
    messages: Sequence[Message]
    program: Callable[[str], Program | None]
