"""How a request is fitted to the role and the capabilities of a model."""

from typing import Any

import pytest

from config.settings import Capability, Model
from synth.contract.contract import derive_contract
from synth.prompts import adapt
from synth.request import ChatRequest

USER = {"role": "user", "content": "Weather?"}
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}},
}
OTHER = {"type": "function", "function": {"name": "rocket"}}
OBJECT = {"type": "json_object"}
TYPED = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}}


def model(*capabilities: Capability) -> Model:
    return Model("a", "http://up/v1", None, None, "m", capabilities=frozenset(capabilities))


def for_proposer(asked: Model, *messages: Any, **params: Any) -> adapt.Adapted:
    request = ChatRequest(None, list(messages or [USER]), params)
    return adapt.adapt_for_proposer(request, derive_contract(request), asked)


def for_critic(asked: Model, *messages: Any, **params: Any) -> adapt.Adapted:
    request = ChatRequest(None, list(messages or [USER]), params)
    return adapt.adapt_for_critic(request.messages, request, derive_contract(request), asked)


def test_a_proposer_reads_of_tools_as_text() -> None:
    """Of those that may be called; it cannot call them, and answers in prose."""
    messages, params = for_proposer(
        model("tools"), tools=[TOOL, OTHER], tool_choice={"type": "function", "function": {"name": "weather"}}, seed=1
    )
    assert params == {"seed": 1}
    assert "weather: Tells it." in messages[-1]["content"]
    assert "rocket" not in messages[-1]["content"]


def test_a_plain_request_stays_as_it_is() -> None:
    """The same objects, so that their JSON is made once."""
    request = ChatRequest(None, [USER], {"seed": 1})
    messages, params = adapt.adapt_for_proposer(request, derive_contract(request), model())
    assert messages is request.messages
    assert params is request.params


def test_a_critic_gets_tools_if_it_can_call_them() -> None:
    """Else it answers in words."""
    assert "tools" in for_critic(model("tools"), tools=[TOOL])[1]
    assert for_critic(model(), tools=[TOOL], tool_choice="auto")[1] == {}


def test_pictures_become_notes_for_a_critic_that_cannot_see() -> None:
    """And go to one that can as they are."""
    assert for_critic(model("vision"), IMAGE)[0][0] is IMAGE
    assert "image_url" in for_critic(model(), IMAGE)[0][0]["content"][0]["text"]


@pytest.mark.parametrize("fit", [for_proposer, for_critic])
@pytest.mark.parametrize(
    ("capabilities", "wanted", "sent", "has_words"),
    [
        (("json_object",), OBJECT, "json_object", False),
        (("json_schema",), OBJECT, "json_schema", False),
        ((), OBJECT, None, True),
        (("json_schema",), TYPED, "json_schema", False),
        (("json_object",), TYPED, "json_object", True),
        ((), TYPED, None, True),
    ],
)
def test_json_is_asked_for_in_the_way_that_holds(
    fit: Any, capabilities: tuple[Capability, ...], wanted: Any, sent: str | None, has_words: bool
) -> None:
    """The wanted form, or the other one, or words, which name the schema."""
    messages, params = fit(model(*capabilities), response_format=wanted)
    assert params.get("response_format", {}).get("type") == sent
    assert (messages[-1] != USER) is has_words
    assert ("integer" in str(messages[-1])) is (has_words and wanted is TYPED)
