"""Finding the news in whole conversations, in the shapes of real clients."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.feedback.news import find_news
from synth.feedback.verdict import Signal, Verdict
from tests.work_limit import limit_work

Messages = list[dict[str, Any]]
ANSWER = "greet.py\n```python\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```"
OK = {"role": "assistant", "content": "Ok."}
SHOWN = [
    {
        "role": "user",
        "content": "I have *added these files to the chat* so you can edit them.\n\nt.py\n```\n1 failed in 2s\n```",
    },
    {"role": "assistant", "content": "Ok, any changes I propose will be to those files."},
]
FAILED_BLOCK = "# 1 SEARCH/REPLACE block failed to match!\n\n## SearchReplaceNoExactMatch"
COMMITTED = "I committed the changes with git hash 1234567 & commit msg: feat: x"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def step(number: int, name: str, arguments: Any, result: str) -> Messages:
    """Return a turn of an agent with one call, and its result."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": result},
    ]


def read(messages: Messages) -> list[tuple[int, Verdict, Signal]]:
    """Return the news, with the position of the message that each is about."""
    return [
        (
            next(i for i, message in enumerate(messages) if message is news.answer),
            news.reading.verdict,
            news.reading.signal,
        )
        for news in find_news(messages)
    ]


def test_a_reflection_of_aider() -> None:
    """A failed block is about the answer before it, with the files shown again in between."""
    messages = [user("Change it."), said(ANSWER), *SHOWN, user(FAILED_BLOCK)]
    assert read(messages) == [(1, Verdict.WRONG, Signal.EDIT_FAILED)]


def test_a_lint_reflection_after_a_commit() -> None:
    """Aider commits, lints, and asks again: the complaint is about the answer, the acknowledgement is skipped."""
    lint = "\n# Fix any errors below, if possible.\n\n## Running: flake8"
    messages = [user("Change it."), said(ANSWER), user(COMMITTED), OK, *SHOWN, user(lint)]
    assert read(messages) == [(1, Verdict.WRONG, Signal.LINTER)]


def test_a_commit_before_the_next_task() -> None:
    """A commit without a complaint says that the edit applied; shown files with words of test runners say nothing."""
    messages = [user("Change it."), said(ANSWER), user(COMMITTED), OK, *SHOWN, user("Now add a test.")]
    assert read(messages) == [(1, Verdict.SEEMS_RIGHT, Signal.EDIT_APPLIED)]


def test_only_the_last_answer_has_news() -> None:
    """News of earlier answers was read in earlier requests."""
    messages = [user("Change it."), said(ANSWER), user(FAILED_BLOCK), said(ANSWER + "2"), user("And now?")]
    assert read(messages) == []


def test_a_users_word() -> None:
    """A plain word of the user is about the answer before it."""
    assert read([user("Why?"), said("Because."), user("That's wrong.")]) == [(1, Verdict.WRONG, Signal.USER)]


@pytest.mark.parametrize(
    "messages", [[], [user("That's wrong.")], [user("x"), said("y")], [user("x"), OK, user("Still wrong.")]]
)
def test_without_an_answer_there_is_no_news(messages: Messages) -> None:
    """A first question, an answer without anything behind it, and words put into the assistant's mouth are no news."""
    assert read(messages) == []


def test_a_failed_edit_of_an_agent() -> None:
    """The result of an edit is about the turn that made it."""
    messages = [
        user("Fix it."),
        *step(1, "read", {}, "x"),
        *step(2, "edit", {}, "Could not find oldString in the file."),
    ]
    assert read(messages) == [(3, Verdict.WRONG, Signal.EDIT_FAILED)]


def test_failing_tests_are_about_the_edit() -> None:
    """The latest turn that edited was wrong, not the turn that ran the tests."""
    messages = [
        user("Fix it."),
        *step(1, "edit", {}, "Edit applied successfully."),
        *step(2, "read", {}, "x"),
        *step(3, "bash", {"command": "pytest"}, "1 failed in 0.2s"),
        user("<system-reminder>Keep the list of tasks up to date.</system-reminder>"),
    ]
    assert read(messages) == [(1, Verdict.WRONG, Signal.TESTS)]


def test_failing_tests_before_any_edit_are_no_news() -> None:
    """An agent that first runs the tests sees the bug that it is to fix; edits of an earlier task do not count."""
    run = step(2, "bash", {"command": "pytest"}, "1 failed in 0.2s")
    earlier = [user("Fix a."), *step(1, "edit", {}, "Edit applied successfully."), said("Done.")]
    assert read([user("Fix it."), *run]) == []
    assert read([*earlier, user("Fix b."), *run]) == []


def test_several_calls_in_one_turn() -> None:
    """A turn with several calls is wrong if one of them is; tests in it are about its own edit."""
    calls = (
        step(1, "edit", {}, "Edit applied successfully."),
        step(2, "edit", {}, "Could not find oldString in the file."),
    )
    together = {"role": "assistant", "tool_calls": [*calls[0][0]["tool_calls"], *calls[1][0]["tool_calls"]]}
    assert read([user("x"), together, calls[0][1], calls[1][1]]) == [(1, Verdict.WRONG, Signal.EDIT_FAILED)]
    tests = step(2, "bash", {"command": "pytest"}, "4 passed in 0.2s")
    together = {"role": "assistant", "tool_calls": [*calls[0][0]["tool_calls"], *tests[0]["tool_calls"]]}
    assert read([user("x"), together, calls[0][1], tests[1]]) == [(1, Verdict.RIGHT, Signal.TESTS)]


def test_a_function_call_of_old() -> None:
    """An older `function_call` and its result belong together by the function's name."""
    messages = [
        user("x"),
        {"role": "assistant", "content": None, "function_call": {"name": "edit", "arguments": "{}"}},
        {"role": "function", "name": "edit", "content": "Edit applied successfully."},
    ]
    assert read(messages) == [(1, Verdict.SEEMS_RIGHT, Signal.EDIT_APPLIED)]


def test_a_long_conversation_is_linear() -> None:
    """Ten thousand messages and megabytes of results take no more than their ends."""
    messages = [
        user("Fix it."),
        *(m for n in range(5_000) for m in step(n, "bash", {"command": "pytest"}, "x\n" * 10_000)),
    ]
    with limit_work():
        find_news(messages)


_CONTENT = st.none() | st.text() | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}))
_CALLS = st.none() | st.lists(
    st.fixed_dictionaries(
        {"id": st.text(), "function": st.dictionaries(st.sampled_from(["name", "arguments"]), st.text())}
    )
)
_MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "function"]), "content": _CONTENT},
    optional={"tool_calls": _CALLS, "tool_call_id": st.text(), "name": st.text()},
)


@given(st.lists(_MESSAGE))
def test_any_conversation_can_be_read(messages: Messages) -> None:
    """No conversation makes the reader fail, and news are about messages of the assistant."""
    assert all(news.answer["role"] == "assistant" for news in find_news(messages))
