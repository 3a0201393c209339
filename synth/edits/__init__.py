"""Parse and apply the file edits in an answer, in the forms that coding tools ask for. In memory, never on disk.

The rules are those of aider 0.86 (https://aider.chat), which is lenient in some places and strict in others. They are
followed exactly, because an edit is right if the tool in front of the gateway ends up with the right files. Pure.
"""

from synth.edits.application import AppliedEdits, EditStatus, apply_edits, try_edits
from synth.edits.assembly import assemble_hunks, assemble_picks, find_conflict
from synth.edits.code import CodeBlock, find_code_block
from synth.edits.forms import EditForm, detect_edit_form
from synth.edits.hunks import Hunk, Region
from synth.edits.workspace import Workspace, read_workspace

__all__ = [
    "AppliedEdits",
    "CodeBlock",
    "EditForm",
    "EditStatus",
    "Hunk",
    "Region",
    "Workspace",
    "apply_edits",
    "assemble_hunks",
    "assemble_picks",
    "detect_edit_form",
    "find_code_block",
    "find_conflict",
    "read_workspace",
    "try_edits",
]
