"""Answers that are one block of code. Pure."""

import ast
import re
import textwrap
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from synth.edits.syntax import problem_in, python_tree

_OPENING = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^`\n]*")
_PYTHON = {"python", "py", "python3"}
_MIN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block. `language` is what its fence says, in lower case, or nothing; `closed` whether it ends."""

    language: str
    code: str
    closed: bool = True

    @property
    def outcome(self) -> Hashable:
        """What is equal for two blocks of the same Python but for layout and comments, or else of the same text."""
        as_text = ("text", "\n".join(line.rstrip() for line in self.code.strip().splitlines()))
        if self.language not in _PYTHON:
            return as_text
        try:
            return ("python", ast.dump(python_tree(self.unindented)))
        except (SyntaxError, RecursionError):
            return as_text

    @property
    def unindented(self) -> str:
        """The code without the margin that all its lines share: asked for a function's body, models indent it."""
        return textwrap.dedent(self.code)


def code_block(text: str) -> CodeBlock | None:
    """Return the block of an answer that is for the most part one block of code, None for any other answer."""
    found = list(code_blocks(text))
    if len(found) != 1 or not found[0].closed:
        return None
    share = len("".join(found[0].code.split())) / max(1, len("".join(text.split())))
    return found[0] if share >= _MIN_SHARE else None


def code_blocks(text: str) -> Iterator[CodeBlock]:
    """Yield the fenced blocks of a Markdown text, the last one also where it does not end."""
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        opening = _OPENING.fullmatch(lines[position].rstrip("\r"))
        position += 1
        if opening is None:
            continue
        closing = re.compile(rf" {{0,3}}{opening['fence'][0]}{{{len(opening['fence'])},}}\s*")
        start = position
        while position < len(lines) and not closing.fullmatch(lines[position]):
            position += 1
        code = "".join(line + "\n" for line in lines[start:position])
        yield CodeBlock(opening["language"].lower(), code, closed=position < len(lines))
        position += 1


def code_findings(blocks: list[CodeBlock]) -> list[str]:
    """Return what is wrong with the blocks of an answer that was to be one block of code."""
    if len(blocks) > 1:
        return [f"the answer has {len(blocks)} code blocks, and one was asked for"]
    findings = ["truncated: the code block does not end" for block in blocks if not block.closed]
    return findings + [problem for block in blocks if (problem := problem_in(block.language, block.unindented))]
