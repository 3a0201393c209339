"""A program that uses the OpenAI Python SDK: `python openai_python.py URL CASE` prints the result as JSON."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

QUESTION: Any = [{"role": "user", "content": "What is the answer?"}]
ADD: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}


class Answer(BaseModel):
    steps: list[str]
    value: int


def basic(client: OpenAI) -> Any:
    completion = client.chat.completions.create(model="mom", messages=QUESTION)
    return completion.model_dump()


def asynchronous(client: OpenAI) -> Any:
    async def ask() -> list[str | None]:
        async with AsyncOpenAI(base_url=client.base_url, api_key=client.api_key) as caller:
            asked = [caller.chat.completions.create(model="mom", messages=QUESTION) for _ in range(3)]
            return [completion.choices[0].message.content for completion in await asyncio.gather(*asked)]

    return asyncio.run(ask())


def asynchronous_stream(client: OpenAI) -> Any:
    async def ask() -> str:
        async with AsyncOpenAI(base_url=client.base_url, api_key=client.api_key) as caller:
            stream = await caller.chat.completions.create(model="mom", messages=QUESTION, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    return asyncio.run(ask())


def steered(client: OpenAI) -> Any:
    mom = {"mode": "select", "panel": ["a", "b"], "show": ["candidates", "verdict"]}
    whole = client.chat.completions.create(model="mom", messages=QUESTION, extra_body={"mom": mom})
    chunks = client.chat.completions.create(model="mom", messages=QUESTION, stream=True, extra_body={"mom": mom})
    *_, last = chunks
    return {"message": whole.choices[0].message.content, "whole": whole.mom, "streamed": last.mom}  # type: ignore[attr-defined]


def mistaken(client: OpenAI) -> Any:
    return _error(
        lambda: client.chat.completions.create(model="mom", messages=QUESTION, extra_body={"mom": {"modus": "first"}})
    )


def stream(client: OpenAI) -> Any:
    return [chunk.model_dump() for chunk in client.chat.completions.create(model="mom", messages=QUESTION, stream=True)]


def stream_with_usage(client: OpenAI) -> Any:
    options: Any = {"include_usage": True}
    chunks = client.chat.completions.create(model="mom", messages=QUESTION, stream=True, stream_options=options)
    return [chunk.model_dump() for chunk in chunks]


def stream_accumulated(client: OpenAI) -> Any:
    with client.chat.completions.stream(model="mom", messages=QUESTION) as events:
        kinds = {event.type for event in events}
        return {"kinds": sorted(kinds), "completion": events.get_final_completion().model_dump()}


def parse(client: OpenAI) -> Any:
    completion = client.chat.completions.parse(model="mom", messages=QUESTION, response_format=Answer)
    parsed = completion.choices[0].message.parsed
    assert isinstance(parsed, Answer)
    return parsed.model_dump()


def parse_stream(client: OpenAI) -> Any:
    with client.chat.completions.stream(model="mom", messages=QUESTION, response_format=Answer) as events:
        for _ in events:
            pass
        parsed = events.get_final_completion().choices[0].message.parsed
    assert isinstance(parsed, Answer)
    return parsed.model_dump()


def tools(client: OpenAI) -> Any:
    called = client.chat.completions.create(model="mom", messages=QUESTION, tools=[ADD]).choices[0]
    calls = called.message.tool_calls or []
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": str(sum(json.loads(call.function.arguments).values()))}
        for call in calls
    ]
    messages: Any = [*QUESTION, called.message, *results]
    answered = client.chat.completions.create(model="mom", messages=messages, tools=[ADD]).choices[0]
    return {
        "finish_reason": called.finish_reason,
        "calls": [call.model_dump() for call in calls],
        "answer": answered.message.content,
    }


def tools_stream(client: OpenAI) -> Any:
    with client.chat.completions.stream(model="mom", messages=QUESTION, tools=[ADD]) as events:
        for _ in events:
            pass
        choice = events.get_final_completion().choices[0]
    calls = [call.model_dump(exclude={"function": {"parsed_arguments"}}) for call in choice.message.tool_calls or ()]
    return {"finish_reason": choice.finish_reason, "calls": calls}


def parse_beside_tools(client: OpenAI) -> Any:
    strict: Any = openai.pydantic_function_tool(Answer, name="unused")
    asked = client.chat.completions.parse(model="mom", messages=QUESTION, tools=[strict], response_format=Answer)
    parsed = asked.choices[0].message.parsed
    assert isinstance(parsed, Answer)
    return parsed.model_dump()


def allowed_tools(client: OpenAI) -> Any:
    named: Any = {"type": "function", "function": {"name": "add"}}
    choice: Any = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named]}}
    asked = client.chat.completions.create(model="mom", messages=QUESTION, tools=[ADD], tool_choice=choice)
    return asked.choices[0].message.content


def choices(client: OpenAI) -> Any:
    completion = client.chat.completions.create(model="mom", messages=QUESTION, n=2)
    return [(choice.index, choice.message.content) for choice in completion.choices]


def image(client: OpenAI) -> Any:
    parts: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
    ]
    messages: Any = [{"role": "user", "content": parts}]
    return client.chat.completions.create(model="mom", messages=messages).choices[0].message.content


def raw(client: OpenAI) -> Any:
    response = client.chat.completions.with_raw_response.create(
        model="mom", messages=QUESTION, extra_headers={"x-request-id": "req-of-mine"}
    )
    completion = response.parse()
    return {
        "headers": dict(response.headers),
        "request_id": completion._request_id,  # public, as the SDK documents
        "content": completion.choices[0].message.content,
    }


def models(client: OpenAI) -> Any:
    listed = client.models.list()
    return {"listed": [model.id for model in listed], "mom": client.models.retrieve("mom").model_dump()}


def one_model(client: OpenAI) -> Any:
    completion = client.chat.completions.create(model="b", messages=QUESTION)
    return {"model": completion.model, "content": completion.choices[0].message.content}


def unknown_model(client: OpenAI) -> Any:
    return _error(lambda: client.chat.completions.create(model="gpt-9", messages=QUESTION))


def outage(client: OpenAI) -> Any:
    return _error(lambda: client.chat.completions.create(model="mom", messages=QUESTION))


def broken_stream(client: OpenAI) -> Any:
    said: list[str] = []

    def read() -> None:
        chunks = client.chat.completions.create(model="mom", messages=QUESTION, stream=True)
        said.extend(chunk.choices[0].delta.content or "" for chunk in chunks)

    return {**_error(read), "said": "".join(said)}


def _error(ask: Callable[[], object]) -> dict[str, Any]:
    try:
        ask()
    except openai.APIError as error:
        request_id = getattr(error, "request_id", None)
        return {
            "kind": type(error).__name__,
            "message": error.message,
            "code": error.code,
            "param": error.param,
            "type": error.type,
            "request_id": request_id,
        }
    raise AssertionError("it succeeded")


if __name__ == "__main__":
    url, case = sys.argv[1:]
    print(json.dumps(globals()[case](OpenAI(base_url=url, api_key="sk-local"))))
