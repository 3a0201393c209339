"""Recognising requests that need no panel."""

from typing import Any

import pytest

from config.settings import BypassRule
from synth import bypass
from synth.request import ChatRequest


def request(*messages: tuple[str, str], **params: Any) -> ChatRequest:
    return ChatRequest(None, [{"role": role, "content": content} for role, content in messages], params)


@pytest.mark.parametrize(
    ("instructions", "rule"),
    [
        ("You write one-line Git commit messages based on the diffs you are given.", "commit-message"),
        ("Generate a commit message for these changes:", "commit-message"),
        ("*Briefly* summarize this partial conversation about programming.", "chat-summary"),
        ("You are a title generator. You output ONLY a thread title.", "title"),
        ("Generate a concise, 3-5 word title summarizing the chat history.", "title"),
        ("### Task:\nSuggest 3-5 relevant follow-up questions", "chat-tags"),
    ],
)
@pytest.mark.parametrize("role", ["system", "user"])
def test_chores_are_recognised_by_their_instructions(instructions: str, rule: str, role: str) -> None:
    """In a system prompt, or in a single message."""
    messages = [(role, instructions)] + ([("user", "here")] if role == "system" else [])
    found = bypass.find_rule(request(*messages), bypass.BUILT_IN)
    assert found is not None
    assert found.name == rule


def test_the_subject_of_a_chore_may_be_a_second_message() -> None:
    """Opencode asks for titles in this way."""
    chat = request(("system", "You are a title generator."), ("user", "Generate a title:"), ("user", "Why?"))
    assert bypass.find_rule(chat, bypass.BUILT_IN) is not None


@pytest.mark.parametrize(
    "chat",
    [
        request(("user", "Reverse a string in Python")),
        request(("system", "You are a coding assistant."), ("user", "Write a commit message for my changes")),
        request(("system", "You write commit messages for diffs."), ("user", "x"), ("assistant", "y"), ("user", "z")),
        request(("system", "You write commit messages for diffs."), *[("user", "x")] * 3),
        request(("system", "You write commit messages for diffs."), ("user", "x"), tools=[{"type": "function"}]),
        request(("user", "hello"), ("user", "Generate a commit message for these changes")),
    ],
)
def test_work_is_not_a_chore(chat: ChatRequest) -> None:
    """A longer conversation, tools, or the words in another place."""
    assert bypass.find_rule(chat, bypass.BUILT_IN) is None


@pytest.mark.parametrize(
    ("rule", "met"),
    [
        (BypassRule("r", max_prompt_chars=5), True),
        (BypassRule("r", max_prompt_chars=4), False),
        (BypassRule("r", max_tokens_below=33), True),
        (BypassRule("r", max_tokens_below=32), False),
        (BypassRule("r", max_prompt_chars=5, max_tokens_below=32), False),
        (BypassRule("r", system="^hel", max_tokens_below=33), True),
    ],
)
def test_a_rule_matches_if_all_its_conditions_do(rule: BypassRule, met: bool) -> None:
    """Size of the prompt in characters, tokens asked for, instructions."""
    chat = request(("user", "hello"), max_tokens=32, max_completion_tokens=64)
    assert (bypass.find_rule(chat, [rule]) is not None) == met


def test_without_a_limit_no_limit_is_below() -> None:
    """A missing limit is not a small one."""
    assert bypass.find_rule(request(("user", "hello")), [BypassRule("r", max_tokens_below=10**9)]) is None


@pytest.mark.parametrize(
    "text",
    ["CRITICAL: Respond with TEXT ONLY. Call nothing.", "You are performing a CONTEXT CHECKPOINT COMPACTION. Go."],
)
def test_compaction_is_recognised_behind_a_whole_conversation(text: str) -> None:
    """By the beginning of any text in the last message, with tools and history before it."""
    parts = [{"type": "text", "text": "<context>"}, {"type": "text", "text": text}]
    history = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    chat = ChatRequest(None, [*history, {"role": "user", "content": parts}], {"tools": [{}]})
    found = bypass.find_rule(chat, bypass.BUILT_IN)
    assert found is not None
    assert found.name == "compaction"
    assert (
        bypass.find_rule(
            ChatRequest(None, [*history, {"role": "user", "content": f"Say: {text}"}], {}), bypass.BUILT_IN
        )
        is None
    )


@pytest.mark.parametrize(("fields", "is_title"), [(["title"], True), (["title", "body"], False), ([], False)])
def test_a_schema_of_nothing_but_a_title_asks_for_one(fields: list[str], is_title: bool) -> None:
    """Coding agents name their sessions in this way."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in fields}}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    chat = request(("system", "You name sessions."), ("user", "Why?"), response_format=wanted)
    assert (bypass.find_rule(chat, bypass.BUILT_IN) is not None) is is_title
