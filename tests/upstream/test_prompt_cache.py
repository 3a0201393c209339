"""Fitting requests to providers' prompt caches."""

from typing import Any

import pytest

from runtime.json_codec import encode
from tests.running import model
from upstream.anthropic.conversation import read_conversation, write_conversation
from upstream.anthropic.wire import write_request
from upstream.openai.conversation import Conversation, append_block
from upstream.openai.quirks import Action, Quirk
from upstream.prompt_cache import BREAKPOINT, CacheStyle, find_style, prepare_for_cache

MARK = {"cache_control": BREAKPOINT}
SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "So."}
RESULT = {"role": "tool", "tool_call_id": "t", "content": "12 files"}
TOOL = {"type": "function", "function": {"name": "look"}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def prepare(style: CacheStyle, *messages: Any, block: str = "", **fields: Any) -> tuple[list[Any], dict[str, Any]]:
    conversation = append_block(messages, block) if block else Conversation(messages)
    prepared, rest = prepare_for_cache(style, conversation, {"model": "m", **fields}, ())
    return list(prepared), dict(rest)


@pytest.mark.parametrize(
    ("style", "fields"),
    [
        (CacheStyle.NONE, {}),
        (CacheStyle.BLOCKS, {"api": "messages"}),
        (CacheStyle.NONE, {"api": "messages", "drop": frozenset({"cache_control"})}),
        (CacheStyle.PARTS, {"provider": "openrouter", "model": "anthropic/claude-sonnet"}),
        (CacheStyle.PARTS, {"provider": "openrouter", "model": "google/gemini-flash"}),
        (CacheStyle.NONE, {"provider": "openrouter", "model": "openai/gpt"}),
        (CacheStyle.NONE, {"provider": "openrouter", "model": "google/gemma"}),
        (CacheStyle.KEY, {"provider": "openai"}),
        (CacheStyle.NONE, {"provider": "openai", "drop": frozenset({"prompt_cache_key"})}),
    ],
)
def test_the_style_follows_from_the_provider(style: CacheStyle, fields: dict[str, Any]) -> None:
    """`drop` turns it off."""
    assert find_style(model("a", "http://h", **fields)) is style


@pytest.mark.parametrize("host", ["api.openai.com", "openrouter.ai"])
def test_a_provider_is_also_known_by_its_address(host: str) -> None:
    """A model may have a base URL and no provider."""
    found = find_style(model("a", f"https://{host}/v1", model="anthropic/claude"))
    assert found is {"api.openai.com": CacheStyle.KEY, "openrouter.ai": CacheStyle.PARTS}[host]


@pytest.mark.parametrize("style", [CacheStyle.BLOCKS, CacheStyle.PARTS])
def test_a_breakpoint_stands_before_the_gateway_s_own_text(style: CacheStyle) -> None:
    """After the system message, and at the end of what the next turn repeats, also if that is a tool's result."""
    messages, fields = prepare(style, SYSTEM, USER, ANSWER, USER, block="Drafts", tools=[TOOL])
    assert messages[0]["content"] == [text("Be brief.", **MARK)]
    assert messages[3]["content"] == [text("Why?", **MARK), text("Drafts")]
    assert fields["tools"] == [{**TOOL, **MARK} if style is CacheStyle.BLOCKS else TOOL]
    messages, _ = prepare(style, SYSTEM, USER, ANSWER, RESULT, block="Drafts")
    assert messages[3]["content"] == [text("12 files", **MARK)]
    assert messages[4] == {"role": "user", "content": "Drafts"}


def test_parts_keep_their_form_from_turn_to_turn() -> None:
    """A message that carries no breakpoint any more is still a list of parts; the assistant's stay strings."""
    messages, _ = prepare(CacheStyle.PARTS, SYSTEM, USER, ANSWER, USER)
    assert messages[1:3] == [{"role": "user", "content": [text("Why?")]}, ANSWER]


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{**TOOL, **MARK}]},
        {"cache_control": BREAKPOINT},
        {"messages": [{"role": "user", "content": [text("Why?", **MARK)]}]},
    ],
)
@pytest.mark.parametrize("style", [CacheStyle.BLOCKS, CacheStyle.PARTS])
def test_a_client_s_own_breakpoints_are_the_only_ones(style: CacheStyle, fields: dict[str, Any]) -> None:
    """In tools, at the top of the body, or in a message."""
    given = fields.get("messages", [USER])
    others = {name: value for name, value in fields.items() if name != "messages"}
    messages, rest = prepare(style, SYSTEM, *given, **others)
    assert (messages, rest) == ([SYSTEM, *given], {"model": "m", **others})


