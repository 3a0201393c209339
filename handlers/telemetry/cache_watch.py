"""Notices models whose upstream never reads a prompt from its cache, although conversations continue."""

from collections.abc import Mapping, Sequence

import structlog
from aiohttp import web

from synth.ledger import count_tokens
from upstream.calls import Call, Tokens

TURNS = 10
"""This many turns in a row without a cached token are no coincidence."""

_LEAST_PROMPT_TOKENS = 1024  # providers cache no shorter prompts

_log = structlog.get_logger(__name__)


class CacheWatch:
    """Counts for each model the turns in a row without cached tokens.

    A turn is a call that succeeded, with a prompt that is long enough for a cache and holds an earlier answer: without
    a cache its beginning is paid for again. Models that cost nothing for their prompts are left out.
    """

    def __init__(self) -> None:
        self._n_turns: dict[str, int] = {}

    def note(self, calls: Sequence[Call]) -> None:
        """Count the calls of a finished request. A model's tenth turn in a row writes a line into the log."""
        for call in calls:
            tokens, model = count_tokens(call), call.model.name
            if tokens.cached:
                self._n_turns.pop(model, None)
            elif tokens.prompt >= _LEAST_PROMPT_TOKENS and _continues_conversation(call, tokens):
                n_turns = self._n_turns[model] = self._n_turns.get(model, 0) + 1
                if n_turns == TURNS:
                    remedy = "see docs/agents.md, Prompt caches"
                    _log.warning("prompt cache unused", model=model, turns=TURNS, remedy=remedy)

    def uncached(self) -> Mapping[str, int]:
        """Return the models that have reached TURNS, each with its number of turns."""
        return {model: n_turns for model, n_turns in self._n_turns.items() if n_turns >= TURNS}


CACHE_WATCH = web.AppKey("cache_watch", CacheWatch)


def _continues_conversation(call: Call, tokens: Tokens) -> bool:
    if call.outcome != "ok" or tokens.estimated:
        return False
    price = call.model.price
    is_free = call.model.weights is not None or (price is not None and not price.input)
    return not is_free and any(message.get("role") == "assistant" for message in call.messages)
