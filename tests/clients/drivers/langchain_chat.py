"""A program that uses LangChain: `python langchain_chat.py URL CASE` prints the result as JSON."""

import json
import sys
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, SecretStr

QUESTION = HumanMessage("What is the answer?")


class Answer(BaseModel):
    """The answer, and how it was found."""

    steps: list[str] = Field(description="one thought each")
    value: int


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def invoke(chat: ChatOpenAI) -> Any:
    message = chat.invoke([QUESTION])
    return {"text": message.content, "usage": message.usage_metadata, "metadata": message.response_metadata}


def stream(chat: ChatOpenAI) -> Any:
    chunks = list(chat.stream([QUESTION], stream_usage=True))
    return {"texts": [chunk.content for chunk in chunks], "usage": sum(_tokens(chunk) for chunk in chunks)}


def _tokens(chunk: Any) -> int:
    return chunk.usage_metadata["total_tokens"] if chunk.usage_metadata else 0


def tools(chat: ChatOpenAI) -> Any:
    calling = chat.bind_tools([add])
    called = calling.invoke([QUESTION])
    assert isinstance(called, AIMessage)
    results: list[ToolMessage] = [add.invoke(call) for call in called.tool_calls]
    return {"calls": called.tool_calls, "answer": calling.invoke([QUESTION, called, *results]).content}


def tools_stream(chat: ChatOpenAI) -> Any:
    first, *rest = chat.bind_tools([add]).stream([QUESTION])
    whole: Any = first
    for chunk in rest:
        whole += chunk
    return whole.tool_calls


def json_schema(chat: ChatOpenAI) -> Any:
    return _structured(chat, "json_schema")


def function_calling(chat: ChatOpenAI) -> Any:
    return _structured(chat, "function_calling")


def json_mode(chat: ChatOpenAI) -> Any:
    return _structured(chat, "json_mode")


def _structured(chat: ChatOpenAI, method: Literal["json_schema", "function_calling", "json_mode"]) -> Any:
    made = chat.with_structured_output(Answer, method=method).invoke([QUESTION])
    assert isinstance(made, Answer)
    return made.model_dump()


if __name__ == "__main__":
    url, case = sys.argv[1:]
    print(json.dumps(globals()[case](ChatOpenAI(model="mom", base_url=url, api_key=SecretStr("sk-local")))))
