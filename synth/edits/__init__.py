"""Edits of files that an answer carries, in the forms that coding tools ask for; applied in memory, never on disk.

The rules are those of aider 0.86 (https://aider.chat), which parses such answers leniently in some places and not at
all in others: what counts is the files that the tool in front of the gateway ends up with. Pure.
"""

from synth.edits.application import Applied, Edits, applied
from synth.edits.assembly import assembled, clash
from synth.edits.code import CodeBlock, code_block
from synth.edits.forms import EditForm, edit_form
from synth.edits.hunks import Hunk, Region
from synth.edits.workspace import Workspace, workspace

__all__ = [
    "Applied",
    "CodeBlock",
    "EditForm",
    "Edits",
    "Hunk",
    "Region",
    "Workspace",
    "applied",
    "assembled",
    "clash",
    "code_block",
    "edit_form",
    "workspace",
]
