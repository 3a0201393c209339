"""What a request may use at most, by a rough estimate before any model is asked. Pure.

Each proposer reads the conversation; the critic, and the proposers of a later round, read it with all candidates beside
it; a verifier reads it with the answer. Each writes as much as its token limit lets it; where there is none, what it
writes is not in the estimate. What is asked again is not either: retries, hedges, fallbacks, revisions.
"""

from collections.abc import Mapping
from typing import Any

from config.settings import Mixture, Model
from synth.ledger import Expense, estimate_prompt_tokens, price_tokens
from synth.mixture import find_bypass_rule, needs_no_panel
from synth.request import ChatRequest
from upstream.calls import Tokens
from upstream.openai.wire import TOKEN_LIMITS

_MOST_WRITTEN = 10**7  # no model writes more, whatever it is allowed to


def of_model(request: ChatRequest, model: Model) -> Expense:
    """Return what one model uses that is asked for by its own name."""
    return _times(request.n, _call(model, estimate_prompt_tokens(request.messages), request.params))


def of_mixture(request: ChatRequest, mixture: Mixture, models: Mapping[str, Model]) -> Expense:
    """Return what a mixture uses."""
    critic = models[mixture.critic.model]
    prompt = estimate_prompt_tokens(request.messages)
    if find_bypass_rule(request, mixture) is not None:
        author = models[mixture.bypass.model or critic.name]
        return _times(request.n, _call(author, prompt, request.params))
    if needs_no_panel(request, mixture):
        return _times(request.n, _call(critic, prompt, request.params, mixture.critic.params))
    candidates = sum(_limit(models[each.model], request.params, each.params) for each in mixture.panel)
    rounds = [prompt] + [prompt + candidates] * (mixture.layers - 1)
    asked = [_call(models[each.model], read, request.params, each.params) for read in rounds for each in mixture.panel]
    answer = _criticism(request, mixture, critic, prompt + candidates)
    if mixture.verify is not None:
        written = _limit(critic, request.params, mixture.critic.params)
        answer += _call(models[mixture.verify.model], prompt + written, request.params, mixture.verify.params)
    return sum(asked, _times(request.n, answer))


def _criticism(request: ChatRequest, mixture: Mixture, critic: Model, prompt: int) -> Expense:
    """Return what one answer's critic uses; where the mode is not settled yet, in the dearer of the two."""
    writes = _call(critic, prompt, request.params, mixture.critic.params)
    verdict = {**mixture.critic.params, "max_tokens": mixture.verdict_max_tokens}
    chooses = _times(mixture.orders, _call(critic, prompt, request.params, verdict))
    if mixture.mode == "select":
        return chooses
    return max(writes, chooses, key=lambda use: (use.cost, use.tokens)) if mixture.mode == "auto" else writes


def _call(model: Model, prompt: int, params: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> Expense:
    return price_tokens(Tokens(prompt, _limit(model, params, overrides)), model.price)


def _limit(model: Model, params: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> int:
    """Return how many tokens a model may write, 0 where nobody says."""
    sources = (params, {**model.params, **(overrides or {})})
    stated = [source.get(name) for source in sources for name in TOKEN_LIMITS]
    limit = min((limit for limit in stated if isinstance(limit, int)), default=0)
    return min(max(limit, 0), _MOST_WRITTEN)


def _times(n: int, use: Expense) -> Expense:
    return Expense(n * use.tokens, n * use.cost)
