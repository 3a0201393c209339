"""For any request and any upstream's reply the client gets a well-formed reply, never a 500, never a hang."""

import asyncio
import json
from collections.abc import Container, Coroutine, Mapping
from typing import Any, TypeVar

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.settings import Critic, Settings
from handlers.api.chat.parse import ROLES
from tests.fakes import Ending, FakeUpstream, Step, answer, raw, raw_stream, reply, wrong_shape
from tests.running import Reply, ask, model, running, settings

T = TypeVar("T")

WAIT_S = 30.0
MANY = hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

_TEXTS = st.text(max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    [
        *("model", "n", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "stop"),
        *("tools", "functions", "tool_choice", "function_call", "response_format", "logprobs", "metadata", "seed"),
    ]
)
_PARTS = st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "x"])}, optional={"text": _JSON})
_MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(ROLES)},
    optional={
        "content": _JSON | st.lists(_PARTS, max_size=2),
        "tool_calls": _JSON,
        "tool_call_id": _JSON,
        "name": _JSON,
    },
)
_BODIES = st.one_of(
    st.binary(max_size=60),
    _JSON.map(lambda value: json.dumps(value).encode()),
    st.tuples(st.lists(_MESSAGES, max_size=3), st.dictionaries(_FIELDS, _JSON, max_size=4)).map(
        lambda parts: json.dumps({**parts[1], "messages": parts[0]}).encode()
    ),
)

_DELTAS = st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "reasoning_content", "x"]), _JSON)
_CHOICES = st.fixed_dictionaries({}, optional=dict.fromkeys(("index", "finish_reason", "logprobs", "error"), _JSON))
_COMPLETIONS = st.fixed_dictionaries(
    {"choices": st.lists(st.tuples(_CHOICES, _DELTAS).map(lambda two: {**two[0], "message": two[1]}), max_size=2)},
    optional=dict.fromkeys(("usage", "id", "model", "error", "object", "created"), _JSON),
)
_CHUNKS = st.fixed_dictionaries(
    {"choices": st.lists(st.tuples(_CHOICES, _DELTAS).map(lambda two: {**two[0], "delta": two[1]}), max_size=2)},
    optional=dict.fromkeys(("usage", "error"), _JSON),
)
_LINES = st.one_of(
    _CHUNKS.map(lambda chunk: b"data: " + json.dumps(chunk).encode() + b"\n\n"),
    st.sampled_from([b"data: [DONE]\n\n", b": beat\n\n", b"event: x\n", b"data:\n\n", b"\r\n", b"data"]),
    st.binary(max_size=30),
)
_ENDINGS = st.sampled_from([Ending.COMPLETE, Ending.CLOSE, Ending.RESET])
_STREAMS = st.builds(
    lambda lines, ending: raw_stream([line for line in lines if line], ending=ending),
    st.lists(_LINES, max_size=6),
    _ENDINGS,
)
_REPLIES = st.one_of(
    _COMPLETIONS.map(wrong_shape),
    _JSON.map(wrong_shape),
    st.builds(lambda code, body: reply(json.dumps(body).encode(), code=code), st.integers(200, 599), _JSON),
    st.binary(max_size=60).map(reply),
    st.binary(max_size=80).map(raw),
    st.binary(max_size=60).map(lambda data: raw(b"HTTP/1.1 200 OK\r\n" + data)),
    _STREAMS,
)


@MANY
@given(_BODIES)
def test_any_body_gets_a_reply_or_a_client_error(body: bytes) -> None:
    """A 200, or a 4xx in OpenAI's shape that the client is told the reason of."""

    async def check() -> None:
        async with FakeUpstream(answer('{"n": 1}')) as upstream, running(_two_and_critic(upstream)) as gateway:
            said = await gateway.chat(data=body, headers={"Content-Type": "application/json"})
        _check(said, range(200, 500))

    _run(check())


@MANY
@given(_REPLIES, st.booleans())
def test_any_reply_of_a_proposer_costs_only_its_own_answer(step: Step, stream: bool) -> None:
    """It costs its own answer alone."""
    _check(_run(_asked({"a": step}, ask(stream=stream))), [200])


@MANY
@given(_REPLIES, st.booleans())
def test_any_reply_of_a_critic_gives_an_answer_or_an_error(step: Step, stream: bool) -> None:
    """The client gets its words, or the best candidate; a stream that broke off ends with an error."""
    _check(_run(_asked({"a": answer("one"), "b": answer("two"), "c": step}, ask(stream=stream))), [200])


KEPT = (401, 402, 403, 404, 413, 429)
"""The statuses that a model asked by its own name keeps, because its client can act on them."""


@MANY
@given(_REPLIES, st.booleans())
def test_any_reply_of_a_lone_model_gives_an_answer_or_an_error(step: Step, stream: bool) -> None:
    """Its answer, or an error that says why there is none."""
    _check(_run(_asked({"a": step}, ask(stream=stream, model="a"))), [200, 400, *KEPT, 502, 503, 504])


async def _asked(scripts: Mapping[str, Step], body: Any) -> Reply:
    """Return the reply to one request; each has a gateway of its own, as breakers remember."""
    async with FakeUpstream(answer("fine")) as upstream, running(_two_and_critic(upstream)) as gateway:
        for name, step in scripts.items():
            upstream.script(name, step)
        return await gateway.chat(body)


def _two_and_critic(upstream: FakeUpstream) -> Settings:
    models = [model(name, upstream, retries=0) for name in "abc"]
    return settings(models, panel=("a", "b"), critic=Critic("c"))


def _check(said: Reply, statuses: Container[int]) -> None:
    assert said.status in statuses
    assert said.headers["x-request-id"]
    if said.headers["content-type"].startswith("text/event-stream"):
        *_, last = said.events
        assert last == "[DONE]" or _is_error(last)
    elif said.status == 200:
        assert isinstance(said.json["choices"][0]["message"]["content"], str | None)
    else:
        assert _is_error(said.json)


def _is_error(body: Any) -> bool:
    """Whether a body is an error in OpenAI's shape."""
    error = body["error"]
    strings = [error["message"], error["type"], error["code"] or "", error["param"] or ""]
    return bool(error["message"]) and all(isinstance(value, str) for value in strings)


def _run(asking: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(WAIT_S):
            return await asking

    return asyncio.run(bounded())
