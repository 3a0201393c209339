"""The request with which the doctor imitates a coding tool: its features, together and one by one. Pure.

aider sends temperature 0 with every request, agents send tools and a system prompt, and nearly all clients stream. A
model that answers "Hi" may still refuse one of these, and then it would drop out of every panel.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.settings import Model

_USER = {"role": "user", "content": "Hi"}
_SYSTEM = {"role": "system", "content": "You are a coding assistant. Answer in one word."}
_TOOL = {
    "type": "function",
    "function": {
        "name": "read_file",
        "description": "Read a file of the repository.",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string", "description": "relative to the root"}},
            "required": ["path"],
        },
    },
}


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that clients send: its name for messages, its parameters, whether it needs a system message or stream.

    `remedy` is the advice if a model refuses it and the gateway finds no way around.
    """

    label: str
    remedy: str
    params: Mapping[str, Any] = field(default_factory=dict)
    has_system: bool = False
    streams: bool = False


TEMPERATURE = Feature("temperature 0", "write drop: [temperature]", {"temperature": 0})
SYSTEM = Feature("a system message", "requests with one will fail", has_system=True)
TOOL = Feature("a tool", "write capabilities without tools, so that it is not asked to call them", {"tools": [_TOOL]})
STREAM = Feature("a stream", "requests of clients that stream will fail, unless another model answers", streams=True)


def list_features(model: Model) -> tuple[Feature, ...]:
    """Return what clients may send to this model: a tool only if its capabilities include tools."""
    return (TEMPERATURE, SYSTEM, *((TOOL,) if "tools" in model.capabilities else ()), STREAM)


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A request with some of the features."""

    messages: tuple[Mapping[str, Any], ...]
    params: Mapping[str, Any]
    streams: bool


def build_request(features: Iterable[Feature], limit: Mapping[str, int]) -> ClientRequest:
    """Return a short request with these features and this token limit."""
    chosen = tuple(features)
    params = {name: value for feature in chosen for name, value in feature.params.items()}
    messages = (_SYSTEM, _USER) if any(feature.has_system for feature in chosen) else (_USER,)
    return ClientRequest(messages, {**params, **limit}, any(feature.streams for feature in chosen))


def join_labels(features: Iterable[Feature]) -> str:
    """Return the features in words: `temperature 0, a system message and a stream`."""
    *most, last = [feature.label for feature in features]
    return f"{', '.join(most)} and {last}" if most else last
