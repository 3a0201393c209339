"""Fitting a request to the parts that a model accepts."""

from typing import Any

import pytest

from config.providers import PROVIDERS
from config.settings import Model
from upstream.openai.conversation import Conversation
from upstream.openai.quirks import Action, ModelQuirks, Quirk, QuirkMemory, configured_quirks, fit

USER = {"role": "user", "content": "?"}
CALL = {"id": "call_abcdef123", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_abcdef123", "content": "Sunny"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,x"}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
TYPED = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}


def fields_after(quirk: Quirk, **fields: Any) -> dict[str, Any]:
    _, fitted = fit([quirk], Conversation([USER]), fields)
    return dict(fitted)


def messages_after(quirk: Quirk, *messages: Any, **fields: Any) -> list[Any]:
    fitted, _ = fit([quirk], Conversation(messages), fields)
    return list(fitted)


@pytest.mark.parametrize(
    ("quirk", "fields", "fitted"),
    [
        (Quirk(Action.DROP, "seed"), {"seed": 1, "top_p": 1}, {"top_p": 1}),
        (Quirk(Action.DROP, "tools"), {"tools": [], "tool_choice": "auto", "x": 1}, {"x": 1}),
        (Quirk(Action.DROP, "stream"), {"stream": True, "stream_options": {}}, {}),
        (Quirk(Action.DROP_VALUE, "effort", '"minimal"'), {"effort": "minimal"}, {}),
        (Quirk(Action.DROP_VALUE, "effort", '"minimal"'), {"effort": "high"}, {"effort": "high"}),
        (Quirk(Action.KEEP_VALUE, "temperature", "1"), {"temperature": 0}, {}),
        (Quirk(Action.KEEP_VALUE, "temperature", "1"), {"temperature": 1.0}, {"temperature": 1.0}),
        (Quirk(Action.DROP_BESIDE, "top_p", "temperature"), {"top_p": 1, "temperature": 0}, {"temperature": 0}),
        (Quirk(Action.DROP_BESIDE, "top_p", "temperature"), {"top_p": 1}, {"top_p": 1}),
        (Quirk(Action.RENAME, "max_tokens", "max_completion_tokens"), {"max_tokens": 5}, {"max_completion_tokens": 5}),
        (Quirk(Action.EFFORT, "e", '{"low": {"budget": 9}}'), {"e": "low", "n": 1}, {"budget": 9, "n": 1}),
        (Quirk(Action.EFFORT, "e", '{"low": {"budget": 9}}'), {"e": "low", "budget": 1}, {"budget": 1}),
        (Quirk(Action.EFFORT, "e", '{"low": {}}'), {"e": "low"}, {}),
        (Quirk(Action.EFFORT, "e", '{"low": {"e": "minimal"}}'), {"e": "low"}, {"e": "minimal"}),
        (Quirk(Action.EFFORT, "e", '{"low": {}}'), {"e": "high"}, {"e": "high"}),
        (Quirk(Action.EFFORT, "e", '{"low": {}}'), {"e": ["low"]}, {"e": ["low"]}),
        (Quirk(Action.CAP, "max_tokens", "50"), {"max_tokens": 100}, {"max_tokens": 50}),
        (Quirk(Action.CAP, "max_tokens", "50"), {"max_tokens": 10}, {"max_tokens": 10}),
        (
            Quirk(Action.TOOL_CHOICE, "named", "required"),
            {"tool_choice": {"type": "function"}},
            {"tool_choice": "required"},
        ),
        (Quirk(Action.TOOL_CHOICE, "required"), {"tool_choice": "required"}, {}),
        (Quirk(Action.TOOL_CHOICE, "required"), {"tool_choice": "auto"}, {"tool_choice": "auto"}),
    ],
)
def test_fields_are_left_out_or_sent_otherwise(quirk: Quirk, fields: dict[str, Any], fitted: dict[str, Any]) -> None:
    """Exactly the refused parts, and no accepted one."""
    assert fields_after(quirk, **fields) == fitted


def test_a_request_that_is_not_concerned_stays_the_same_object() -> None:
    """Its JSON is then made once for all models."""
    messages, fields = Conversation([USER]), {"top_p": 1}
    for action in Action:
        quirk = Quirk(action, "seed", "1")
        fitted = quirk.apply(messages, fields)
        assert fitted == (messages, fields)
        if action is not Action.PLAIN_CONTENT:
            assert fitted[0] is messages


