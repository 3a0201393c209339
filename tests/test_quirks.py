"""Models that refuse a part of a request: no member drops out because of a field that its sibling takes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from config.settings import Critic
from tests.fakes import FakeUpstream, answer, from_request, status
from tests.fakes.completions import error_body
from tests.running import Reply, ask, model, running, settings

Refusal = Callable[[Any], Any]
"""Makes of a request what the model says against it, or None if it takes the request."""


def unsupported(name: str) -> Any:
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return error_body(message, kind="invalid_request_error", param=name, code="unsupported_parameter")


def refuse_fields(*names: str) -> Refusal:
    return lambda request: next((unsupported(name) for name in names if name in request), None)


def refuse_temperature(request: Any) -> Any:
    if request.get("temperature", 1) == 1:
        return None
    message = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."
    return error_body(message, kind="invalid_request_error", param="temperature", code="unsupported_value")


def refuse_developer(request: Any) -> Any:
    if all(message["role"] != "developer" for message in request["messages"]):
        return None
    return {"error": {"message": "messages[0].role: unknown variant `developer`, expected one of `system`, `user`"}}


def refuse_tool_turns(request: Any) -> Any:
    if request.get("tools") or all(message["role"] != "tool" for message in request["messages"]):
        return None
    return {"error": {"message": "tool calling without `tools=` param specified is not supported"}}


def odd(refuse: Refusal, text: str = "the odd one", code: int = 400) -> Any:
    """Return a step that refuses, or answers."""

    def respond(request: Any) -> Any:
        refusal = refuse(request)
        return answer(text) if refusal is None else status(code, body=refusal)

    return from_request(respond)


TURNS = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "Sunny"},
    {"role": "assistant", "content": "Sunny."},
    {"role": "user", "content": "And tomorrow?"},
]
CASES: dict[str, tuple[Refusal, dict[str, Any]]] = {
    "temperature": (refuse_temperature, {"temperature": 0}),
    "max_tokens": (refuse_fields("max_tokens"), {"max_tokens": 50}),
    "max_completion_tokens": (refuse_fields("max_completion_tokens"), {"max_completion_tokens": 50}),
    "several": (refuse_fields("seed", "user", "top_p", "stop"), {"seed": 1, "user": "u", "top_p": 0.5, "stop": ["x"]}),
    "developer": (refuse_developer, {"messages": [{"role": "developer", "content": "Be brief."}, *TURNS[:1]]}),
    "tool turns": (refuse_tool_turns, {"messages": TURNS}),
}


@pytest.mark.parametrize(("refuse", "fields"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("stream", [False, True])
async def test_no_member_drops_out(upstream: FakeUpstream, refuse: Refusal, fields: Any, stream: bool) -> None:
    """It is asked once more at once, and from then on as it takes it."""
    upstream.script("a", odd(refuse))
    upstream.script("c", answer("the critic's"))
    models = [model(name, upstream, retries=0) for name in "abc"]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c"))) as gateway:
        replies = [await gateway.chat({**ask(stream=stream), **fields}) for _ in range(2)]
    assert [reply.headers["x-mom-candidates"] for reply in replies] == ["2/2", "2/2"]
    n_learning = 4 if "seed" in fields else 1
    assert len(upstream.requests_for("a")) == n_learning + 2
    assert len(upstream.requests_for("b")) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_single_model_gets_the_same_help(upstream: FakeUpstream, stream: bool) -> None:
    """And nothing is left out that it takes."""
    upstream.script("a", odd(refuse_fields("seed", "stream_options")))
    async with running(settings([model("a", upstream, retries=0)])) as gateway:
        reply = await gateway.chat(ask(model="a", stream=stream, seed=1, top_p=0.5, max_tokens=9))
    assert (reply.streamed() if stream else reply.text) == "the odd one"
    last = upstream.requests_for("a")[-1].body
    assert "seed" not in last
    assert (last["top_p"], last["max_tokens"]) == (0.5, 9)


async def test_a_learnt_quirk_is_logged_once(upstream: FakeUpstream) -> None:
    """With the upstream's words, and the line that makes it permanent."""
    upstream.script("a", odd(refuse_fields("seed")))
    with structlog.testing.capture_logs() as logs:
        async with running(settings([model("a", upstream)])) as gateway:
            for _ in range(3):
                await gateway.chat(ask(seed=1))
    (line,) = [each for each in logs if "fitting" in each]
    assert (line["model"], line["config"], line["log_level"]) == ("a", "drop: [seed]", "warning")
    assert "not supported" in line["cause"]


