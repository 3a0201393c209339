"""Examples that a text shows of the code it is about, in the forms that people and programs write them. Pure.

`doctests`, `asserts`, `shown_tests`, `sentences` and `pairs` each read one family of forms, `reading` a whole text.
"""

from synth.evidence.examples.example import Example
from synth.evidence.examples.reading import (
    MAX_EXAMPLES,
    MAX_TEXT_CHARS,
    has_pairs,
    key_of,
    narrow_examples,
    read_examples,
)

__all__ = ["MAX_EXAMPLES", "MAX_TEXT_CHARS", "Example", "has_pairs", "key_of", "narrow_examples", "read_examples"]
