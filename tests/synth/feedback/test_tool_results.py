"""Reading the results of tool calls, in the forms of real agents."""

import json

import pytest

from synth.feedback.tool_results import is_edit, read_result
from synth.feedback.verdict import Signal, Verdict
from tests.work_limit import limit_work

NOT_FOUND = "Could not find oldString in the file. It must match exactly, including whitespace."
UNKNOWN = "Model tried to call unavailable tool 'nosuch'. Available tools: bash, edit."
PYTEST = json.dumps({"command": "pytest -q"})


CODEX = (
    "Chunk ID: 5b3dc0\nWall time: 0.0000 seconds\nProcess exited with code {code}\nOriginal token count: 9\nOutput:\n"
)
CODEX_PATCH = "Wall time: 0.0000 seconds\nOutput:\nExit code: 0\nWall time: 0 seconds\nOutput:\n"
APPLY = json.dumps({"cmd": "apply_patch <<'EOF'\n*** Begin Patch"})


def cline(**fields: object) -> str:
    return json.dumps({"query": "edit:/x/a.py", "result": "", **fields})


@pytest.mark.parametrize(
    ("name", "text", "verdict", "signal"),
    [
        (
            "Edit",
            "Error: <tool_use_error>String to replace not found in file.\nString: x</tool_use_error>",
            4,
            "EDIT_FAILED",
        ),
        ("edit", NOT_FOUND, 4, "EDIT_FAILED"),
        ("editor", cline(error="Editor operation failed: No replacement performed", success=False), 4, "EDIT_FAILED"),
        ("Edit", "The file /x/a.py has been updated successfully. (file state is current)", 1, "EDIT_APPLIED"),
        ("Write", "File created successfully at: /x/a.py", 1, "EDIT_APPLIED"),
        ("edit", "Edit applied successfully.", 1, "EDIT_APPLIED"),
        ("editor", cline(result="Edited /x/a.py\n```diff\n-1: a\n+1: b\n```", success=True), 1, "EDIT_APPLIED"),
        (
            "edit",
            "Edit applied successfully.\n\nLSP errors detected in this file, please fix:\nERROR [2:1]",
            4,
            "LINTER",
        ),
        ("Edit", "Error: <tool_use_error>InputValidationError: Edit failed due to", 4, "TOOL_ERROR"),
        ("nosuch", "Error: <tool_use_error>Error: No such tool available: nosuch</tool_use_error>", 4, "TOOL_ERROR"),
        ("edit", "The edit tool was called with invalid arguments: SchemaError(Missing key", 4, "TOOL_ERROR"),
        ("invalid", f"The arguments provided to the tool are invalid: {UNKNOWN}", 4, "TOOL_ERROR"),
        ("editor", json.dumps({"error": "\u2716 Invalid input: expected string, received undefined"}), 4, "TOOL_ERROR"),
        (
            "nosuch",
            json.dumps({"error": f"Tool call nosuch was rejected before execution: {UNKNOWN}"}),
            4,
            "TOOL_ERROR",
        ),
        ("read", "File not found: /x/b.py", 2, "TOOL_ERROR"),
        (
            "read_files",
            json.dumps([{"query": "/x", "result": "", "error": "ENOENT", "success": False}]),
            2,
            "TOOL_ERROR",
        ),
    ],
)
def test_results_of_agents(name: str, text: str, verdict: int, signal: str) -> None:
    """Edits that fail or apply, invalid calls and unknown tools are told apart, about the call itself."""
    reading, is_about_edit = read_result(name, "{}", text)
    assert reading is not None
    assert (reading.verdict, reading.signal, is_about_edit) == (Verdict(verdict), Signal[signal], False)


@pytest.mark.parametrize(
    ("text", "verdict", "signal"),
    [
        (f"{CODEX_PATCH}Success. Updated the following files:\nM a.py\n", 1, "EDIT_APPLIED"),
        ("apply_patch verification failed: Failed to find expected lines in /x/a.py:\n    x", 4, "EDIT_FAILED"),
        ("unsupported call: apply_patch", 4, "TOOL_ERROR"),
        ("failed to parse function arguments: missing field `cmd` at line 1 column 17", 4, "TOOL_ERROR"),
    ],
)
def test_patches_of_codex(text: str, verdict: int, signal: str) -> None:
    """Codex applies a patch that a command begins with, and writes its header before the outcome."""
    reading, is_about_edit = read_result("exec_command", APPLY, text)
    assert reading is not None
    assert (reading.verdict, reading.signal, is_about_edit) == (Verdict(verdict), Signal[signal], False)


