"""What a client asks, checked and taken apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.frozen import frozen
from upstream.openai.conversation import Message

__all__ = ["ChatRequest", "Message", "answers_tool_call", "text_of"]


@frozen
class ChatRequest:
    """One chat-completions request.

    `model` is what the client asked for, or None. `messages` are the client's own, never rewritten. `params` holds
    every other field as it came, also unknown ones, but for those that are about the reply: `n`, `stream` and
    `stream_options`.
    """

    model: str | None
    messages: Sequence[Message]
    params: Mapping[str, Any]
    n: int = 1
    stream: bool = False
    include_usage: bool = False


def text_of(content: Any) -> str:
    """Return the text in a message's content: a string, the text parts of a list, nothing else."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def answers_tool_call(request: ChatRequest) -> bool:
    """Whether this turn hands the model what a tool said: the work goes on, and there is nothing to propose."""
    return request.messages[-1].get("role") in ("tool", "function")
