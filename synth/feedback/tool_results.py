"""Read the results of an agent's tool calls: was the call valid, did the edit apply, did the tests pass? Pure.

The forms are those of real agents: Claude Code, opencode, Cline, Codex. A call that a user or a permission prevented
is no verdict on the model, and neither is a command's exit status: a search without a match fails as well.
"""

import re
from collections.abc import Mapping
from typing import Any

from runtime.json_codec import decode
from synth.feedback.program_output import HEAD_CHARS, TAIL_CHARS, read_output
from synth.feedback.verdict import Reading, Signal, Verdict

_HEAD_CHARS = 600
_MAX_JSON_CHARS = 50_000
_PATCH_CHARS = 200  # Codex applies patches by a command that begins with its name

_EDITS = re.compile(r"edit|write|replace|patch|insert|create_?file|update_?file", re.IGNORECASE)
_NO_FILES = re.compile(r"todo|memory|plan|task", re.IGNORECASE)
_COMMANDS = re.compile(r"bash|shell|command|terminal|exec|^run", re.IGNORECASE)
_READERS = re.compile(r"\s{0,9}(?:cat|head|tail|less|sed|awk|grep|rg|find|ls|git|curl|echo|printf)\b")
_PREVENTED = re.compile(
    r"requires approval|permission|denied|rejected by|user (?:doesn't|does not|rejected|declined)|interrupted"
    r"|cancell?ed|has not been read yet|been modified since",
    re.IGNORECASE,
)
_INVALID = re.compile(
    r"""
      (?:Error:\ )?<tool_use_error>(?:InputValidationError|Error:\ No\ such\ tool)           # Claude Code
    | (?:Error:\ )?(?:InputValidationError|No\ such\ tool|Missing\ required\ parameter)
    | [Tt]he\ arguments\ provided\ to\ the\ tool\ are\ invalid                              # opencode
    | The\ [\w.-]{1,64}\ tool\ was\ called\ with\ invalid\ arguments
    | [^\n]{0,20}Invalid\ input:\ expected\                                                 # Cline
    | Tool\ call\ [\w.-]{1,64}\ was\ rejected\ before\ execution
    | unsupported\ call:\  | failed\ to\ parse\ function\ arguments:\                    # Codex
    """,
    re.VERBOSE,
)
_EDIT_FAILED = re.compile(
    r"""
    [^\n]{0,160}?
    (?: String\ to\ replace\ not\ found | Found\ \d+\ matches\ of\ the\ string              # Claude Code
      | Could\ not\ find\ oldString | multiple\ matches\ for\ oldString                     # opencode
      | No\ replacement\ performed | text\ not\ found\ in | does\ not\ match\ any\ content  # Cline
      | apply_patch\ verification\ failed                                                  # Codex
      | failed\ to\ (?:match|apply|find\ expected\ lines)                                   # others
      | old_str(?:ing)?`\ did\ not\ appear
    )
    """,
    re.VERBOSE,
)
_EDIT_APPLIED = re.compile(
    r"""
      [^\n]{0,400}?
      (?: (?:updated|applied|created|saved|written|wrote|edited)\ successfully
        | successfully\ (?:updated|applied|created|saved|wrote|edited)
        | has\ been\ (?:updated|edited|created)\b
      )
    | Success\.\ Updated\ the\ following\ files | (?:Edited|Wrote|Created)\ /
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CODEX_HEADER = re.compile(
    r"""
    (?: (?: (?: Chunk\ ID | Wall\ time | Exit\ code | Process\ exited | Original\ token\ count | Total\ output\ lines )
            \b[^\n]{0,60}\n
        ){1,6}
        Output:\n
    ){1,2}
    """,
    re.VERBOSE,
)
"""What Codex writes before the output of a command, and once more before that of its own `apply_patch`."""
_DIAGNOSTICS = "LSP errors detected in "
_ERROR = re.compile(r"Error\b|<tool_use_error>|File not found\b|\[?Tool error", re.IGNORECASE)


def is_edit(name: str, arguments: str) -> bool:
    """Whether a call of this tool changes files."""
    if _COMMANDS.search(name):
        return "apply_patch" in arguments[:_PATCH_CHARS]
    return _EDITS.search(name) is not None and _NO_FILES.search(name) is None


def read_result(name: str, arguments: str, text: str) -> tuple[Reading | None, bool]:
    """Return the verdict in a tool's result, and whether it is on the latest edit rather than on the call itself."""
    text, failed = _unpack(text)
    head = text[:_HEAD_CHARS].lstrip()
    if _PREVENTED.search(head) and (failed or _ERROR.match(head)):
        return None, False
    if _INVALID.match(head):
        return Reading(Verdict.WRONG, Signal.TOOL_ERROR), False
    if is_edit(name, arguments):
        return _read_edit(text, head, failed=failed), False
    if _COMMANDS.search(name):
        return _read_command(arguments, text), True
    return (Reading(Verdict.SEEMS_WRONG, Signal.TOOL_ERROR) if failed or _ERROR.match(head) else None), False


def _read_edit(text: str, head: str, *, failed: bool | None) -> Reading | None:
    if failed or _EDIT_FAILED.match(head) or _ERROR.match(head):
        return Reading(Verdict.WRONG, Signal.EDIT_FAILED)
    if _DIAGNOSTICS in text[:HEAD_CHARS]:
        return Reading(Verdict.WRONG, Signal.LINTER)
    return Reading(Verdict.SEEMS_RIGHT, Signal.EDIT_APPLIED) if failed is False or _EDIT_APPLIED.match(head) else None


def _read_command(arguments: str, text: str) -> Reading | None:
    """Return the verdict in the output of a command, or None if it only shows a file or a log."""
    if _READERS.match(_find_command(arguments)):
        return None
    passed = read_output(text)
    return None if passed is None else Reading(Verdict.RIGHT if passed else Verdict.WRONG, Signal.TESTS)


def _find_command(arguments: str) -> str:
    """Return the command in the arguments of a call, the last one of several; "" if it is unknown."""
    try:
        given = decode(arguments[:_MAX_JSON_CHARS])
    except (ValueError, RecursionError):
        return ""
    if not isinstance(given, dict):
        return ""
    command = given.get("command") or given.get("cmd") or given.get("commands")
    while isinstance(command, list) and command:
        command = command[-1]
    return command.rpartition("&&")[2] if isinstance(command, str) else ""


def _unpack(text: str) -> tuple[str, bool | None]:
    """Return the text of a result, and whether its tool says that it failed; Cline's are JSON, for each command one.

    Codex's header says no more than an exit status, and is dropped.
    """
    if (header := _CODEX_HEADER.match(text)) is not None:
        text = text[header.end() :]
    if text[:2] not in ('{"', "[{") or len(text) > _MAX_JSON_CHARS:
        return text, None
    try:
        given: Any = decode(text)
    except (ValueError, RecursionError):
        return text, None
    results = [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, dict)]
    outcomes = [_failed(each) for each in results]
    if not any(outcome is not None for outcome in outcomes):
        return text, None
    said = [str(each.get(key)) for each in results for key in ("error", "result") if isinstance(each.get(key), str)]
    return "\n".join(said)[-(HEAD_CHARS + TAIL_CHARS) :].lstrip(), any(outcomes)


def _failed(result: Mapping[str, Any]) -> bool | None:
    if isinstance(result.get("success"), bool):
        return not result["success"]
    return True if isinstance(result.get("error"), str) and set(result) <= {"error", "query"} else None
