"""Images, tool turns and `response_format` as text, for models that do not accept them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upstream.openai.text_fallbacks import (
    demand_json,
    flatten,
    has_media,
    has_tool_turns,
    is_media,
    replace_media,
    replace_tool_turns,
)

KINDS = (
    "image",
    "image_url",
    "input_image",
    "audio",
    "input_audio",
    "file",
    "input_file",
    "document",
    "video",
    "video_url",
)
CALL = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"x":1}'}}
CONTENT = (
    st.none()
    | st.text(max_size=5)
    | st.lists(
        st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "file"]), "text": st.text(max_size=3)})
        | st.text(max_size=2),
        max_size=3,
    )
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "function"]), "content": CONTENT},
    optional={
        "tool_calls": st.none() | st.just([CALL]) | st.just([None]),
        "tool_call_id": st.sampled_from(["t1", "t2"]),
    },
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_to_be_seen_or_heard_becomes_a_note(kind: str) -> None:
    """In its place, so that the words around it keep their meaning."""
    parts = [{"type": "text", "text": "Look:"}, {"type": kind, kind: {}}, {"type": "text", "text": "What is it?"}]
    (message,) = replace_media([{"role": "user", "content": parts, "name": "n"}])
    note = {"type": "text", "text": f"[a part of type {kind} stood here; you can't see it]"}
    assert message == {"role": "user", "content": [parts[0], note, parts[2]], "name": "n"}


@pytest.mark.parametrize("part", [{"type": "text"}, {"type": "refusal"}, {}, "image", None])
def test_text_is_no_media(part: Any) -> None:
    """Nor is anything of an unknown shape."""
    assert not is_media(part)


@settings(max_examples=60)
@given(st.lists(MESSAGE, max_size=4))
def test_nothing_is_left_that_the_model_cannot_take(messages: list[dict[str, Any]]) -> None:
    """As many messages as before; those without it are the very same, so the prompt cache stays warm."""
    for has, replace in ((has_media, replace_media), (has_tool_turns, replace_tool_turns)):
        replaced = replace(messages)
        assert not has(replaced)
        assert len(replaced) == len(messages)
        assert has(messages) or replaced is messages
        assert all(new == old for new, old in zip(replaced, messages, strict=True) if not has([old]))


def test_tool_turns_become_text_of_both_sides() -> None:
    """Calls are the assistant's words behind its text, results the user's, with the name of the tool."""
    replaced = replace_tool_turns(
        [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "I look.", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "t1", "content": [{"type": "text", "text": "found"}]},
            {"role": "tool", "tool_call_id": "unknown", "content": None},
        ]
    )
    assert replaced == [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": 'I look.\n[I call look with {"x":1}]'},
        {"role": "user", "content": "[The result of look:]\nfound"},
        {"role": "user", "content": "[The result of a tool:]\n"},
    ]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"function_call": {"name": "f", "arguments": "{}"}}, "[I call f with {}]"),
        ({"tool_calls": [{"type": "custom", "custom": {"name": "patch", "input": "raw"}}]}, "[I call patch with raw]"),
        ({"tool_calls": [{}]}, "[I call a tool with {}]"),
    ],
)
def test_calls_of_every_form_become_text(message: dict[str, Any], words: str) -> None:
    """Deprecated ones, custom ones, and incomplete ones."""
    assert replace_tool_turns([{"role": "assistant", "content": None, **message}]) == [
        {"role": "assistant", "content": words}
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("a", "a"),
        ([], ""),
        ([{"type": "text", "text": "a"}, {"type": "image"}, {"text": "b"}], "a\nb"),
        (1, "1"),
    ],
)
def test_content_has_a_text(content: Any, text: str) -> None:
    """Of its text parts, one a line."""
    assert flatten(content) == text


def test_json_is_demanded_at_the_end() -> None:
    """What the client wrote stays first, so that its prompt cache stays warm; a schema is shown whole."""
    asked = [{"role": "user", "content": "List them."}]
    (plain,) = demand_json(asked)
    assert plain["content"].startswith("List them.")
    assert plain["content"].endswith("Reply with one JSON object and nothing else: no fence, no words around it.")
    (shaped,) = demand_json(asked, {"type": "array"})
    assert shaped["content"].endswith('It must fit this JSON Schema:\n{"type": "array"}')
    assert asked == [{"role": "user", "content": "List them."}]
