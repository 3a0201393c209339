"""A scripted session of a coding agent, as the requests that the agent sends, and as items of a suite. Pure."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from eval.items import Item
from runtime.sandbox.programs import Program
from synth.request import Message

SUITE = "tools"
_SCRIPT = Path(__file__).with_name("session.toml")
_N_RULES = 80  # 14 KB of system prompt
_TOOLS = {
    "list_files": ("path",),
    "read_file": ("path",),
    "search": ("pattern", "path"),
    "run": ("command",),
    "edit_file": ("path", "search", "replace"),
    "write_file": ("path", "content"),
    "fetch": ("url",),
    "ask_user": ("question",),
}
_MECHANICAL = frozenset({"list_files", "read_file", "search", "run"})
_OTHER_WORDS = {"say": "I would do this in another way.", "arguments": {"path": "billing/invoice.py", "text": "..."}}
_USE = (
    "Paths are relative to the root of the repository. Use this tool whenever it is the shortest way to what you need "
    "to know, and never to show the user something. Its result is text; a long one is cut in the middle, and says so. "
    "A failure is reported as a line that begins with Error."
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of the agent: the conversation so far, and the message with which its model replies.

    `alternative` is the reply that other models would give without tools: the same for steps that are mechanical
    (reading, searching, running), another one for edits and words.
    """

    messages: Sequence[Message]
    reply: Message
    alternative: Message


def items() -> list[Item]:
    """Return the turns that end in a call, as items: right is the call of the script, with its path or its command."""
    turns = [turn for turn in read_turns() if "tool_calls" in turn.reply]
    return [
        Item(SUITE, f"turn-{number}", turn.messages, partial(_grade, turn.reply["tool_calls"][0]), tools=list_tools())
        for number, turn in enumerate(turns, start=1)
    ]


def _grade(expected: Mapping[str, Any], text: str) -> Program:
    """Return a program that runs to its end if the last line of a reply is the expected call."""
    _, _, line = text.rpartition("\n")
    return Program({"main.py": f"assert {_find_subject(expected['function']) == _read_subject(line)}\n"}, "main.py")


def _read_subject(line: str) -> tuple[Any, ...]:
    try:
        call = json.loads(line)
        return _find_subject(call) if isinstance(call, dict) else ()
    except ValueError:
        return ()


def _find_subject(function: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the subject of a call: the tool, and its path or else its command."""
    arguments = function.get("arguments")
    stated = json.loads(arguments) if isinstance(arguments, str) else arguments
    stated = stated if isinstance(stated, dict) else {}
    return function.get("name"), stated.get("path", stated.get("command"))


def list_tools() -> list[dict[str, Any]]:
    """Return the tools that the agent offers, in the form of Chat Completions."""
    return [
        {"type": "function", "function": {"name": name, "description": _describe(name), "parameters": _schema(fields)}}
        for name, fields in _TOOLS.items()
    ]


def read_turns(*, as_text: bool = False) -> list[Turn]:
    """Return the turns of the session in order; each conversation begins with the one before.

    With `as_text` the agent offers no tools: its model writes calls as code, and the user's messages bring results.
    """
    script = tomllib.loads(_SCRIPT.read_text(encoding="utf-8"))["turn"]
    messages: list[Message] = [{"role": "system", "content": _write_rules()}]
    turns: list[Turn] = []
    for number, entry in enumerate(script):
        if "user" in entry:
            messages.append({"role": "user", "content": entry["user"].strip()})
        reply = _write_words(entry) if as_text else _write_reply(entry, f"call_{number}")
        is_mechanical = entry.get("tool") in _MECHANICAL
        turns.append(Turn(tuple(messages), reply, reply if is_mechanical else _write_words({**entry, **_OTHER_WORDS})))
        messages.append(reply)
        if "tool" in entry:
            result = _write_result(entry)
            messages.append(
                {"role": "user", "content": f"Result of {entry['tool']}:\n{result}"}
                if as_text
                else {"role": "tool", "tool_call_id": f"call_{number}", "content": result}
            )
    return turns


def _write_words(entry: Mapping[str, Any]) -> Message:
    arguments = ", ".join(f"{name}={value!r}" for name, value in entry.get("arguments", {}).items())
    call = f"```python\n{entry['tool']}({arguments})\n```" if "tool" in entry else ""
    return {"role": "assistant", "content": f"{entry.get('say', '').strip()}\n\n{call}".strip()}


def _write_reply(entry: Mapping[str, Any], identity: str) -> Message:
    said = entry.get("say", "").strip() or None
    if "tool" not in entry:
        return {"role": "assistant", "content": said}
    function = {"name": entry["tool"], "arguments": json.dumps(entry["arguments"])}
    return {
        "role": "assistant",
        "content": said,
        "tool_calls": [{"id": identity, "type": "function", "function": function}],
    }


def _write_result(entry: Mapping[str, Any]) -> str:
    return _write_source(entry["arguments"]["path"], entry["lines"]) if "lines" in entry else entry["result"].strip()


def _write_source(path: str, n_lines: int) -> str:
    """Return a Python file of `n_lines` lines, always the same for a path."""
    stem = Path(path).stem
    functions = "\n\n".join(
        f"def {stem}_{number}(amount: Decimal, rate: Decimal = Decimal({number})) -> Decimal:\n"
        f'    """Return the amount of {stem} by rule {number}; the caller has checked both."""\n'
        f"    return quantize(amount * rate / Decimal(100 + {number}))\n"
        for number in range(n_lines // 5 + 1)
    )
    lines = f"from decimal import Decimal\n\nfrom billing.money import quantize\n\n\n{functions}".split("\n")
    return "\n".join(lines[:n_lines])


def _write_rules() -> str:
    rules = "\n".join(
        f"{number}. When you change a file, look at what uses it first (rule {number} of the house: small steps, each "
        "of them tested), keep its style, and say in one sentence what you did and why."
        for number in range(1, _N_RULES + 1)
    )
    return f"You are a coding agent. You work in the user's repository by means of tools.\n\n{rules}"


def _describe(name: str) -> str:
    return f"{name.replace('_', ' ').capitalize()} in the user's repository. {_USE}"


def _schema(fields: Sequence[str]) -> dict[str, Any]:
    properties = {field: {"type": "string", "description": f"The {field}; required."} for field in fields}
    return {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}
