"""Recognising an answer that a client sends back."""

import json
from typing import Any

import pytest

from handlers.api.responses.parse import parse_responses
from synth.feedback.marks import MAX_CHARS, mark_answer, mark_message
from synth.normalize import Completion
from upstream.anthropic.conversation import read_conversation

TEXT = "Here is the change.\n\ngreet.py\n```python\nx = 1\n```\n"


def call(arguments: Any, *, call_id: str = "call_1a2b3c4d5e6f", name: str = "edit") -> dict[str, Any]:
    encoded = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": encoded}}


def returned(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.strip(),
        "\n" + TEXT.replace("\n", "\r\n"),
        [{"type": "text", "text": TEXT[:20]}, {"type": "text", "text": TEXT[20:]}],
    ],
)
def test_a_text_is_recognised(content: Any) -> None:
    """White space at any place and parts of a text make no difference: clients change both."""
    assert mark_message(returned(content), "dev") == mark_answer(Completion(TEXT), "dev") != ()


def test_other_words_are_another_answer() -> None:
    """One changed character is another answer."""
    assert mark_message(returned(TEXT.replace("1", "2")), "dev") != mark_answer(Completion(TEXT), "dev")


def test_clients_do_not_share_answers() -> None:
    """The same text of another client has another mark, so feedback counts for the client's own answers only."""
    assert mark_answer(Completion(TEXT), "dev") != mark_answer(Completion(TEXT), "other")
    assert mark_answer(Completion(TEXT), None) == mark_answer(Completion(TEXT), None)


@pytest.mark.parametrize("text", ["", "Ok.", "Done, it works.", " \n" * 40, "x" * (MAX_CHARS + 1)])
def test_some_texts_have_no_mark(text: str) -> None:
    """An answer that is too short to be told from another one, or too long to be hashed, is not remembered."""
    assert mark_answer(Completion(text), None) == ()


def test_arguments_in_another_encoding_are_recognised() -> None:
    """An agent decodes arguments and encodes them again: another order, other escapes, 1 for 1.0."""
    sent = mark_answer(Completion("", tool_calls=(call('{"b": 1.0, "a": "\\u00e9 x"}', call_id="call_0"),)), None)
    back = mark_message(returned(None, tool_calls=[call('{"a":"é x","b":1}', call_id="other")]), None)
    assert sent == back != ()


def test_ids_recognise_calls_with_completed_arguments() -> None:
    """Claude Code adds defaults to the arguments, and opencode renames a call of an unknown tool; both keep the id."""
    sent = mark_answer(Completion("On it.", tool_calls=(call({"path": "a"}),)), None)
    completed = mark_message(returned("On it.", tool_calls=[call({"path": "a", "replace_all": False})]), None)
    renamed = mark_message(returned(None, tool_calls=[call({"tool": "edit"}, name="invalid")]), None)
    assert sent[0] == completed[0] == renamed[0]
    assert sent[1] != completed[1]


def test_short_ids_do_not_count() -> None:
    """`call_0` occurs in every conversation, so it identifies no call."""
    one = mark_answer(Completion("", tool_calls=(call({"a": 1}, call_id="call_0"),)), None)
    other = mark_answer(Completion("", tool_calls=(call({"a": 2}, call_id="call_0"),)), None)
    assert not set(one) & set(other)


def test_a_mark_holds_no_text() -> None:
    """A mark is a hash of fixed length, whatever it was made of."""
    assert all(len(mark) == 32 and int(mark, 16) >= 0 for mark in mark_answer(Completion(TEXT), "dev"))


def test_messages_form() -> None:
    """An answer comes back from a Messages client as blocks, with the input of a call as an object."""
    sent = Completion("I will edit it.", tool_calls=(call({"path": "a", "n": 2.0}),))
    use = {"type": "tool_use", "id": "call_1a2b3c4d5e6f", "name": "edit", "input": {"n": 2, "path": "a"}}
    content = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": sent.text}, use]
    body = {"messages": [{"role": "user", "content": "Edit."}, {"role": "assistant", "content": content}]}
    assert mark_message(read_conversation(body)[-1], None) == mark_answer(sent, None)


def test_responses_form() -> None:
    """An answer comes back from a Responses client as items: its text, and each call on its own."""
    sent = Completion(TEXT, tool_calls=(call({"path": "a"}),))
    items = [
        {"role": "user", "content": "Edit."},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]},
        {"type": "function_call", "call_id": "call_1a2b3c4d5e6f", "name": "edit", "arguments": '{"path":"a"}'},
        {"type": "function_call_output", "call_id": "call_1a2b3c4d5e6f", "output": "ok"},
    ]
    messages = parse_responses({"model": "mom", "input": items}).chat.messages
    assert mark_message(messages[-2], None) == mark_answer(sent, None)


def test_strange_calls_have_marks() -> None:
    """Broken JSON, calls of custom tools and lone surrogates are hashed as they are."""
    broken = mark_answer(Completion("", tool_calls=(call('{"a": '),)), None)
    custom = {"id": "call_1a2b3c4d5e6g", "type": "custom", "custom": {"name": "apply", "input": "*** Begin"}}
    assert len(broken) == len(mark_answer(Completion("", tool_calls=(custom,)), None)) == 2
    assert mark_answer(Completion("\ud800" * 30), None) != ()
