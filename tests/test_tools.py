"""Tools: the panel advises, the critic alone calls."""

import json
from typing import Any

import pytest

from config.settings import Critic, Settings
from tests.fakes import FakeUpstream, answer, status, tool_call
from tests.running import Reply, ask, model, running, settings

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather of a town.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
GOOD = tool_call("weather", '{"town" :  "K\\u00f6ln"}', call_id="call_x-1")


def config(upstream: FakeUpstream, *critic: Any, **mixture: Any) -> Settings:
    upstream.script("a", answer("I would call weather."))
    upstream.script("b", answer("No tool needed."))
    upstream.script("c", *critic)
    models = [model(name, upstream, retries=0) for name in "abcd"]
    given = {"panel": ("a", "b"), "critic": Critic("c", fallbacks=("d",)), "tools_advice": "transcript"}
    return settings(models, **{**given, **mixture})


def calls(reply: Reply) -> Any:
    """Return the tool calls of a reply in either form."""
    if not reply.headers["content-type"].startswith("text/event-stream"):
        return reply.json["choices"][0]["message"].get("tool_calls")
    deltas = [event["choices"][0]["delta"] for event in reply.events[:-1]]
    found = [call for delta in deltas for call in delta.get("tool_calls", ())]
    return [{name: value for name, value in call.items() if name != "index"} for call in found]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_critic_alone_gets_and_calls_the_tools(upstream: FakeUpstream, stream: bool) -> None:
    """Members read of the tools in words; ids and arguments of the critic's call pass byte for byte."""
    async with running(config(upstream, answer(None, tool_calls=[GOOD]))) as gateway:
        reply = await gateway.chat(ask(tools=[WEATHER], tool_choice="auto", parallel_tool_calls=False, stream=stream))
    assert calls(reply) == [GOOD]
    if not stream:
        assert reply.json["choices"][0]["finish_reason"] == "tool_calls"
        assert reply.json["choices"][0]["message"]["content"] is None
    for request in upstream.requests[:2]:
        assert not {"tools", "tool_choice", "parallel_tool_calls"} & request.body.keys()
        words = request.body["messages"][-1]["content"]
        assert "Tells the weather of a town." in words
        assert '"required": ["town"]' in words
    critic = upstream.requests[2].body
    assert critic["tools"] == [WEATHER]
    assert critic["parallel_tool_calls"] is False
    assert "I would call weather." in critic["messages"][-1]["content"]


@pytest.mark.parametrize("stream", [False, True])
async def test_advisors_read_a_summary_and_the_critic_acts(upstream: FakeUpstream, stream: bool) -> None:
    """Neither tools nor transcript go to the panel; its notes are at the end of the critic's conversation."""
    messages = [
        {"role": "system", "content": "You are an agent."},
        {"role": "user", "content": "Weather in Bonn?"},
        {"role": "assistant", "content": "Let me look.", "tool_calls": [GOOD]},
        {"role": "tool", "tool_call_id": "call_x-1", "content": "Error: no such town\nand a long trace"},
    ]
    setting = config(upstream, answer(None, tool_calls=[GOOD]), tools_advice="prose", tools_fan_out="every_turn")
    async with running(setting) as gateway:
        reply = await gateway.chat({"messages": messages, "tools": [WEATHER], "max_tokens": 5000, "stream": stream})
    assert calls(reply) == [GOOD]
    for request in upstream.requests[:2]:
        assert "tools" not in request.body
        assert request.body["max_tokens"] == 600
        (message,) = request.body["messages"]
        assert "> Weather in Bonn?" in message["content"]
        assert "failed: Error: no such town" in message["content"]
        for absent in ("You are an agent.", "a long trace", "Tells the weather"):
            assert absent not in message["content"]
    critic = upstream.requests[2].body
    assert critic["messages"][: len(messages)] == messages
    assert "I would call weather." in critic["messages"][-1]["content"]
    assert "You decide and act." in critic["messages"][-1]["content"]


async def test_the_usage_of_a_turn_with_advice_is_the_conversation_s(upstream: FakeUpstream) -> None:
    """As the critic counted it, without the advice: a client decides by it when its context is full."""
    setting = config(upstream, answer("Rain.", usage=(5000, 3)), tools_advice="prose")
    upstream.script("a", answer("Look twice.", usage=(200, 40)))
    upstream.script("b", answer("All is well.", usage=(210, 60)))
    async with running(setting) as gateway:
        usage = (await gateway.chat(ask(tools=[WEATHER]))).json["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (4900, 3)


async def test_a_turn_that_answers_a_tool_goes_straight_to_the_critic(upstream: FakeUpstream) -> None:
    """No fan-out, unless the mixture wants one for every turn."""
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [GOOD]},
        {"role": "tool", "tool_call_id": "call_x-1", "content": "Rain"},
    ]
    async with running(config(upstream, answer("It rains."))) as gateway:
        reply = await gateway.chat({"messages": messages, "tools": [WEATHER]})
        assert reply.text == "It rains."
        assert [request.model for request in upstream.requests] == ["c"]
        assert upstream.requests[0].body["messages"] == messages
        assert reply.headers["x-mom-candidates"] == "0/0"
    async with running(config(upstream, answer("It rains."), tools_fan_out="every_turn")) as gateway:
        await gateway.chat({"messages": messages, "tools": [WEATHER]})
    assert sorted(request.model for request in upstream.requests[1:]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (tool_call("rocket", "{}"), "not among those"),
        (tool_call("weather", "{town}"), "are not JSON"),
        (tool_call("weather", '{"city": "Köln"}'), '"town" is a required property'),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_bad_call_goes_back_once_with_the_finding(
    upstream: FakeUpstream, bad: dict[str, Any], says: str, stream: bool
) -> None:
    """The critic is told what is wrong; its second try counts."""
    async with running(config(upstream, answer(None, tool_calls=[bad]), answer(None, tool_calls=[GOOD]))) as gateway:
        reply = await gateway.chat(ask(tools=[WEATHER], stream=stream))
    assert calls(reply) == [GOOD]
    revision = upstream.requests_for("c")[1].body["messages"]
    assert says in revision[-1]["content"]
    assert [message["role"] for message in revision] == ["user", "assistant", "user"]


BAD_CALLS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "unknown": ([tool_call("rocket", "{}")], {}),
    "wrong type": ([tool_call("weather", '{"town": 5}')], {}),
    "cut": ([tool_call("weather", '{"town": "Bo')], {}),
    "two": ([GOOD, tool_call("weather", '{"town": "Bonn"}', call_id="call_2")], {"parallel_tool_calls": False}),
}