def test_a_refused_response_format_becomes_part_of_the_prompt() -> None:
    """Or it is sent in the nearest form."""
    quirk = Quirk(Action.FORMAT, "json_schema")
    messages, fields = fit([quirk], [USER], {"response_format": TYPED})
    assert fields == {}
    assert '"integer"' in messages[-1]["content"]
    messages, fields = fit([Quirk(Action.FORMAT, "json_schema", "json_object")], [USER], {"response_format": TYPED})
    assert fields == {"response_format": {"type": "json_object"}}
    assert '"integer"' in messages[-1]["content"]
    fields = fields_after(Quirk(Action.FORMAT, "json_object", "json_schema"), response_format={"type": "json_object"})
    assert fields["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_json_is_mentioned_only_if_no_message_does() -> None:
    """The words go to the end, behind what is cached."""
    wanted = {"response_format": {"type": "json_object"}}
    (message,) = messages_after(Quirk(Action.MENTION_JSON), USER, **wanted)
    assert message["content"].startswith("?\n\n")
    asking = {"role": "user", "content": "As json, please"}
    assert messages_after(Quirk(Action.MENTION_JSON), asking, **wanted) == [asking]


@pytest.mark.parametrize(
    ("quirk", "message", "fitted"),
    [
        (
            Quirk(Action.ROLE, "developer", "system"),
            {"role": "developer", "content": "x"},
            {"role": "system", "content": "x"},
        ),
        (Quirk(Action.DROP_IN_MESSAGES, "name"), {**USER, "name": "ann"}, USER),
        (
            Quirk(Action.DROP_IN_MESSAGES, "cache_control"),
            {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]},
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
        ),
        (
            Quirk(Action.DROP_IN_MESSAGES, "extra_content"),
            {**CALLING, "tool_calls": [{**CALL, "extra_content": {}}]},
            CALLING,
        ),
        (
            Quirk(Action.PLAIN_CONTENT),
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "user", "content": "x"},
        ),
        (Quirk(Action.PLAIN_CONTENT), CALLING, {**CALLING, "content": ""}),
        (
            Quirk(Action.NO_MEDIA),
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
        ),
    ],
)
def test_refused_fields_are_left_out_of_messages(quirk: Quirk, message: Any, fitted: Any) -> None:
    """In the message, in the parts of its content, in its tool calls."""
    assert messages_after(quirk, message) == [fitted]


def test_an_image_becomes_a_note() -> None:
    """So the model knows that there was one."""
    (message,) = messages_after(Quirk(Action.NO_MEDIA), {"role": "user", "content": [IMAGE]})
    assert "image_url" in message["content"][0]["text"]


def test_tool_turns_become_words_if_no_tools_are_sent() -> None:
    """Every call and result is kept."""
    words = messages_after(Quirk(Action.TOOLS_AS_TEXT), USER, CALLING, RESULT)
    assert [message["role"] for message in words] == ["user", "assistant", "user"]
    assert "weather" in words[1]["content"]
    assert "Rome" in words[1]["content"]
    assert "Sunny" in words[2]["content"]
    assert messages_after(Quirk(Action.TOOLS_AS_TEXT), USER, CALLING, RESULT, tools=[]) == [USER, CALLING, RESULT]


def test_ids_are_shortened_alike_in_calls_and_results() -> None:
    """So that a result still belongs to its call."""
    _, calling, result = messages_after(Quirk(Action.SHORT_IDS), USER, CALLING, RESULT)
    (call,) = calling["tool_calls"]
    assert call["id"] == result["tool_call_id"]
    assert len(call["id"]) == 9
    assert call["id"].isalnum()


def test_turns_alternate_and_nothing_is_lost() -> None:
    """The first system message stays one; later ones are the user's."""
    system = {"role": "system", "content": "s"}
    messages = [system, system, USER, USER, {"role": "assistant", "content": "a"}, system, USER]
    fitted = messages_after(Quirk(Action.ALTERNATE), *messages)
    assert [message["role"] for message in fitted] == ["system", "user", "assistant", "user"]
    assert fitted[3]["content"] == "s\n\n?"


def test_fields_of_schemas_are_dropped_but_not_properties_of_that_name() -> None:
    """A tool may well have an argument that is called as a keyword."""
    schema = {"strict": True, "properties": {"strict": {"type": "string", "strict": 1}}}
    fitted = fields_after(Quirk(Action.DROP_IN_TOOLS, "strict"), tools=[{"function": {"parameters": schema}}])
    assert fitted["tools"][0]["function"]["parameters"] == {"properties": {"strict": {"type": "string"}}}


def test_quirks_apply_one_after_the_other() -> None:
    """A renamed field may be dropped next."""
    quirks = [Quirk(Action.RENAME, "max_tokens", "max_completion_tokens"), Quirk(Action.DROP, "max_completion_tokens")]
    assert fit(quirks, [USER], {"max_tokens": 1})[1] == {}


