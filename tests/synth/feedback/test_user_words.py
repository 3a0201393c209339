"""Reading users' messages, and aider's reports in their place."""

import pytest

from synth.feedback.user_words import read_user_messages
from synth.feedback.verdict import Reading, Signal, Verdict
from tests.work_limit import limit_work

RULES = "\n\n\n# *SEARCH/REPLACE block* Rules:\n\nEvery block must use this format:\n1. The path"
COMMITTED = "I committed the changes with git hash 1234567 & commit msg: feat: greet"
RUN = "I ran this command:\n\npytest -q\n\nAnd got this output:\n\n"
NEXT = "Now add a parameter for the greeting, and use it in main()."

FRAMES = [
    ("# 1 SEARCH/REPLACE block failed to match!\n\n## SearchReplaceNoExactMatch: x", Verdict.WRONG, Signal.EDIT_FAILED),
    ("# 2 SEARCH/REPLACE blocks failed to match!\n", Verdict.WRONG, Signal.EDIT_FAILED),
    ("UnifiedDiffNoMatch: hunk failed to apply!\n\ngreet.py", Verdict.WRONG, Signal.EDIT_FAILED),
    ("Error parsing patch content: x", Verdict.WRONG, Signal.EDIT_FAILED),
    ("\n# Fix any errors below, if possible.\n\n## Running: flake8", Verdict.WRONG, Signal.LINTER),
    (f"{RUN}1 failed in 0.2s\n", Verdict.WRONG, Signal.TESTS),
    (f"{RUN}3 passed in 0.2s\n", Verdict.RIGHT, Signal.TESTS),
    ("I did `git reset --hard HEAD~1` to discard the last edits. Please wait", Verdict.WRONG, Signal.USER),
]


@pytest.mark.parametrize(("text", "verdict", "signal"), FRAMES)
def test_frames_of_aider(text: str, verdict: Verdict, signal: Signal) -> None:
    """Aider's reports are read, with the rules that it puts behind the last message, and before the next question."""
    assert Reading(verdict, signal) in read_user_messages([text + RULES])
    assert Reading(verdict, signal) in read_user_messages([text, NEXT])


def test_an_applied_edit() -> None:
    """A commit says that the edit applied, and no more."""
    applied = [Reading(Verdict.SEEMS_RIGHT, Signal.EDIT_APPLIED)]
    assert read_user_messages([COMMITTED, NEXT]) == applied
    assert read_user_messages(["I updated the files.", NEXT]) == applied


def test_a_test_command_without_a_known_summary() -> None:
    """Aider shows a failing test command twice, and a command that the user ran once."""
    said = f"{RUN}something odd\n"
    assert read_user_messages([COMMITTED, said, said + RULES])[-1] == Reading(Verdict.WRONG, Signal.TESTS)
    assert read_user_messages([COMMITTED, said, said])[-1] == Reading(Verdict.WRONG, Signal.TESTS)
    assert read_user_messages([said, NEXT]) == []


@pytest.mark.parametrize(
    "text",
    [
        "Still wrong.",
        "still not working",
        "It still fails",
        "no, it still doesn't work",
        "That's wrong",
        "this is not what I asked for",
        "that did not work, the list is empty",
        "Nope. It is still broken",
        "The tests still fail with a KeyError",
        "Wrong!",
        "Same error again.",
        f"still wrong{RULES}",
    ],
)
def test_a_user_says_that_it_is_wrong(text: str) -> None:
    """A short message that begins with a plain verdict counts against the answer."""
    assert read_user_messages([text]) == [Reading(Verdict.WRONG, Signal.USER)]


@pytest.mark.parametrize(
    "text", ["That works now, thanks!", "works", "Great, it works.", "All tests pass now.", "it works"]
)
def test_a_user_says_that_it_is_right(text: str) -> None:
    """A short message that is nothing but approval counts for the answer."""
    assert read_user_messages([text]) == [Reading(Verdict.RIGHT, Signal.USER)]


@pytest.mark.parametrize(
    "text",
    [
        NEXT,
        "",
        "It works, but please rename the function.",
        "Why is that wrong?",
        "Is it still broken on Windows?",
        "Write a test that still fails on the old code.",
        "thanks",
        "Wrongly indented lines should be reported by the linter.",
        "The other module is wrong in the same way: fix it too.",
        "it works like this: " + "first it reads, then it writes. " * 20,
        "Explain: # Fix any errors below, if possible.",
        "The log says: 1 failed in 0.2s",
        "Still wrong. " + "Here is a long story about another thing. " * 40,
    ],
)
def test_other_messages_are_no_signal(text: str) -> None:
    """Questions, further tasks, and quotations of frames say nothing about the last answer."""
    assert read_user_messages([text]) == []


def test_hostile_texts_are_linear() -> None:
    """Long and nearly matching texts take no more than any other."""
    texts = ["no " * 100_000, "# " * 100_000, f"{RUN}{'1 failed, ' * 20_000}", "\n" * 300_000, "the test " * 30_000]
    with limit_work():
        read_user_messages(texts)
