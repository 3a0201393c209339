"""Conversations in the shape of a coding tool's, in our own words."""

from collections.abc import Mapping
from typing import Any

from synth.edits import EditForm

INSTRUCTIONS = {
    EditForm.EDIT_BLOCKS: """Edit the user's files. Each change is one block:
the path of the file, a fence, then <<<<<<< SEARCH
lines as they are, then =======
lines as they shall be, then >>>>>>> REPLACE
and the end of the fence.""",
    EditForm.UDIFF: """Write diffs, as a tool would. Name the file in `--- old/path` and `+++ new/path`.
Begin each hunk with `@@ ... @@`, without numbers.""",
    EditForm.WHOLE_FILE: """Send back the entire content of every file that changes, as a *file listing*:

some/folder/name.ext
```
... everything that the file shall hold ...
```
""",
    EditForm.PATCH: """Answer with a patch from `*** Begin Patch` to `*** End Patch`.
Mark each file with `*** [ACTION] File: its/path`.""",
}

Message = dict[str, Any]


def message(role: str, content: Any) -> Message:
    return {"role": role, "content": content}


def listings(files: Mapping[str, str], fence: tuple[str, str] = ("```", "```")) -> str:
    """Show files the way that a coding tool does."""
    return "".join(f"\n{path}\n{fence[0]}\n{text}{fence[1]}\n" for path, text in files.items())


def shown(files: Mapping[str, str], fence: tuple[str, str] = ("```", "```"), intro: str = "My files:") -> list[Message]:
    """Return the two turns in which files are shown and acknowledged."""
    return [message("user", f"{intro}\n{listings(files, fence)}"), message("assistant", "Thanks, got them.")]


def conversation(form: EditForm, files: Mapping[str, str], wish: str = "Make it better.") -> list[Message]:
    """Return a request for an edit, with the instructions repeated below the wish, as coding tools do."""
    rules = INSTRUCTIONS[form]
    return [message("system", rules), *shown(files), message("user", f"{wish}\n\n{rules}")]


def block(path: str, search: str, replace: str, fence: tuple[str, str] = ("```python", "```")) -> str:
    """Return a SEARCH/REPLACE block."""
    return f"{path}\n{fence[0]}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n{fence[1]}\n"