async def test_a_malformed_request_is_not_learnt_from(upstream: FakeUpstream) -> None:
    """The client reads what is wrong, and the next one's temperature goes out."""
    message = "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 5 instead."
    body = error_body(message, kind="invalid_request_error", param="temperature", code="decimal_above_max_value")
    upstream.script("a", odd(lambda request: body if request["temperature"] > 2 else None))
    async with running(settings([model("a", upstream)])) as gateway:
        refused = await gateway.chat(ask(model="a", temperature=5))
        taken = await gateway.chat(ask(model="a", temperature=2))
    assert refused.status == 400
    assert "decimal above maximum" in refused.error["message"]
    assert taken.status == 200
    assert [request.body["temperature"] for request in upstream.requests_for("a")] == [5, 2]


async def test_a_refusal_that_never_ends_is_given_up(upstream: FakeUpstream) -> None:
    """A model that refuses one field after the other is asked a bounded number of times; nothing of it is kept."""
    fields: dict[str, Any] = {f"field_{number}": number for number in range(30)}
    upstream.script("a", odd(lambda request: next((unsupported(name) for name in request if name in fields), None)))
    async with running(settings([model("a", upstream, retries=0)])) as gateway:
        reply = await gateway.chat(ask(model="a", **fields))
        n_asked = len(upstream.requests)
        await gateway.chat(ask(model="a", field_0=0))
    assert reply.status == 400
    assert n_asked == 9
    assert "field_0" in upstream.requests[n_asked].body


async def test_a_refusal_costs_neither_retries_nor_the_breaker(upstream: FakeUpstream) -> None:
    """After it the model has all of its retries."""
    failing = iter([500, 500])
    fitted = from_request(lambda _: status(code) if (code := next(failing, None)) else answer("at last"))
    upstream.script("a", status(400, body=unsupported("seed")), fitted)
    async with running(settings([model("a", upstream, retries=2)])) as gateway:
        reply = await gateway.chat(ask(model="a", seed=1))
    assert (reply.status, reply.text) == (200, "at last")


async def test_concurrent_calls_all_learn(upstream: FakeUpstream) -> None:
    """Also those that were under way when the first one was refused."""
    upstream.script("a", odd(refuse_fields("seed")))
    async with running(settings([model("a", upstream, retries=0)])) as gateway:
        replies: list[Reply] = await asyncio.gather(*(gateway.chat(ask(model="a", seed=1)) for _ in range(8)))
    assert {reply.status for reply in replies} == {200}


@pytest.mark.parametrize("stream", [False, True])
async def test_json_is_asked_for_in_the_form_that_is_taken(upstream: FakeUpstream, stream: bool) -> None:
    """A server that knows json_schema alone gets a schema for any object."""

    def refuse(request: Any) -> Any:
        if (request.get("response_format") or {}).get("type") != "json_object":
            return None
        return {"error": "'response_format.type' must be 'json_schema' or 'text'"}

    upstream.default = odd(refuse, '{"n": 1}')
    async with running(settings([model(name, upstream, retries=0) for name in "ab"])) as gateway:
        reply = await gateway.chat(ask(stream=stream, response_format={"type": "json_object"}))
    assert reply.headers["x-mom-candidates"] == "2/2"
    assert upstream.requests_for("b")[-1].body["response_format"]["type"] == "json_schema"


async def test_a_key_in_a_refusal_is_not_kept(upstream: FakeUpstream) -> None:
    """The cause goes into the log and onto pages."""
    secret = "sk-canary-0123456789abcdef"
    upstream.script("a", odd(lambda request: unsupported("seed") if "seed" in request else None))
    body = {"error": {"message": f"Key {secret}: 'seed' is not supported"}}
    upstream.script("a", status(400, body=body), answer("fine"))
    with structlog.testing.capture_logs() as logs:
        async with running(settings([model("a", upstream)])) as gateway:
            await gateway.chat(ask(model="a", seed=1))
    assert secret not in str(logs)
    assert any("seed" in str(line.get("cause")) for line in logs)


async def test_reasoning_without_an_opening_mark_is_no_text(upstream: FakeUpstream) -> None:
    """From its first reply on, in JSON and then in streams as well; other members do not read it."""
    upstream.script("a", answer("I should be brief.\n</think>\n\nRivers flow."))
    upstream.script("c", answer("The critic's."))
    models = [model(name, upstream) for name in "abc"]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c"))) as gateway:
        await gateway.chat(ask())
        whole = await gateway.chat(ask(model="a"))
        streamed = await gateway.chat(ask(model="a", stream=True))
    shown = str(upstream.requests_for("c")[0].body["messages"])
    assert "Rivers flow." in shown
    assert "brief" not in shown
    assert (whole.text, streamed.streamed()) == ("Rivers flow.", "Rivers flow.")
    assert streamed.streamed("reasoning_content").strip() == "I should be brief."