def test_every_action_has_its_own_description() -> None:
    """For the log, the doctor and the page of models."""
    assert len({Quirk(action, "n", "v").describe() for action in Action} - {""}) == len(Action)
    assert Quirk(Action.DROP, "seed").config() == "drop: [seed]"
    assert Quirk(Action.RENAME, "a", "b").config() == "rename: {a: b}"
    assert Quirk(Action.NO_MEDIA).config() == ""


def _model(name: str, base_url: str = "http://up/v1", model: str = "m") -> Model:
    return Model(name, base_url, None, None, model)


def test_names_of_one_model_share_learnt_quirks() -> None:
    """Also those of a new configuration; other models learn for themselves."""
    memory, quirk = QuirkMemory(), Quirk(Action.DROP, "seed", cause="no seed")
    memory.of(_model("a")).remember([quirk, quirk], "a")
    assert memory.of(_model("b")).learnt() == (quirk,)
    assert memory.of(_model("c", model="other")).learnt() == ()
    assert memory.of(_model("d", "http://elsewhere/v1")).learnt() == ()


OPENAI = "https://api.openai.com/v1"


def test_a_provider_s_row_comes_first_and_config_wins() -> None:
    """A row holds at the provider's own base URL, unless `drop` or `rename` say otherwise."""
    row = Quirk(Action.RENAME, "max_tokens", "max_completion_tokens")
    assert configured_quirks(Model("a", OPENAI, "openai", None, "m")) == (row,)
    assert configured_quirks(Model("a", "http://elsewhere/v1", "openai", None, "m")) == ()
    back = {"max_completion_tokens": "max_tokens"}
    renamed = configured_quirks(Model("a", OPENAI, "openai", None, "m", rename=back))
    assert renamed == (Quirk(Action.RENAME, "max_completion_tokens", "max_tokens"),)
    dropped = configured_quirks(Model("a", OPENAI, "openai", None, "m", drop=frozenset({"seed", "max_tokens"})))
    assert dropped == (Quirk(Action.DROP, "max_tokens"), Quirk(Action.DROP, "seed"))
    roles = configured_quirks(Model("a", "https://api.deepseek.com/v1", "deepseek", None, "m"))
    assert [quirk for quirk in roles if quirk.action is Action.ROLE] == [Quirk(Action.ROLE, "developer", "system")]


def test_learnt_quirks_are_bounded() -> None:
    """An upstream could make up refusals without end."""
    quirks = ModelQuirks({})
    quirks.remember((Quirk(Action.DROP, f"f{number}") for number in range(1000)), "a")
    assert len(quirks.learnt()) == 64


def effort_of(provider: str | None, stated: str = "low", **fields: Any) -> dict[str, Any]:
    """Return what a model of a provider is sent for an effort."""
    base_url = PROVIDERS[provider].base_url if provider else "http://127.0.0.1:1/v1"
    model = Model("m", base_url, provider, None, "m", **fields)
    _, fitted = fit(configured_quirks(model), Conversation([USER]), {"reasoning_effort": stated})
    return dict(fitted)


@pytest.mark.parametrize(
    ("provider", "sent"),
    [
        (None, {"reasoning_effort": "low"}),
        ("openai", {"reasoning_effort": "low"}),
        ("google", {"reasoning_effort": "low"}),
        ("openrouter", {"reasoning": {"effort": "low"}}),
        ("anthropic", {"reasoning_effort": "low"}),  # a thinking budget when it is written: upstream/anthropic
        ("mistral", {}),
        ("embedded", {}),
    ],
)
def test_an_effort_is_sent_as_the_provider_takes_it(provider: str | None, sent: dict[str, Any]) -> None:
    """By its own name, as OpenRouter's object, or not at all where models have none."""
    assert effort_of(provider) == sent


def test_a_model_s_own_efforts_win() -> None:
    """For the efforts that config.yaml names; the others stay the provider's."""
    own = {"high": {"reasoning": {"max_tokens": 8000}}, "minimal": {}}
    assert effort_of("openrouter", "high", effort=own) == {"reasoning": {"max_tokens": 8000}}
    assert effort_of("openrouter", "minimal", effort=own) == {}
    assert effort_of("openrouter", "low", effort=own) == {"reasoning": {"effort": "low"}}
    assert effort_of(None, "low", effort={"low": {"reasoning_effort": "none"}}) == {"reasoning_effort": "none"}


def test_an_effort_that_is_dropped_or_renamed_is_not_translated() -> None:
    """`drop` and `rename` of config.yaml mean the client's parameter."""
    assert effort_of("openrouter", drop=frozenset({"reasoning_effort"})) == {}
    assert effort_of("openrouter", rename={"reasoning_effort": "effort"}) == {"effort": "low"}
