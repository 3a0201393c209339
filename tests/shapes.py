"""Texts of hostile shapes: the tokens that readers look for, repeated, nested and interleaved, up to a megabyte."""

from collections.abc import Iterator
from itertools import product

from hypothesis import strategies as st

MAX_CHARS = 1_000_000

_FENCES = [
    "```",
    "````",
    "~~~",
    "```python\n",
    "```diff\n",
    "<source>\n",
    "</source>\n",
    "<pre>",
    "<think>",
    "</think>",
]
_MARKS = [
    *("<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "@@ ... @@\n", "--- a.py\n", "+++ a.py\n"),
    *("*** Begin Patch\n", "*** Update File: a.py\n", "*** Add File: b.py\n", "*** End of File\n", "*** End Patch\n"),
]
_LINES = [
    "a.py\n",
    "`a.py`\n",
    "+a\n",
    "-a\n",
    " a\n",
    "  a\n",
    "a\n",
    "\n",
    " \n",
    "...\n",
    "  ...\n",
    "# a\n",
    "A1 B2\n",
]
_BRACKETS = ["(", ")", "[", "]", "{", "}", '{"a":', "[1,", "f(", "f'{", '"""', "'", '"', "\\"]
_SYNTAX = [
    "- ",
    "? ",
    "&a ",
    "*a ",
    "%TAG ! a\n",
    "a: ",
    "a.",
    "import a.",
    "not ",
    "1+",
    "lambda:",
    "if a: b\n",
    "=",
    "|",
    ">",
]
_PROSE = [
    "code block ",
    "entire content ",
    "file listing ",
    "reply with only one ",
    "read-only ",
    "Example: ",
    ">>> f(1)\n",
]
_SPACES = [" ", "\t", "\r\n", "\r", "\x0b", "\x0c", "\u2028", "\0", "\ud800", "\N{LEFTWARDS ARROW}", "\u00e9"]
_CHARS = ["a", "1", "`", "<", ">", "=", "*", "-", "+", "@", ".", "#", "|", ":", ",", "/"]
TOKENS = [*_FENCES, *_MARKS, *_LINES, *_BRACKETS, *_SYNTAX, *_PROSE, *_SPACES, *_CHARS]
_TOKENS = st.sampled_from(TOKENS)
_COUNTS = st.sampled_from([1, 2, 3, 10, 100, 1_000, 30_000, 300_000])


def _repeat(text: str, count: int) -> str:
    return text * max(1, min(count, MAX_CHARS // max(1, len(text))))


def _extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = st.builds(_repeat, inner, _COUNTS)
    joined = st.lists(inner, min_size=2, max_size=5).map("".join)
    nested = st.builds(
        lambda opening, middle, closing, count: _repeat(opening, count) + middle + _repeat(closing, count),
        _TOKENS,
        inner,
        _TOKENS,
        _COUNTS,
    )
    return repeated | joined | nested


SHAPES = st.recursive(_TOKENS, _extend, max_leaves=6).map(lambda text: text[:MAX_CHARS])
"""Texts of at most `MAX_CHARS` characters."""


def list_long_lines(n_chars: int) -> Iterator[str]:
    """Yield every token, followed by many of one character and by an end that the reader may not expect.

    A pattern that can read the same characters in two ways takes quadratic time for one of these.
    """
    leads = [*_FENCES, *_MARKS, *_PROSE, "a.py\n", ""]
    for lead, filler, end in product(leads, ["a", "a.", "`", "<", "=", "*", " ", "\n", "a\n"], ["", "x", "`"]):
        yield lead + filler * (n_chars // len(filler)) + end
