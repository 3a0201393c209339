"""What fits a model's context window. Pure, and by estimate: a rough count beforehand spares a refused call."""

from collections.abc import Sequence

from config.settings import Model
from synth.ledger import estimate_prompt_tokens, estimate_tokens
from synth.request import Message

_ANSWER_TOKENS = 256  # what an answer needs at the least
_TASK_TOKENS = 400  # what the critic's task itself takes, with a fence around each candidate


def holds(model: Model, messages: Sequence[Message]) -> bool:
    """Whether a conversation and a short answer to it fit the model; True where its window is not known."""
    window = model.context_tokens
    return window is None or estimate_prompt_tokens(messages) + _ANSWER_TOKENS <= window


def count_fitting(model: Model, messages: Sequence[Message], texts: Sequence[str]) -> int:
    """Return how many of the texts, best-ranked first, fit the model's window beside the conversation and an answer.

    Whole texts are dropped from the end; none is ever cut.
    """
    if model.context_tokens is None:
        return len(texts)
    left = model.context_tokens - estimate_prompt_tokens(messages) - _TASK_TOKENS - _ANSWER_TOKENS
    for position, text in enumerate(texts):
        left -= estimate_tokens(len(text))
        if left < 0:
            return position
    return len(texts)
