"""Strategies for conversations and replies of Anthropic's Messages."""

import base64
from typing import Any

from hypothesis import strategies as st

from upstream.anthropic.blocks import pack_opaque

TEXT = st.text(min_size=1, max_size=12)
NAME = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _source(media_type: str) -> st.SearchStrategy[dict[str, Any]]:
    inline = {"type": st.just("base64"), "media_type": st.just(media_type), "data": st.binary().map(_encode)}
    remote = {"type": st.just("url"), "url": NAME.map("https://example.com/{}".format)}
    return st.fixed_dictionaries(inline) | st.fixed_dictionaries(remote)


TEXT_BLOCK = st.fixed_dictionaries({"type": st.just("text"), "text": TEXT})
IMAGE = st.fixed_dictionaries({"type": st.just("image"), "source": _source("image/png")})
DOCUMENT = st.fixed_dictionaries({"type": st.just("document"), "source": _source("application/pdf"), "title": TEXT})
SHOWN = TEXT_BLOCK | IMAGE | DOCUMENT
"""Blocks that Chat Completions has a part for, so that nothing of them is lost."""

TOOL_USE = st.fixed_dictionaries({"type": st.just("tool_use"), "id": NAME, "name": NAME, "input": ARGUMENTS})
TOOL_RESULT = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "tool_use_id": NAME, "content": TEXT | st.lists(SHOWN, max_size=2)},
    optional={"is_error": st.booleans()},
)
SIGNED = st.fixed_dictionaries(
    {"type": st.just("thinking"), "thinking": TEXT, "signature": TEXT.map("anthropic{}".format)}
)
PACKED = st.fixed_dictionaries(
    {
        "type": st.just("thinking"),
        "thinking": TEXT,
        "signature": st.fixed_dictionaries({"reasoning_content": TEXT}).map(pack_opaque),
    }
)
REDACTED = st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": TEXT})
THINKING = SIGNED | REDACTED


@st.composite
def _assistants(draw: st.DrawFn) -> dict[str, Any]:
    thinking = draw(st.lists(THINKING | PACKED, max_size=2))
    said = draw(st.lists(TEXT_BLOCK | TOOL_USE, min_size=1, max_size=3))
    return {"role": "assistant", "content": [*thinking, *said]}


@st.composite
def _users(draw: st.DrawFn) -> dict[str, Any]:
    results = draw(st.lists(TOOL_RESULT, max_size=2))
    shown = draw(st.lists(SHOWN, min_size=0 if results else 1, max_size=2))
    return {"role": "user", "content": draw(st.permutations([*results, *shown]))}


_SAID: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": TEXT}
)
USER, ASSISTANT = _users(), _assistants()


@st.composite
def alternating(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a body whose messages alternate between user and assistant, and begin with a user."""
    turns = draw(st.lists(st.tuples(USER, ASSISTANT), max_size=2))
    messages = [message for turn in turns for message in turn] + [draw(USER)]
    system = draw(st.none() | TEXT)
    return {"messages": messages} | ({} if system is None else {"system": system})


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a body with messages in any order, among them system messages."""
    messages = draw(st.lists(USER | ASSISTANT | _SAID, max_size=4))
    messages.insert(draw(st.integers(0, len(messages))), draw(USER))
    system = draw(st.none() | TEXT | st.lists(TEXT_BLOCK, max_size=2))
    return {"messages": messages} | ({} if system is None else {"system": system})


USAGE = st.fixed_dictionaries(
    {name: st.integers(0, 10**6) for name in ("input_tokens", "output_tokens")},
    optional={name: st.integers(0, 10**6) for name in ("cache_read_input_tokens", "cache_creation_input_tokens")},
)
STOPS = ("end_turn", "max_tokens", "tool_use", "stop_sequence", "refusal", "pause_turn")


@st.composite
def replies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a whole message as an upstream sends it: thinking, then text, then tool calls."""
    text = draw(st.lists(TEXT_BLOCK, max_size=1))
    calls = draw(st.lists(TOOL_USE, max_size=3, unique_by=lambda call: str(call["id"])))
    return {
        "type": "message",
        "id": draw(NAME),
        "role": "assistant",
        "model": draw(NAME),
        "content": [*draw(st.lists(THINKING, max_size=2)), *text, *calls],
        "stop_reason": draw(st.sampled_from(STOPS)),
        "usage": draw(USAGE),
    }
