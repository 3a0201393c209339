"""Find and check the fenced code blocks of an answer. Pure."""

import ast
import re
import textwrap
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from synth.edits.syntax import parse_python, syntax_error_in

_OPENING = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^`\n]*")
_PYTHON = {"python", "py", "python3"}
_MIN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block. `language` is the fence's own word in lower case, or ""; `closed` says whether the block ends."""

    language: str
    code: str
    closed: bool = True

    @property
    def outcome(self) -> Hashable:
        """Equal for two blocks whose Python differs only in layout and comments, or whose text is the same."""
        as_text = ("text", "\n".join(line.rstrip() for line in self.code.strip().splitlines()))
        if self.language not in _PYTHON:
            return as_text
        try:
            return ("python", ast.dump(parse_python(self.unindented)))
        except (SyntaxError, RecursionError):
            return as_text

    @property
    def unindented(self) -> str:
        """The code without the indentation that all lines share: models indent a function's body when they give it."""
        return textwrap.dedent(self.code)


def find_code_block(text: str) -> CodeBlock | None:
    """Return the code block of an answer that mostly consists of one, or None."""
    found = list(find_code_blocks(text))
    if len(found) != 1 or not found[0].closed:
        return None
    share = len("".join(found[0].code.split())) / max(1, len("".join(text.split())))
    return found[0] if share >= _MIN_SHARE else None


def find_code_blocks(text: str) -> Iterator[CodeBlock]:
    """Yield the fenced blocks of a Markdown text; the last one may be unclosed."""
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


def find_code_defects(blocks: list[CodeBlock]) -> list[str]:
    """Return the defects of an answer that should be exactly one code block."""
    if len(blocks) > 1:
        return [f"the answer has {len(blocks)} code blocks, and one was asked for"]
    findings = ["truncated: the code block does not end" for block in blocks if not block.closed]
    return findings + [problem for block in blocks if (problem := syntax_error_in(block.language, block.unindented))]
