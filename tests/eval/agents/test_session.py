"""The scripted session of an agent."""

from itertools import pairwise

import pytest

from eval.agents.session import items, list_tools, read_turns
from synth.tool_turns import find_stuck


@pytest.mark.parametrize("as_text", [False, True])
def test_each_of_thirty_turns_continues_the_one_before(as_text: bool) -> None:
    """Its conversation begins with the earlier one and the reply to that."""
    turns = read_turns(as_text=as_text)
    assert len(turns) == 30
    for before, after in pairwise(turns):
        begun = [*before.messages, before.reply]
        assert list(after.messages[: len(begun)]) == begun


def test_the_session_has_the_course_of_real_work() -> None:
    """Three turns of the user; stuck twice, and not by tests that are run again after an edit."""
    turns = read_turns()
    assert sum(message["role"] == "user" for message in turns[-1].messages) == 3
    assert [turn for turn, each in enumerate(turns, 1) if find_stuck(each.messages)] == [17, 22]
    called = {call["function"]["name"] for turn in turns for call in turn.reply.get("tool_calls", ())}
    assert called <= {tool["function"]["name"] for tool in list_tools()}


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ('I look.\n{"name": "list_files", "arguments": {"path": "."}}', "True"),
        ('{"name": "list_files", "arguments": "{\\"path\\": \\".\\"}"}', "True"),
        ('{"name": "list_files", "arguments": {"path": "tests"}}', "False"),
        ('{"name": "run", "arguments": {"path": "."}}', "False"),
        ("I would call list_files.", "False"),
        ("3", "False"),
    ],
)
def test_a_reply_is_right_if_it_makes_the_call_of_the_script(reply: str, verdict: str) -> None:
    """The same tool with the same path, or the same command; one item for each turn that ends in a call."""
    first, *others = items()
    program = first.program(reply)
    assert program is not None
    assert program.files["main.py"] == f"assert {verdict}\n"
    assert len(others) == 26


def test_without_tools_mechanical_steps_have_one_reply() -> None:
    """Edits and words have another one."""
    same = [turn.reply == turn.alternative for turn in read_turns(as_text=True)]
    assert (same[0], same[5], sum(same)) == (True, False, 17)
