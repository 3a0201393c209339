"""A chat request after parsing."""

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.frozen import frozen
from upstream.openai.conversation import Message

__all__ = ["ChatRequest", "Message", "answers_tool_call", "find_last_request", "text_of"]


@frozen
class ChatRequest:
    """One chat-completions request.

    `model` is the name that the client asked for, or None. `messages` are the client's own and are never rewritten.
    `params` holds every other field unchanged, unknown ones too, except those about the reply: `n`, `stream` and
    `stream_options`.
    """

    model: str | None
    messages: Sequence[Message]
    params: Mapping[str, Any]
    n: int = 1
    stream: bool = False
    include_usage: bool = False


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, or the text parts of a list; "" for anything else."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def answers_tool_call(request: ChatRequest) -> bool:
    """Whether a tool's result has come since the model's last message: it continues its work, without a new question.

    Other messages may follow the result: some agents add reminders to it.
    """
    for message in reversed(request.messages):
        role = message.get("role")
        if role in ("tool", "function"):
            return True
        if role == "assistant":
            return False
    return False


def find_last_request(messages: Sequence[Message]) -> str:
    """Return the text of the user's last message, "" if there is none."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""
