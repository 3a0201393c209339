"""Upstreams that answer oddly: their replies cost only their own answer."""

import asyncio
from typing import Any

import pytest

from config.settings import Critic, Secret
from tests.fakes import Ending, FakeUpstream, answer, drop_before, from_request, raw, raw_stream, status, wrong_shape
from tests.running import KEY, ask, model, running, settings

MESSAGE = {"role": "assistant", "content": "odd"}
ODD = [
    {"choices": [{"message": {**MESSAGE, "tool_calls": 5}}]},
    {"choices": [{"message": {**MESSAGE, "tool_calls": ["x"]}}]},
    {"choices": [{"message": {**MESSAGE, "tool_calls": [{"function": "s"}]}}]},
    {"choices": [{"message": {**MESSAGE, "tool_calls": [{"function": {"name": "f", "arguments": 7}}]}}]},
    {"choices": [{"message": {**MESSAGE, "content": 7}}]},
    {"choices": [{"message": {**MESSAGE, "function_call": "x"}}]},
    {"choices": [{"message": MESSAGE, "error": {"message": "half-way", "code": 503}}]},
    {"choices": [{"message": MESSAGE, "finish_reason": "error"}]},
    {"choices": [{"message": MESSAGE, "finish_reason": "MALFORMED_FUNCTION_CALL"}]},
    {"error": {"message": "x", "code": {}}},
    {"error": {"message": "x", "type": []}},
    {"error": {"message": "x", "code": "9" * 5000}},
    {"object": "error", "message": "vLLM says no", "code": 400},
]
CHUNKS = [
    {"choices": [{"index": 0, "delta": {"tool_calls": ["x"]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": "a", "function": {}}]}}]},
    {"choices": [{"index": 0, "delta": {"content": {"a": 1}}}]},
    {"choices": [{"index": 0, "delta": {"function_call": 7}}]},
]


@pytest.mark.parametrize("odd", ODD)
async def test_a_malformed_reply_fails_only_its_proposer(upstream: FakeUpstream, odd: Any) -> None:
    """The other candidate is the answer."""
    upstream.script("a", wrong_shape(odd))
    upstream.script("b", answer("fine"))
    async with running(settings([model(name, upstream, retries=0) for name in "ab"])) as gateway:
        reply = await gateway.chat()
    assert (reply.status, reply.text) == (200, "fine")
    assert reply.headers["x-mom-candidates"] == "1/2"


@pytest.mark.parametrize("odd", CHUNKS)
async def test_a_malformed_chunk_fails_only_its_critic(upstream: FakeUpstream, odd: Any) -> None:
    """The best candidate is the answer."""
    upstream.script("a", answer("one"))
    upstream.script("b", answer("two"))
    upstream.script("c", wrong_shape(odd))
    models = [model(name, upstream, retries=0) for name in "abc"]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c"))) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.streamed() == "one"


async def test_a_finished_answer_is_whole_however_its_connection_ends(upstream: FakeUpstream) -> None:
    """After the finish reason only the usage may be missing."""
    said = b'data: {"choices":[{"index":0,"delta":{"content":"whole"},"finish_reason":"stop"}]}\n\n'
    for ending in (Ending.CLOSE, Ending.RESET, Ending.HOLD):
        upstream.script("a", raw_stream([said], ending=ending))
        async with running(settings([model("a", upstream, retries=0)])) as gateway:
            reply = await gateway.chat(ask(stream=True))
        assert reply.streamed() == "whole"
        assert reply.events[-1] == "[DONE]"


async def test_a_long_stream_may_take_longer_than_timeout_s(upstream: FakeUpstream) -> None:
    """Of a stream it bounds each silence, not the whole."""
    gates = [asyncio.Event() for _ in range(6)]
    pieces = [f'data: {{"choices":[{{"index":0,"delta":{{"content":"{n}"}}}}]}}\n\n'.encode() for n in range(6)]
    end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    script = [part for pair in zip(gates, pieces, strict=True) for part in pair]
    upstream.default = raw_stream([*script, end])
    clock = asyncio.get_running_loop().time
    async with running(settings([model("a", upstream, retries=0, timeout_s=0.4)])) as gateway:
        started = clock()
        asking = asyncio.create_task(gateway.chat(ask(stream=True)))
        for gate in gates:
            await asyncio.sleep(0.1)
            gate.set()
        reply = await asking
    assert clock() - started > 0.4
    assert reply.streamed() == "012345"


async def test_no_part_of_a_key_is_shown(upstream: FakeUpstream) -> None:
    """Taken out before the message is cut, not after."""
    upstream.default = status(400, body={"error": {"message": "x" * 390 + KEY}})
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat()
    assert KEY[:10] not in reply.raw.decode()


async def test_a_short_header_value_takes_no_innocent_text_out(upstream: FakeUpstream) -> None:
    """`X-Title: mom` is no secret."""
    upstream.default = status(400, body={"error": {"message": "a moment"}})
    headers = {"X-Title": Secret("mom", "config.yaml")}
    async with running(settings([model("a", upstream, headers=headers)])) as gateway:
        assert "a moment" in (await gateway.chat()).error["message"]


async def test_white_space_alone_is_not_sent(upstream: FakeUpstream) -> None:
    """A critic that only breaks lines gives way to the best candidate."""
    upstream.script("a", answer("one"))
    upstream.script("b", answer("two"))
    upstream.script("c", answer("\n\n \n"))
    models = [model(name, upstream, retries=0) for name in "abc"]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c"))) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.streamed() == "one"
    assert reply.events[-1] == "[DONE]"


async def test_hidden_reasoning_does_not_prevent_a_retry(upstream: FakeUpstream) -> None:
    """A critic whose thoughts broke off is tried again."""
    thought = b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n'
    upstream.script("a", raw_stream([thought], ending=Ending.RESET), answer("second try"))
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.streamed() == "second try"


async def test_a_refusal_under_a_json_contract_is_an_answer(upstream: FakeUpstream) -> None:
    """OpenAI's models decline with a refusal and no content."""
    upstream.default = answer(None, message={"refusal": "No."})
    async with running(settings([model(name, upstream) for name in "ab"])) as gateway:
        reply = await gateway.chat(ask(response_format={"type": "json_object"}))
    assert reply.json["choices"][0]["message"]["refusal"] == "No."


async def test_one_choice_that_fails_does_not_cost_the_others(upstream: FakeUpstream) -> None:
    """The choices that were paid for are returned."""
    upstream.script("a", answer("paid for"), drop_before())
    async with running(settings([model("a", upstream, retries=0)])) as gateway:
        reply = await gateway.chat(ask(n=2, model="a"))
    assert [choice["message"]["content"] for choice in reply.json["choices"]] == ["paid for"]


async def test_calls_without_an_index_are_separated(upstream: FakeUpstream) -> None:
    """A new id begins a new call."""

    def delta(call_id: str, arguments: str) -> bytes:
        call = f'{{"id":"{call_id}","type":"function","function":{{"name":"f","arguments":"{arguments}"}}}}'
        return f'data: {{"choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}}}}]}}\n\n'.encode()

    end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
    upstream.default = raw_stream([delta("1", "{}"), delta("2", "{}"), end])
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(stream=True, model="a"))
    calls = [call for event in reply.events[:-1] for call in event["choices"][0]["delta"].get("tool_calls", ())]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("1", "{}"), ("2", "{}")]


async def test_a_single_model_passes_straight_through(upstream: FakeUpstream) -> None:
    """With what its upstream says beside the answer, in JSON and as a stream; a mixture has several authors."""
    extra = {"system_fingerprint": "fp_1", "citations": ["a"]}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}}
    logprobs = {"content": [{"token": "hi", "logprob": -0.5}]}
    message = {"annotations": [{"type": "url"}]}
    upstream.default = answer("hi", extra=extra, usage=usage, choice={"logprobs": logprobs}, message=message)
    async with running(settings([model(name, upstream) for name in "ab"])) as gateway:
        whole = (await gateway.chat(ask(model="a", logprobs=True))).json
        stream = await gateway.chat(ask(model="a", logprobs=True, stream=True))
        mixed = (await gateway.chat()).json
    assert (whole["system_fingerprint"], whole["citations"]) == ("fp_1", ["a"])
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 1}
    assert whole["choices"][0]["message"]["annotations"] == [{"type": "url"}]
    assert "system_fingerprint" not in mixed
    choices = [event["choices"][0] for event in stream.events[:-1]]
    assert any(choice["logprobs"] for choice in choices)
    assert any(choice["delta"].get("annotations") for choice in choices)


async def test_a_lone_critic_that_is_its_own_panel_is_streamed(upstream: FakeUpstream) -> None:
    """One model, one call, its words as they come."""
    upstream.default = from_request(lambda body: "streamed" if body.get("stream") else "whole")
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.streamed() == "streamed"
    assert len(upstream.requests) == 1


async def test_usage_of_an_unusable_reply_counts(upstream: FakeUpstream) -> None:
    """It was paid for."""
    upstream.script("a", wrong_shape({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}))
    upstream.script("b", answer("fine", usage=(10, 5)))
    async with running(settings([model(name, upstream, retries=0) for name in "ab"])) as gateway:
        usage = (await gateway.chat()).json["usage"]["mom"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["estimated"]) == (1010, 505, False)


async def test_events_under_another_content_type_are_read(upstream: FakeUpstream) -> None:
    """A body that looks like a stream is read as one."""
    body = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    upstream.default = raw(head + body)
    async with running(settings([model("a", upstream)])) as gateway:
        assert (await gateway.chat(ask(stream=True))).streamed() == "hi"
