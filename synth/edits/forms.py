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
_WHOLE = re.compile(r"\bfile listing\b|\b(?:entire|whole|full|complete)\s+(?:file\s+)?contents?\b", re.IGNORECASE)
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
    r"code[ -]?block\b(?!\s+(?:below|above|that|which))",
    re.IGNORECASE,
)


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
    told = "\n".join(_texts(messages, "system", "developer"))
    instructions = "\n".join([told, *_acknowledged(messages)])
    if not _TOOL_CALL_MARKUP.search(instructions):
        for form, marks in (
            (EditForm.EDIT_BLOCKS, _SEARCH_REPLACE),
            (EditForm.PATCH, _PATCH),
            (EditForm.UDIFF, _UNIFIED_DIFF),
        ):
            if all(mark.search(instructions) for mark in marks):
                return form
        if _shows_file_listing(instructions):
            return EditForm.WHOLE_FILE
    wishes = "\n".join([told, *_texts(messages[-1:], "user")])
    return EditForm.CODE if _ONE_CODE_BLOCK.search(wishes) else None


def _texts(messages: Sequence[Message], *roles: str) -> Iterator[str]:
    return (text_of(message.get("content")) for message in messages if message.get("role") in roles)


def _acknowledged(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the first message if it is the user's, and the assistant had nothing to say to it."""
    if [message.get("role") for message in messages[:2]] == ["user", "assistant"]:
        instructions, reply = (text_of(message.get("content")) for message in messages[:2])
        if len(reply) <= _MAX_ACKNOWLEDGEMENT_CHARS and "\n" not in reply.strip():
            yield instructions


def _shows_file_listing(instructions: str) -> bool:
    """Whether whole files are asked for, with an example: a path, a fence, and dots where the content would be."""
    if not _WHOLE.search(instructions.replace("*", "")):
        return False
    examples = (match for pattern in _LISTING_EXAMPLES for match in pattern.finditer(instructions))
    return any("..." in example["body"] for example in examples)