@pytest.mark.parametrize(
    ("name", "arguments", "text", "verdict"),
    [
        ("exec_command", PYTEST, f"{CODEX.format(code=0)}Ran 1 test in 0.000s\n\nOK\n", Verdict.RIGHT),
        ("bash", PYTEST, "F\n1 failed in 0.27s", Verdict.WRONG),
        ("Bash", json.dumps({"command": "cd /x && pytest"}), "....\n4 passed in 0.05s", Verdict.RIGHT),
        (
            "exec_command",
            json.dumps({"cmd": "cargo test"}),
            "Process exited with code 101\nOutput:\ntest result: FAILED. 1",
            4,
        ),
        (
            "run_commands",
            json.dumps({"commands": ["pytest"]}),
            json.dumps(
                [{"query": "pytest", "result": "[Command exited with code 1]\n1 failed in 0.2s\n", "success": False}]
            ),
            4,
        ),
    ],
)
def test_results_of_tests(name: str, arguments: str, text: str, verdict: int) -> None:
    """The output of a test run or a compiler is about the latest edit, not about the call that ran it."""
    reading, is_about_edit = read_result(name, arguments, text)
    assert reading is not None
    assert (reading.verdict, reading.signal, is_about_edit) == (verdict, Signal.TESTS, True)


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("Bash", PYTEST, "Error: This command requires approval"),
        ("Edit", "{}", "Error: The user doesn't want to proceed with this tool use. The tool use was rejected"),
        ("Edit", "{}", "Error: <tool_use_error>File has not been read yet. Read it first before writing to it."),
        ("bash", json.dumps({"command": "false"}), "(no output)"),
        (
            "run_commands",
            '{"commands": ["false"]}',
            json.dumps(
                [
                    {
                        "query": "false",
                        "result": "[Command exited with code 1]",
                        "error": "Command exited with code 1",
                        "success": False,
                    }
                ]
            ),
        ),
        ("bash", json.dumps({"command": "cat build.log"}), "1 failed in 0.27s"),
        ("bash", json.dumps({"command": "cd /x && grep -r failed ."}), "4 passed in 0.05s"),
        ("read", "{}", "1: 1 failed in 0.2s"),
        ("read", "{}", "<path>/x/errors.py</path>\nclass Error"),
        ("get_weather", "{}", "21 degrees"),
        ("get_weather", "{}", json.dumps({"error": "none", "degrees": 21})),
        ("edit", "{}", ""),
        ("TodoWrite", "{}", "Todos have been modified successfully"),
        ("exec_command", APPLY, f"{CODEX_PATCH}"),
        ("exec_command", PYTEST, f"{CODEX.format(code=1)}/usr/bin/python3: No module named pytest\n"),
    ],
)
def test_other_results_are_no_signal(name: str, arguments: str, text: str) -> None:
    """Permissions, exit codes, shown files and logs, and results of unknown form say nothing."""
    assert read_result(name, arguments, text)[0] is None


def test_which_calls_change_files() -> None:
    """Tools that edit files, and Codex's patches by a command; notes and plain commands do not."""
    edits = ["Edit", "write", "editor", "str_replace_based_edit_tool", "apply_patch", "MultiEdit", "replace_in_file"]
    assert all(is_edit(name, "{}") for name in edits)
    assert is_edit("shell", '{"command": ["apply_patch", "*** Begin Patch"]}')
    assert not any(
        is_edit(name, "{}") for name in ["TodoWrite", "bash", "read", "execute_command", "memory_write", "glob"]
    )


@pytest.mark.parametrize(
    "text", ["[{" * 20_000, '{"error": "' + "x" * 300_000, "Error: " * 50_000, "[" * 200_000, CODEX_PATCH * 5_000]
)
def test_hostile_results_are_linear(text: str) -> None:
    """Broken JSON and long repetitions take no more than any other text."""
    with limit_work():
        for name in ("edit", "bash", "read"):
            read_result(name, text, text)
