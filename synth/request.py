"""A chat request after parsing."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from config.settings import Mode
from runtime.frozen import frozen
from upstream.openai.conversation import Message

__all__ = ["ChatRequest", "Message", "Shown", "Steering", "answers_tool_call", "find_last_request", "text_of"]

Shown = Literal["candidates", "verdict"]


@frozen
class Steering:
    """The field `mom` of a request, which overrides settings of its mixture; None leaves a setting as configured.

    `panel` () asks for no panel, `critic` "" for no critic, `stages` () for all proposers at once. `show` names the
    extras of the reply beside the answer.
    """

    mode: Mode | None = None
    panel: tuple[str, ...] | None = None
    critic: str | None = None
    stages: tuple[int, ...] | None = None
    max_cost: Decimal | None = None
    show: frozenset[Shown] = frozenset()

    @property
    def refuses_panel(self) -> bool:
        """Whether the request asks for an answer without a panel."""
        return self.panel == ()

    def as_json(self) -> dict[str, Any]:
        """Return the field `mom` that asks for just this."""
        stated: dict[str, Any] = {
            "mode": self.mode,
            "panel": None if self.panel is None else list(self.panel) or False,
            "critic": None if self.critic is None else self.critic or False,
            "stages": None if self.stages is None else list(self.stages),
            "max_cost": None if self.max_cost is None else float(self.max_cost),
            "show": sorted(self.show) or None,
        }
        return {key: value for key, value in stated.items() if value is not None}


UNSTEERED = Steering()


@frozen
class ChatRequest:
    """One chat-completions request.

    `model` is the name that the client asked for, or None. `messages` are the client's own and are never rewritten.
    `params` holds every other field unchanged, unknown ones too, except those about the reply: `n`, `stream` and
    `stream_options`. `steering` never goes to a model.
    """

    model: str | None
    messages: Sequence[Message]
    params: Mapping[str, Any]
    n: int = 1
    stream: bool = False
    include_usage: bool = False
    steering: Steering = UNSTEERED


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, or the text parts of a list; "" for anything else."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def start_of(content: Any, n_chars: int) -> str:
    """Return the first characters of `text_of(content)`, without copying the rest, which may be megabytes."""
    if not isinstance(content, list):
        return text_of(content)[:n_chars]
    pieces: list[str] = []
    for part in content:
        if n_chars <= 0:
            break
        pieces.append(text_of([part])[:n_chars])
        n_chars -= len(pieces[-1])
    return "".join(pieces)


def answers_tool_call(request: ChatRequest) -> bool:
    """Whether a tool's result follows the model's last message: the model continues its work, without a new question.

    Other messages may follow the result: some agents add reminders to it.
    """
    for message in reversed(request.messages):
        role = message.get("role")
        if role in ("tool", "function"):
            return True
        if role == "assistant":
            return False
    return False


def find_earlier_requests(messages: Sequence[Message]) -> str:
    """Return the texts of the user's messages before the last one, in order, "" if there are none."""
    asked = [message.get("content") for message in messages if message.get("role") == "user"]
    return "\n\n".join(map(text_of, asked[:-1]))


def find_last_request(messages: Sequence[Message]) -> str:
    """Return the text of the user's last message, "" if there is none."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""
