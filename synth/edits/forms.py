"""Detect the edit form that a request demands, by the marks in its instructions. Pure."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice

from synth.edits.fences import FENCES, Fence
from synth.request import Message, text_of

_MAX_ACKNOWLEDGEMENT_CHARS = 40

_SEARCH_REPLACE = (
    re.compile(r"<{5,9} SEARCH\b"),
    re.compile(r"(?<!=)={5,9}(?!=)"),
    re.compile(r">{5,9} REPLACE\b"),
)
_PATCH = (
    re.compile(r"\*\*\* Begin Patch\b"),
    re.compile(r"\*\*\* End Patch\b"),
    re.compile(r"\*\*\* (?:\[?\w+\]?) File:"),
)
_UNIFIED_DIFF = (
    re.compile(r"@@ \.\.\. @@|\bdiff -U0\b"),
    re.compile(r"(?<![\w-])--- \S"),
    re.compile(r"(?<![\w+])\+\+\+ \S"),
)
_WHOLE = re.compile(r"\bfile listing\b|\b(?:entire|whole|full|complete)\s+(?:file\s+)?contents?\b")
_PATH_LINE = re.compile(r"[\w./-]+\.\w+")
_BY_OPENING = {fence.opening: fence for fence in FENCES}
# Agents whose edits are arguments of a tool call that is written in prose: their parsers need other text around it.
_TOOL_CALL_MARKUP = re.compile(r"</(?:diff|path|content|apply_diff|replace_in_file)>|\bapply_patch\b")

_WORD = r"(?:(?!of\b|about\b|on\b|from\b|for\b)[\w'-]+\s+)"
_WRITE = r"\b(?:reply|respond|answer|return|output|produce|provide|write|give|send)\s+"
_ONE_CODE_BLOCK = re.compile(
    rf"{_WRITE}{_WORD}{{0,5}}?(?:only|just|nothing but|a single|exactly one|one)\s+{_WORD}{{0,3}}?"
    r"code[ -]?block\b(?!\s+(?:below|above|that|which))"
)
_CODE_BLOCK = re.compile(r"code[ -]?block\b")
_MAX_INSTRUCTION_CHARS = 100_000  # real instructions are far shorter; the rest is not read
_MAX_WISHES = 100
_WISH_CHARS = 300  # a request for a code block is one sentence: nothing further away belongs to it


class EditForm(StrEnum):
    """The forms in which an answer may carry code that the gateway can check."""

    EDIT_BLOCKS = "edit_blocks"
    UDIFF = "udiff"
    WHOLE_FILE = "whole_file"
    PATCH = "patch"
    CODE = "code"


def detect_edit_form(messages: Sequence[Message]) -> EditForm | None:
    """Return the form that the answer must keep, or None if the request asks for no edit.

    Only instructions count, never what a user talks about: system and developer messages, and a first user message that
    the assistant merely acknowledged (this is how tools instruct models without a system role). The one exception is
    the request for a single code block, which may stand in the last message.
    """
    instructions = _list_texts(messages, "system", "developer")
    rules = [*instructions, *_find_acknowledged(messages)]
    if rules:
        text = "\n".join(rules)[:_MAX_INSTRUCTION_CHARS]
        form = _detect_shown_form(text)
        if form is not None and not _TOOL_CALL_MARKUP.search(text):
            return form
    wishes = "\n".join([*instructions, *_list_texts(messages[-1:], "user")])
    return EditForm.CODE if _asks_for_one_code_block(wishes) else None


def _detect_shown_form(instructions: str) -> EditForm | None:
    for form, literal, marks in (
        (EditForm.EDIT_BLOCKS, "SEARCH", _SEARCH_REPLACE),
        (EditForm.PATCH, "Begin Patch", _PATCH),
        (EditForm.UDIFF, "+++ ", _UNIFIED_DIFF),
    ):
        if literal in instructions and all(
            mark.search(instructions) for mark in marks
        ):  # cheap for most prompts, which lack the literal
            return form
    return EditForm.WHOLE_FILE if _shows_file_listing(instructions) else None


def _asks_for_one_code_block(text: str) -> bool:
    """Whether the text asks for a single code block. The pattern is slow, so it sees only what surrounds the words."""
    if len(text) > 2 * _MAX_INSTRUCTION_CHARS:  # the wish stands before or after a long quotation
        text = text[:_MAX_INSTRUCTION_CHARS] + text[-_MAX_INSTRUCTION_CHARS:]
    if "lock" not in text and "LOCK" not in text:  # as in "Block" and "block"; cheaper than lower()
        return False
    lowered = text.lower()
    around = (
        (max(0, found.start() - _WISH_CHARS), found.end() + 20)
        for found in islice(_CODE_BLOCK.finditer(lowered), _MAX_WISHES)
    )
    return any(_ONE_CODE_BLOCK.search(lowered, start, end) for start, end in around)


def _list_texts(messages: Sequence[Message], *roles: str) -> list[str]:
    return [text_of(message.get("content")) for message in messages if message.get("role") in roles]


def _find_acknowledged(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the first message if it is the user's and the assistant merely acknowledged it."""
    if [message.get("role") for message in messages[:2]] == ["user", "assistant"]:
        instructions, reply = (text_of(message.get("content")) for message in messages[:2])
        if len(reply) <= _MAX_ACKNOWLEDGEMENT_CHARS and "\n" not in reply.strip():
            yield instructions


def _shows_file_listing(instructions: str) -> bool:
    """Whether the instructions ask for whole files with an example: a path, a fence, and dots for the content."""
    plain = instructions.lower().replace("*", "")
    if not ("content" in plain or "file listing" in plain) or not _WHOLE.search(plain):
        return False
    return _shows_example(instructions.split("\n"))


def _shows_example(lines: Sequence[str]) -> bool:
    """Whether a path above a fenced block with dots stands in the lines."""
    # One pass from the end: for each kind of fence, the nearest line below that closes it, and the nearest with dots.
    # Looking for the end of each example from its beginning would take quadratic time for examples without an end.
    closed_at: dict[Fence, int] = {}
    dots_at = len(lines)
    for position in range(len(lines) - 1, 0, -1):
        line = lines[position]
        fence = _BY_OPENING.get(line)
        if fence is not None and dots_at < closed_at.get(fence, 0) and _PATH_LINE.fullmatch(lines[position - 1]):
            return True
        if "..." in line:
            dots_at = position
        for each in FENCES if line.startswith(("`", "<")) else ():
            if line.startswith(each.closing):
                is_bare = not line[len(each.closing) :].strip(" \t")
                closed_at[each] = position if is_bare else 0
    return False
