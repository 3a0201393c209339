"""Messages of a conversation as the pages show them."""

import json

from handlers.ui.request.messages import show_messages, split_prompt
from tests.synth.edits.conversations import message


def test_a_prompt_is_shown_without_the_conversation() -> None:
    """If it extends the last message, only the extension is shown."""
    asked = [message("system", "Be brief."), message("user", "Why?")]
    n_shared, added = split_prompt([asked[0], message("user", "Why?\n\nThe drafts follow.")], asked)
    assert n_shared == 2
    assert [(each.role, each.text) for each in added] == [("user", "The drafts follow.")]
    assert split_prompt(asked, asked) == (2, [])
    assert [each.text for each in split_prompt([message("user", "Else")], asked)[1]] == ["Else"]


def test_other_parts_of_a_message_are_shown_as_json() -> None:
    """Tool calls, images."""
    image = {"type": "image_url", "image_url": {"url": "data:x"}}
    messages = [
        message("assistant", None) | {"tool_calls": [{"id": "1"}]},
        message("user", [{"type": "text", "text": "See"}, image]),
    ]
    first, second = show_messages(messages)
    assert json.loads(first.extra) == {"tool_calls": [{"id": "1"}]}
    assert (second.text, json.loads(second.extra)) == ("See", {"content": [image]})


def test_parts_that_are_nested_too_deeply_are_replaced_by_a_note() -> None:
    """The page is shown all the same."""
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    (shown,) = show_messages([{"role": "user", "content": "Why?", "odd": deep}])
    assert (shown.text, shown.extra) == ("Why?", "(nested too deeply to be shown)")
