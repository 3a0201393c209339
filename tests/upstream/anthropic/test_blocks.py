"""Blocks of Messages and parts of Chat Completions are translated into each other without a loss."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.upstream.anthropic.messages import JSON, SHOWN, TOOL_USE
from upstream.anthropic.blocks import (
    ShapeError,
    block_from_call,
    blocks_from_content,
    call_from_block,
    join_text,
    list_blocks,
    pack_opaque,
    parts_from_blocks,
    read_arguments,
    text_of_blocks,
    unpack_opaque,
)


@settings(max_examples=40)
@given(st.lists(SHOWN))
def test_texts_images_and_documents_round_trip(blocks: list[dict[str, Any]]) -> None:
    """Whatever Chat Completions has a part for survives the way there and back, in its order."""
    assert blocks_from_content(parts_from_blocks(blocks, "content")) == blocks


@settings(max_examples=40)
@given(TOOL_USE)
def test_a_tool_call_round_trips(block: dict[str, Any]) -> None:
    """Id, name and input survive the way to a tool call and back; its arguments are JSON text."""
    call = call_from_block(block, "content[0]")
    assert json.loads(call["function"]["arguments"]) == block["input"]
    assert block_from_call(call) == block


@settings(max_examples=40)
@given(st.dictionaries(st.text(), JSON))
def test_opaque_fields_round_trip(fields: dict[str, Any]) -> None:
    """Any JSON survives in a signature, which is opaque printable ASCII for clients."""
    packed = pack_opaque(fields)
    assert packed.isascii()
    assert packed.isprintable()
    assert unpack_opaque(packed) == fields


@pytest.mark.parametrize(
    "text", [None, 1, "", "ErUB-a-signature-of-Anthropic", "mom1.", "mom1.!", "mom1.W10=", "mom1.bm8", "mom1.é"]
)
def test_a_foreign_signature_has_no_fields(text: Any) -> None:
    """Signatures of Anthropic's, and broken ones of our own, are no error."""
    assert unpack_opaque(text) is None


@settings(max_examples=40)
@given(st.text())
def test_any_text_is_unpacked_or_not(text: str) -> None:
    """A client can send anything as a signature."""
    for signature in (text, f"mom1.{text}"):
        assert isinstance(unpack_opaque(signature), dict | None)


@pytest.mark.parametrize(
    ("content", "blocks"),
    [(None, []), ("", [{"type": "text", "text": ""}]), ("hi", [{"type": "text", "text": "hi"}]), ([], [])],
)
def test_content_is_a_string_or_blocks(content: Any, blocks: list[dict[str, Any]]) -> None:
    """A string is one text block, no content is none."""
    assert list(list_blocks(content, "content")) == blocks


@pytest.mark.parametrize(
    ("content", "path"), [(1, "c"), ({}, "c"), (["hi"], "c[0]"), ([{"type": "text"}, {"type": 1}], "c[1]")]
)
def test_other_content_is_refused_with_its_path(content: Any, path: str) -> None:
    """The path leads to the block that is wrong."""
    with pytest.raises(ShapeError) as caught:
        list_blocks(content, "c")
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "document", "source": {"type": "text", "data": "words"}}, "words"),
        ({"type": "document", "title": "T", "source": {"type": "text", "data": "words"}}, "T\nwords"),
        ({"type": "document", "source": {"type": "content", "content": "words"}}, "words"),
        ({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "w"}]}}, "w"),
        (
            {"type": "search_result", "title": "T", "source": "https://x", "content": [{"type": "text", "text": "w"}]},
            "Search result: T https://x\nw",
        ),
        ({"type": "tool_reference", "tool_name": "grep"}, "Tool: grep"),
    ],
)
def test_blocks_without_a_part_become_text(block: dict[str, Any], text: str) -> None:
    """Documents of text, search results and references to tools are readable for every model."""
    assert parts_from_blocks([block], "content") == [{"type": "text", "text": text}]


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"type": "video"}, "c[0].type"),
        ({"type": "text"}, "c[0].text"),
        ({"type": "image"}, "c[0].source"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "c[0].source"),
        ({"type": "image", "source": {"type": "url"}}, "c[0].source.url"),
        ({"type": "image", "source": {"type": "base64", "data": "AA=="}}, "c[0].source.media_type"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png"}}, "c[0].source.data"),
        ({"type": "document", "source": {"type": "text"}}, "c[0].source.data"),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "x"}]}},
            "c[0].source.content[0].type",
        ),
        ({"type": "search_result", "content": [{"type": "text"}]}, "c[0].content[0].text"),
    ],
)
def test_a_block_of_the_wrong_shape_is_refused_with_its_path(block: dict[str, Any], path: str) -> None:
    """The client's developer sees which field it is."""
    with pytest.raises(ShapeError) as caught:
        parts_from_blocks([block], "c")
    assert (caught.value.path, str(caught.value)) == (path, f"{path}: {caught.value.problem}")


@pytest.mark.parametrize("missing", ["id", "name"])
def test_a_call_needs_an_id_and_a_name(missing: str) -> None:
    """The result of the call could not name it otherwise."""
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    del block[missing]
    with pytest.raises(ShapeError, match=rf"c\[0\].{missing}"):
        call_from_block(block, "c[0]")


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        (None, []),
        ("", []),
        ([], []),
        ([{"type": "text", "text": ""}, "stray", {"type": "input_audio"}], []),
        ([{"type": "refusal", "refusal": "no"}], [{"type": "text", "text": "no"}]),
        (
            [{"type": "image_url", "image_url": "https://x"}],
            [{"type": "image", "source": {"type": "url", "url": "https://x"}}],
        ),
        (
            [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
            [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
        ),
    ],
)
def test_parts_of_any_client_become_blocks(content: Any, blocks: list[dict[str, Any]]) -> None:
    """Empty text, which the API refuses, is left out; marks for the prompt cache stay."""
    assert blocks_from_content(content) == blocks


@pytest.mark.parametrize(
    ("stated", "arguments"),
    [
        (None, {}),
        ("", {}),
        ({"x": 1}, {"x": 1}),
        ('{"x": 1}', {"x": 1}),
        ("[1]", {"_arguments": "[1]"}),
        ('{"x": ', {"_arguments": '{"x": '}),
        ("[" * 100_000, {"_arguments": "[" * 100_000}),
    ],
)
def test_arguments_are_an_object(stated: Any, arguments: dict[str, Any]) -> None:
    """`input` must be an object, so other arguments are kept verbatim inside one."""
    assert read_arguments(stated) == arguments


def test_a_call_without_an_id_gets_one() -> None:
    """A custom tool's call and an anonymous one become blocks with all that the API requires."""
    assert block_from_call({"custom": {"name": "f", "input": "raw"}}, 3) == {
        "type": "tool_use",
        "id": "toolu_3",
        "name": "f",
        "input": {"_arguments": "raw"},
    }


def test_texts_are_joined() -> None:
    """Parts of a prompt by lines; blocks of an answer without anything between them."""
    pieces = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert join_text(pieces) == "a\nb"
    assert text_of_blocks([*pieces, {"type": "text"}]) == "ab"
