"""Find and check the fenced code blocks of an answer. Pure."""

import ast
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from os.path import commonprefix

from runtime.budget import Budget
from synth.edits.syntax import parse_python, syntax_error_in

_FENCE_LINE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_LANGUAGE = re.compile(r"[\w+#.-]*")
_PYTHON = {"python", "py", "python3"}
_MIN_SHARE = 0.5
_MAX_BLOCK_ANSWER_CHARS = 100_000
_MAX_FENCES = 500
_MAX_TREE_CHARS = 6_000


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block. `language` is the fence's own word in lower case, or ""; `closed` says whether the block ends."""

    language: str
    code: str
    closed: bool = True

    @property
    def outcome(self) -> Hashable:
        """Equal for two blocks whose Python differs only in layout and comments, or whose text is the same.

        Python of more than 6,000 characters is compared as text: a syntax tree takes too long in a turn of the loop.
        """
        if self.language in _PYTHON and len(self.code) <= _MAX_TREE_CHARS:
            digest = _digest_tree(self.unindented)
            if digest is not None:
                return ("python", digest)
        return ("text", "\n".join(line.rstrip() for line in self.code.strip().splitlines()))

    @property
    def unindented(self) -> str:
        """The code without the indentation that all lines share: models indent a function's body when they give it."""
        lines = ["" if line.isspace() else line for line in self.code.split("\n")]
        indents = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line]
        margin = commonprefix(indents)  # noqa: RUF071 -- of characters, as wanted
        return "\n".join([line[len(margin) :] for line in lines])


@lru_cache(maxsize=64)
def _digest_tree(code: str) -> bytes | None:
    """Return a digest of the syntax tree of Python, or None if it does not parse. Cached: candidates recur."""
    try:
        tree = parse_python(code)
        return None if tree is None else sha256(ast.dump(tree).encode("utf-8", "surrogatepass")).digest()
    except (SyntaxError, RecursionError):
        return None


def find_code_block(text: str) -> CodeBlock | None:
    """Return the code block of an answer that mostly consists of one, or None. Long answers have none."""
    if len(text) > _MAX_BLOCK_ANSWER_CHARS:
        return None
    n_fences = text.count("```") + text.count("~~~")
    if not n_fences or n_fences > _MAX_FENCES:
        return None
    found = list(islice(find_code_blocks(text), 2))
    if len(found) != 1 or not found[0].closed:
        return None
    share = len("".join(found[0].code.split())) / max(1, len("".join(text.split())))
    return found[0] if share >= _MIN_SHARE else None


def find_code_blocks(text: str) -> Iterator[CodeBlock]:
    """Yield the fenced blocks of a Markdown text; the last one may be unclosed."""
    # The pattern finds lines that may be fences, each once: its repetitions are of characters that cannot be told
    # apart in two ways. Which of them open and close blocks (https://spec.commonmark.org/0.31.2/#fenced-code-blocks)
    # is decided here and not by more of a pattern, which would have to try where the language begins.
    opening: re.Match[str] | None = None
    for line in _FENCE_LINE.finditer(text):
        fence, info = line.groups()
        if opening is None:
            opening = line if "`" not in info.rstrip("\r") else None
        elif fence.startswith(opening[1]) and not info.strip():
            yield CodeBlock(_read_language(opening[2]), text[opening.end() + 1 : line.start()])
            opening = None
    if opening is not None:
        code = text[opening.end() + 1 :] + "\n" if opening.end() < len(text) else ""
        yield CodeBlock(_read_language(opening[2]), code, closed=False)


def _read_language(info: str) -> str:
    word = _LANGUAGE.match(info.strip(" \t\r"))
    return word[0].lower() if word else ""


def find_code_defects(blocks: list[CodeBlock], budget: Budget) -> list[str]:
    """Return the defects of an answer that should be exactly one code block."""
    if len(blocks) > 1:
        return [f"the answer has {len(blocks)} code blocks, and one was asked for"]
    findings = ["truncated: the code block does not end" for block in blocks if not block.closed]
    problems = (syntax_error_in(block.language, block.unindented, budget) for block in blocks)
    return findings + [problem for problem in problems if problem]