def test_a_tool_s_result_carries_the_breakpoint_itself() -> None:
    """Anthropic heeds none inside it; the gateway's text follows in the same message."""
    messages, _ = prepare(CacheStyle.BLOCKS, USER, ANSWER, RESULT, block="Advice")
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text("12 files")], **MARK}
    assert write_conversation(messages)[1][-1] == {"role": "user", "content": [result, text("Advice")]}


def test_a_messages_client_s_originals_carry_breakpoints() -> None:
    """In its system prompt, and in its last message, of which no text is sent twice."""
    last = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}, text("Go on.")]}
    body = {"system": "Be brief.", "messages": [USER, ANSWER, last]}
    messages, _ = prepare(CacheStyle.BLOCKS, *read_conversation(body), block="Advice")
    system, written = write_conversation(messages)
    assert system == [text("Be brief.", **MARK)]
    assert written[0] == {"role": "user", "content": [text("Why?")]}
    assert written[2]["content"] == [*last["content"][:1], text("Go on.", **MARK), text("Advice")]


def test_breakpoints_that_translation_would_lose_are_set_again() -> None:
    """A Messages client's own reach an upstream of that API only."""
    body = {"system": [text("Be brief.", **MARK)], "messages": [{"role": "user", "content": [text("Why?", **MARK)]}]}
    messages, _ = prepare(CacheStyle.PARTS, *read_conversation(body))
    assert [message["content"] for message in messages] == [[text("Be brief.", **MARK)], [text("Why?", **MARK)]]
    native = read_conversation(body)
    assert prepare(CacheStyle.BLOCKS, *native)[0] == native


def test_empty_texts_carry_no_breakpoint() -> None:
    """Anthropic refuses them; the message before takes it."""
    messages, _ = prepare(CacheStyle.BLOCKS, USER, {"role": "user", "content": ""})
    assert messages == [{"role": "user", "content": [text("Why?", **MARK)]}, {"role": "user", "content": ""}]


def test_a_request_of_the_gateway_s_own_has_no_breakpoint() -> None:
    """A summary for advisors differs on each turn."""
    messages = append_block([], "Advise.")
    assert prepare_for_cache(CacheStyle.BLOCKS, messages, {}, ())[0] == [{"role": "user", "content": "Advise."}]


def test_refused_breakpoints_are_not_set_again() -> None:
    """In whichever field they were refused."""
    known = [Quirk(Action.DROP_IN_MESSAGES, "cache_control")]
    conversation = Conversation([USER])
    assert prepare_for_cache(CacheStyle.PARTS, conversation, {}, known)[0] is conversation


def test_the_key_is_that_of_a_conversation_and_a_model() -> None:
    """The same on every turn and with any text of ours behind it; another one for another beginning or model."""

    def key(*messages: Any, block: str = "", name: str = "m", **fields: Any) -> str:
        return str(prepare(CacheStyle.KEY, *messages, block=block, **{"model": name, **fields})[1]["prompt_cache_key"])

    assert key(SYSTEM, USER) == key(SYSTEM, USER, block="Drafts") == key(SYSTEM, USER, ANSWER, RESULT)
    others = [key(SYSTEM, ANSWER, RESULT), key(USER), key(SYSTEM, USER, name="n"), key(SYSTEM, USER, tools=[TOOL])]
    assert len({key(SYSTEM, USER), *others}) == 5
    assert key(SYSTEM, USER, prompt_cache_key="own") == "own"
    assert "brief" not in key(SYSTEM, USER)


@pytest.mark.parametrize("style", [CacheStyle.BLOCKS, CacheStyle.PARTS])
def test_a_messages_client_s_session_begins_alike_on_every_turn(style: CacheStyle) -> None:
    """With pictures in results, reminders behind them, a system message in between; up to the breakpoint."""
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    messages: list[dict[str, Any]] = [USER, {"role": "system", "content": "A reminder."}]
    kept = b""
    for turn in range(4):
        body = {"system": [text("Be brief.")], "messages": [*messages]}
        conversation = append_block(Conversation(read_conversation(body)), f"Advice {turn}")
        prepared, fields = prepare_for_cache(style, conversation, {"model": "m", "tools": [TOOL]}, ())
        sent = encode(write_request(prepared, fields) if style is CacheStyle.BLOCKS else list(prepared))
        assert sent.startswith(kept)
        kept = sent[: sent.rindex(b',"cache_control"')]
        call = {"type": "tool_use", "id": f"t{turn}", "name": "look", "input": {}}
        result = {"type": "tool_result", "tool_use_id": f"t{turn}", "content": [text("12 files"), picture]}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result, text("Note.")]}]