@pytest.mark.parametrize(("bad", "fields"), BAD_CALLS.values(), ids=BAD_CALLS)
@pytest.mark.parametrize("text", [None, "Let me look. "])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_stays_bad_goes_to_the_client(
    upstream: FakeUpstream, bad: list[dict[str, Any]], fields: dict[str, Any], text: str | None, stream: bool
) -> None:
    """As it is, and the first one if only one is allowed: agents tell the model what was wrong, and go on."""
    async with running(config(upstream, answer(text, tool_calls=bad))) as gateway:
        reply = await gateway.chat(ask(tools=[WEATHER], stream=stream, **fields))
    assert reply.status == 200
    assert calls(reply) == bad[:1]
    assert (reply.streamed() if stream else reply.json["choices"][0]["message"]["content"]) == (
        text or ("" if stream else None)
    )
    assert len(upstream.requests_for("c")) == 2
    assert not upstream.requests_for("d")


@pytest.mark.parametrize("second", [status(500), answer("In words, then."), answer("")])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_bad_call_without_a_better_revision_is_sent(upstream: FakeUpstream, second: Any, stream: bool) -> None:
    """If its revision fails, or is no call behind words that have gone out, the first call goes to the client."""
    bad = tool_call("rocket", "{}")
    async with running(config(upstream, answer("Let me look. ", tool_calls=[bad]), second)) as gateway:
        reply = await gateway.chat(ask(tools=[WEATHER], stream=stream))
    assert reply.status == 200
    if stream:
        assert reply.streamed() == "Let me look. "
        assert reply.events[-1] == "[DONE]"
        assert calls(reply) == [bad]
    elif "In words" not in reply.text:
        assert calls(reply) == [bad]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_missing_demanded_call_is_no_error(upstream: FakeUpstream, stream: bool) -> None:
    """The critic's words go out; an agent reads them, and goes on."""
    upstream.script("d", answer("Nor do I."))
    async with running(config(upstream, answer("No tool is needed."))) as gateway:
        reply = await gateway.chat(ask(tools=[WEATHER], tool_choice="required", stream=stream))
    assert reply.status == 200
    assert (reply.streamed() if stream else reply.text) in ("No tool is needed.", "Nor do I.")


async def test_when_no_critic_can_be_had_the_advice_is_the_answer(upstream: FakeUpstream) -> None:
    """A text is better than nothing, unless the request demands a call."""
    upstream.script("d", status(500))
    async with running(config(upstream, status(500))) as gateway:
        assert (await gateway.chat(ask(tools=[WEATHER]))).text == "I would call weather."
        demanding = await gateway.chat(ask(tools=[WEATHER], tool_choice="required"))
    assert demanding.status == 502


async def test_legacy_functions_work_alike(upstream: FakeUpstream) -> None:
    """`functions` and `function_call`, in JSON and as deltas."""
    call = {"name": "weather", "arguments": '{"town": "Bonn"}'}
    critic = answer(None, finish_reason="function_call", message={"function_call": call})
    async with running(config(upstream, critic)) as gateway:
        reply = await gateway.chat(ask(functions=[WEATHER["function"]]))
        streamed = await gateway.chat(ask(functions=[WEATHER["function"]], stream=True))
    assert reply.json["choices"][0]["message"]["function_call"] == call
    assert reply.json["choices"][0]["finish_reason"] == "function_call"
    assert json.dumps(call, separators=(",", ":")) in streamed.raw.decode()
    assert "functions" not in upstream.requests[0].body


async def test_a_mixture_whose_critics_cannot_call_says_so(upstream: FakeUpstream) -> None:
    """Known before any model is asked."""
    async with running(settings([model("a", upstream, capabilities=frozenset())])) as gateway:
        reply = await gateway.chat(ask(tools=[WEATHER]))
    assert (reply.status, reply.error["param"]) == (400, "tools")
    assert upstream.requests == []


async def test_tools_that_may_not_be_called_stay_away_from_the_panel(upstream: FakeUpstream) -> None:
    """`tool_choice: none` is a plain question; the critic still gets what the client sent."""
    async with running(config(upstream, answer("Plain."))) as gateway:
        await gateway.chat(ask(tools=[WEATHER], tool_choice="none"))
    proposer, _, critic = (request.body for request in upstream.requests)
    assert "tools" not in proposer
    assert proposer["messages"] == ask()["messages"]
    assert critic["tool_choice"] == "none"
