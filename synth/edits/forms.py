"""Which edit form a request demands, told by marks in its instructions. Pure."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum

from synth.edits.fences import FENCES
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
_LISTING_EXAMPLES = tuple(
    re.compile(
        rf"^[\w./-]+\.\w+\n{opening}\n(?P<body>(?:(?!{closing}).*\n)+?){closing}[ \t]*$",
        re.MULTILINE,
    )
    for opening, closing in FENCES
)
# Agents that send edits as arguments of a tool call written in prose: their parsers want something else around it.
_TOOL_CALL_MARKUP = re.compile(r"</(?:diff|path|content|apply_diff|replace_in_file)>|\bapply_patch\b")

_WORD = r"(?:(?!of\b|about\b|on\b|from\b|for\b)[\w'-]+\s+)"
_WRITE = r"\b(?:reply|respond|answer|return|output|produce|provide|write|give|send)\s+"
_ONE_CODE_BLOCK = re.compile(
    rf"{_WRITE}{_WORD}{{0,5}}?(?:only|just|nothing but|a single|exactly one|one)\s+{_WORD}{{0,3}}?"
    r"code[ -]?block\b(?!\s+(?:below|above|that|which))"
)
_CODE_BLOCK = re.compile(r"code[ -]?block\b")
_WISH_CHARS = 300  # a wish for a code block is one sentence: nothing further away belongs to it


class EditForm(StrEnum):
    """The forms in which an answer may carry code that the gateway can check."""

    EDIT_BLOCKS = "edit_blocks"
    UDIFF = "udiff"
    WHOLE_FILE = "whole_file"
    PATCH = "patch"
    CODE = "code"


def edit_form(messages: Sequence[Message]) -> EditForm | None:
    """Return the form that the answer must keep, None where no edit is asked for.

    Only instructions count, never what a user talks about: system and developer messages, and where there is none, a
    first user message that the assistant did no more than acknowledge (so instruct tools models without a system
    role). The one exception is the wish for a single code block, which may stand in the last message.
    """
    told = _texts(messages, "system", "developer")
    shown = [*told, *_acknowledged(messages)]
    if shown:
        instructions = "\n".join(shown)
        form = _shown_form(instructions)
        if form is not None and not _TOOL_CALL_MARKUP.search(instructions):
            return form
    wishes = "\n".join([*told, *_texts(messages[-1:], "user")])
    return EditForm.CODE if _wishes_one_code_block(wishes) else None


def _shown_form(instructions: str) -> EditForm | None:
    for form, literal, marks in (
        (EditForm.EDIT_BLOCKS, "SEARCH", _SEARCH_REPLACE),
        (EditForm.PATCH, "Begin Patch", _PATCH),
        (EditForm.UDIFF, "+++ ", _UNIFIED_DIFF),
    ):
        if literal in instructions and all(mark.search(instructions) for mark in marks):  # most hold no literal
            return form
    return EditForm.WHOLE_FILE if _shows_file_listing(instructions) else None


def _wishes_one_code_block(text: str) -> bool:
    """Whether a single code block is asked for; the pattern is dear, so it sees only what surrounds the words."""
    if "lock" not in text and "LOCK" not in text:  # which is all of Block and block, and cheaper than lower()
        return False
    lowered = text.lower()
    around = ((max(0, found.start() - _WISH_CHARS), found.end() + 20) for found in _CODE_BLOCK.finditer(lowered))
    return any(_ONE_CODE_BLOCK.search(lowered, start, end) for start, end in around)


def _texts(messages: Sequence[Message], *roles: str) -> list[str]:
    return [text_of(message.get("content")) for message in messages if message.get("role") in roles]


def _acknowledged(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the first message if it is the user's, and the assistant had nothing to say to it."""
    if [message.get("role") for message in messages[:2]] == ["user", "assistant"]:
        instructions, reply = (text_of(message.get("content")) for message in messages[:2])
        if len(reply) <= _MAX_ACKNOWLEDGEMENT_CHARS and "\n" not in reply.strip():
            yield instructions


def _shows_file_listing(instructions: str) -> bool:
    """Whether whole files are asked for, with an example: a path, a fence, and dots where the content would be."""
    plain = instructions.lower().replace("*", "")
    if not ("content" in plain or "file listing" in plain) or not _WHOLE.search(plain):
        return False
    examples = (match for pattern in _LISTING_EXAMPLES for match in pattern.finditer(instructions))
    return any("..." in example["body"] for example in examples)
