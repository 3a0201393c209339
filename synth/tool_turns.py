"""Deciding whether a panel is asked in the middle of an agent's work with tools, by the messages alone. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from config.settings import Mixture
from runtime.frozen import frozen
from synth.request import ChatRequest, Message, answers_tool_call, text_of

# A panel is worth its price when the acting model is stuck. These limits tell normal work from a loop: agents do read a
# file twice, and one failing test is normal.
_SAME_CALLS = 3
_FAILURES_IN_A_ROW = 3
_SAME_FAILING_CALLS = 2
_MAX_STEPS = 12  # looked at, the latest ones
_MAX_MESSAGES = 64
_MAX_FAILURE_CHARS = 160
_MAX_RESULT_CHARS = 4000  # of a tool's result, half of them from its end

_DIGITS = re.compile(r"\d+")
_FAILURE = re.compile(
    r"Traceback \(most recent call last\)"
    r"|\b[1-9]\d* (?:failed|failures?|errors?)\b"
    r"|^(?:FAILED|FAIL|ERROR|fatal|npm ERR!)\b"
    r"|^\s*(?:Error|\w*(?:Error|Exception)): "
    r"|\bexit(?:ed)?(?: with)?(?: code| status)?[: =]+[1-9]"
    r"|\b(?:command not found|No such file or directory|Permission denied)\b",
    re.MULTILINE,
)


@frozen
class Step:
    """One tool call of the acting model, and whether its result is a failure, or None without a result yet.

    `failure` is the line of the result that says so, `result` the whole text.
    """

    name: str
    arguments: str
    has_failed: bool | None = None
    failure: str = ""
    result: str = ""

    def repeats(self, other: "Step") -> bool:
        """Whether it is the same call with the same result; of failures only their line counts, without numbers."""
        if (self.name, self.arguments, self.has_failed) != (other.name, other.arguments, other.has_failed):
            return False
        if self.has_failed:
            return _DIGITS.sub("", self.failure) == _DIGITS.sub("", other.failure)
        return self.result == other.result


def find_fan_out(request: ChatRequest, mixture: Mixture) -> tuple[bool, str]:
    """Return whether the panel is asked as far as tools are concerned, and why, "" if tools do not matter."""
    if request.steering.refuses_panel:
        return False, "mom.panel is false"
    fan_out = mixture.tools_fan_out
    if fan_out == "stuck" and (request.params.get("tools") or request.params.get("functions")):
        stuck = find_stuck(request.messages)
        return (True, f"stuck: {stuck}") if stuck else (False, "not stuck")
    if not answers_tool_call(request):
        return True, ""
    if fan_out == "every_turn":
        return True, "every turn"
    if fan_out == "every_n":
        n_turns = count_tool_turns(request.messages)
        return n_turns % (mixture.tools_every_n or 1) == 0, f"tool turn {n_turns}"
    return False, "tool turn"


def count_tool_turns(messages: Sequence[Message]) -> int:
    """Return how often the acting model has called tools since the user's last turn."""
    return sum(1 for message in since_last_turn(messages) if _list_calls(message))


def find_stuck(messages: Sequence[Message]) -> str:
    """Return how an agent's work is stuck since the user's last turn, "" if it is not."""
    steps = read_steps(messages, _MAX_STEPS)
    if not steps:
        return ""
    # Running the tests again after each change is the normal course of work, although it is one call with the same
    # arguments. So a call is only repeated if its result is the same as well: nothing has moved in between.
    last = steps[-1]
    same = [step for step in steps if step.repeats(last)]
    if len(same) >= _SAME_CALLS or (len(steps) > 1 and steps[-2] in same and not last.has_failed):
        return f"the same call {len(same)} times: {last.name}"
    if sum(step.has_failed is True for step in same) >= _SAME_FAILING_CALLS:
        return f"the same failing call again: {last.name}"
    known = [step.has_failed for step in steps if step.has_failed is not None]
    if len(known) >= _FAILURES_IN_A_ROW and all(known[-_FAILURES_IN_A_ROW:]):
        return f"{_FAILURES_IN_A_ROW} failures in a row"
    runs = [step.has_failed for step in steps if (step.name, step.arguments) == (last.name, last.arguments)]
    if len(runs) >= _FAILURES_IN_A_ROW and all(runs[-_FAILURES_IN_A_ROW:]):
        return f"{_FAILURES_IN_A_ROW} failing runs in a row: {last.name}"
    return ""


def read_steps(messages: Sequence[Message], limit: int = _MAX_MESSAGES) -> list[Step]:
    """Return the latest tool calls since the user's last turn, in order, each with the outcome of its result."""
    recent = since_last_turn(messages)[-_MAX_MESSAGES:]
    calls = [call for message in recent for call in _list_calls(message)][-limit:]
    results = {
        str(message.get("tool_call_id") or message.get("name")): message
        for message in recent
        if message.get("role") in ("tool", "function")
    }
    return [_read_step(name, arguments, results.get(key)) for key, name, arguments in calls]


def _read_step(name: str, arguments: str, result: Message | None) -> Step:
    if result is None:
        return Step(name, arguments)
    text = text_of(result.get("content"))
    failure = find_failure(text)
    return Step(name, arguments, bool(failure), failure, text)


def find_failure(result: str) -> str:
    """Return the line by which a tool's result reads as an error or as failing tests, "" if it does not.

    The beginning and the end of a long result are looked at.
    """
    half = _MAX_RESULT_CHARS // 2
    shown = result if len(result) <= _MAX_RESULT_CHARS else f"{result[:half]}\n{result[-half:]}"
    found = _FAILURE.search(shown)
    if found is None:
        return ""
    end = shown.find("\n", found.end())
    line = shown[shown.rfind("\n", 0, found.start()) + 1 : end if end >= 0 else len(shown)]
    return line.strip()[:_MAX_FAILURE_CHARS] or "failed"


def since_last_turn(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages after the user's last turn; a reminder that an agent adds behind a result is no turn."""
    for position in range(len(messages) - 1, -1, -1):
        before = messages[position - 1].get("role") if position else None
        if messages[position].get("role") == "user" and before not in ("tool", "function"):
            return messages[position + 1 :]
    return messages


def _list_calls(message: Message) -> list[tuple[str, str, str]]:
    """Return the id, the name and the arguments of each call of a message; arguments in one spelling."""
    calls = message.get("tool_calls")
    listed = [
        (str(call.get("id")), *_read_function(call.get("function") or call.get("custom") or {}))
        for call in (calls if isinstance(calls, list) else ())
        if isinstance(call, dict)
    ]
    function = message.get("function_call")
    return [*listed, (str(function.get("name")), *_read_function(function))] if isinstance(function, dict) else listed


def _read_function(function: Mapping[str, Any]) -> tuple[str, str]:
    arguments = str(function.get("arguments") or function.get("input") or "")
    try:
        arguments = json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return str(function.get("name")), arguments  # free text, or JSON that is broken: compared as it is
    return str(function.get("name")), arguments
