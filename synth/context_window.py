"""Estimating whether texts fit a model's context window, to avoid calls that would be refused. Pure."""

from collections.abc import Sequence

from config.settings import Model
from synth.ledger import estimate_prompt_tokens, estimate_tokens
from synth.request import Message

_ANSWER_TOKENS = 256  # the least that an answer needs
_TASK_TOKENS = 400  # for the critic's prompt itself and a fence around each candidate


def fits(model: Model, messages: Sequence[Message]) -> bool:
    """Whether a conversation and a short answer to it fit the model; True if its window is not known."""
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
