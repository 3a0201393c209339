"""Deciding whether a panel is asked in the middle of an agent's work with tools."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Critic, Mixture, Proposer
from synth.request import ChatRequest
from synth.tool_turns import count_tool_turns, find_failure, find_fan_out, find_stuck

Messages = list[dict[str, Any]]
USER = {"role": "user", "content": "Fix the bug."}
TOOLS = [{"type": "function", "function": {"name": "run"}}]
FAILED = "1 failed, 3 passed in 0.2s"


def step(number: int, name: str = "run", result: str = "ok", **arguments: Any) -> Messages:
    """Return a call of a tool, and its result."""
    call = {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": result},
    ]


def work(*steps: Messages) -> Messages:
    return [USER, *(message for each in steps for message in each)]


def reason(messages: Messages, fan_out: Any, n: int = 1) -> tuple[bool, str]:
    mixture = Mixture("m", (Proposer("a"),), Critic("a"), tools_fan_out=fan_out, tools_every_n=n)
    return find_fan_out(ChatRequest(None, messages, {"tools": TOOLS}), mixture)


@pytest.mark.parametrize(
    ("messages", "stuck"),
    [
        (work(), ""),
        (work(step(1, path="a"), step(2, path="b"), step(3, path="c")), ""),
        (work(step(1, path="a"), step(2, path="b"), step(3, path="a")), ""),
        (work(step(1, path="a"), step(2, path="a")), "the same call 2 times: run"),
        (work(step(1, x=1), step(2, x=2), step(3, x=1), step(4, x=3), step(5, x=1)), "the same call 3 times: run"),
        (work(step(1, x=1, result=FAILED), step(2, "read"), step(3, x=1)), ""),
        (
            work(step(1, x=1, result=FAILED), step(2, "read"), step(3, x=1, result=FAILED)),
            "the same failing call again: run",
        ),
        (
            work(step(1, "edit", "Error: not found"), step(2, "edit", "Error: not found")),
            "the same failing call again: edit",
        ),
        (work(step(1, result="2 failed"), step(2, "edit"), step(3, result="FAILED b"), step(4, "edit", x=1)), ""),
        (
            work(
                step(1), step(2, "edit"), step(3, result="2 passed"), step(4, "edit", x=1), step(5, result="3 passed")
            ),
            "",
        ),
        (
            work(
                step(1, result="FAILED a"),
                step(2, "edit"),
                step(3, result="FAILED b"),
                step(4, "edit", x=1),
                step(5, result="FAILED c"),
            ),
            "3 failing runs in a row: run",
        ),
        (
            work(step(1, result="2 failed in 0.31s"), step(2, "edit"), step(3, result="2 failed in 0.29s")),
            "the same failing call again: run",
        ),
        (work(*[step(n, x=n, result=FAILED) for n in range(3)]), "3 failures in a row"),
        (work(*[step(n, x=n, result=FAILED) for n in range(3)], step(4, x=4)), ""),
        ([*work(*[step(n, x=n, result=FAILED) for n in range(3)]), {"role": "assistant", "content": "?"}, USER], ""),
    ],
)
def test_stuck_work_is_recognised(messages: Messages, stuck: str) -> None:
    """Calls that repeat a result, failures in a row, or of one call; not tests that are run again after each edit."""
    assert find_stuck(messages) == stuck


def test_calls_are_the_same_whatever_the_spelling_of_their_arguments() -> None:
    """White space and the order of keys do not matter."""
    one, two = step(1, a=1, b=2), step(2, b=2, a=1)
    assert find_stuck(work(one, two)) == "the same call 2 times: run"


@pytest.mark.parametrize(
    ("result", "has_failed"),
    [
        ("ok", False),
        ("12 passed, 0 failed", False),
        ("no errors found", False),
        ("the ErrorHandler class handles errors", False),
        ("Traceback (most recent call last):\n  File", True),
        (FAILED, True),
        ("ValueError: no", True),
        ("bash: foo: command not found", True),
        ("process exited with code 2", True),
        ("exit code: 0", False),
        ("x" * 10_000 + "\nFAILED tests/test_a.py", True),
    ],
)
def test_a_failure_is_read_from_a_tool_s_result(result: str, has_failed: bool) -> None:
    """By the output of shells, Python and test runners, at the beginning or the end of a long result."""
    assert bool(find_failure(result)) is has_failed


def test_the_line_that_shows_a_failure_is_found() -> None:
    """For the advisors of a panel."""
    assert find_failure("collected 4 items\n\n1 failed, 3 passed in 0.2s\n") == "1 failed, 3 passed in 0.2s"


def test_turns_count_since_the_user_s_last_one() -> None:
    """A reminder that an agent adds behind a result is no turn of the user."""
    messages = work(step(1), step(2))
    assert count_tool_turns(messages) == 2
    assert count_tool_turns([*messages, {"role": "user", "content": "<reminder>"}]) == 2
    assert count_tool_turns([*messages, {"role": "assistant", "content": "Done."}, USER]) == 0


@pytest.mark.parametrize(
    ("messages", "fan_out", "expected"),
    [
        (work(), "new_turns", (True, "")),
        (work(step(1)), "new_turns", (False, "tool turn")),
        (work(step(1)), "every_turn", (True, "every turn")),
        (work(step(1)), "every_n", (False, "tool turn 1")),
        (work(step(1), step(2, x=1)), "every_n", (True, "tool turn 2")),
        (work(), "stuck", (False, "not stuck")),
        (work(step(1), step(2)), "stuck", (True, "stuck: the same call 2 times: run")),
    ],
)
def test_the_reason_for_asking_a_panel(messages: Messages, fan_out: str, expected: tuple[bool, str]) -> None:
    """Here with `every_n: 2`."""
    assert reason(messages, fan_out, 2) == expected


def test_stuck_does_not_apply_to_requests_without_tools() -> None:
    """They ask the panel as usual."""
    mixture = Mixture("m", (Proposer("a"),), Critic("a"), tools_fan_out="stuck")
    assert find_fan_out(ChatRequest(None, [USER], {}), mixture) == (True, "")


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "tool", "function"])},
            optional={
                "content": st.none() | st.text(max_size=20) | st.lists(st.integers()),
                "tool_calls": st.none() | st.lists(st.none() | st.fixed_dictionaries({"id": st.none() | st.text()})),
                "function_call": st.none() | st.fixed_dictionaries({"name": st.text()}),
            },
        ),
        max_size=8,
    )
)
def test_no_conversation_raises(messages: Messages) -> None:
    """Whatever shape an agent's history has."""
    assert isinstance(find_stuck(messages), str)
