"""Estimating the most that a request may cost, before any model is asked. Pure.

Each proposer reads the whole request: messages, tools, schemas, and fields that are passed on. The critic, and the
proposers of a further layer, read it with all candidates; a reviewer reads it with the answer. Each writes up to its
token limit, or DEFAULT_OUTPUT_TOKENS without one. Repeated calls are not in the estimate: retries, hedges, fallbacks,
revisions.
"""

from collections.abc import Mapping
from typing import Any

from config.settings import Critic, Mixture, Model
from synth.ledger import DEFAULT_OUTPUT_TOKENS, Expense, estimate_request_tokens, price_tokens
from synth.mixture import find_bypass_rule, find_panel_reason
from synth.request import ChatRequest
from upstream.calls import Tokens
from upstream.openai.wire import find_token_limit

_MOST_WRITTEN = 10**7  # tokens; no model writes more, whatever its limit says


def estimate_model(request: ChatRequest, model: Model) -> Expense:
    """Return the estimate for a model that is asked by its own name."""
    return _multiply(
        request.n, _estimate_call(model, estimate_request_tokens(request.messages, request.params), request.params)
    )


def estimate_mixture(request: ChatRequest, mixture: Mixture, models: Mapping[str, Model]) -> Expense:
    """Return the estimate for a mixture."""
    author = models[mixture.authors[0]]
    prompt = estimate_request_tokens(request.messages, request.params)
    if find_bypass_rule(request, mixture) is not None:
        author = models[mixture.bypass.model] if mixture.bypass.model else author
        return _multiply(request.n, _estimate_call(author, prompt, request.params))
    if not find_panel_reason(request, mixture)[0]:
        return _multiply(request.n, _estimate_call(author, prompt, request.params, mixture.author_params))
    candidates = sum(_find_limit(models[each.model], request.params, each.params) for each in mixture.panel)
    read_by_layer = [prompt] + [prompt + candidates] * (mixture.layers - 1)
    panel = [
        _estimate_call(models[each.model], read, request.params, each.params)
        for read in read_by_layer
        for each in mixture.panel
    ]
    if mixture.critic is None:
        return sum(panel, Expense())
    answer = _estimate_critic(request, mixture, mixture.critic, author, prompt + candidates)
    if mixture.verify is not None:
        written = _find_limit(author, request.params, mixture.author_params)
        reviewer = models[mixture.verify.model]
        answer += _estimate_call(reviewer, prompt + written, request.params, mixture.verify.params)
    return sum(panel, _multiply(request.n, answer))


def _estimate_critic(request: ChatRequest, mixture: Mixture, critic: Critic, model: Model, prompt: int) -> Expense:
    """Return the estimate for one answer's critic; if the mode is not known yet, for the dearer of the two."""
    writes = _estimate_call(model, prompt, request.params, critic.params)
    for_pick = {**critic.params, "max_tokens": mixture.verdict_max_tokens}
    picks = _multiply(mixture.orders, _estimate_call(model, prompt, request.params, for_pick))
    if mixture.mode == "select":
        return picks
    return max(writes, picks, key=lambda each: (each.cost, each.tokens)) if mixture.mode == "auto" else writes


def _estimate_call(
    model: Model, prompt: int, params: Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> Expense:
    is_written = model.price is not None and (model.price.cache_write or 0) > model.price.input
    tokens = Tokens(prompt, _find_limit(model, params, overrides), written=prompt if is_written else 0)
    return price_tokens(tokens, model.price)


def _find_limit(model: Model, params: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> int:
    """Return how many tokens a model may write: its limit, or the length of a usual answer if it has none."""
    limit = find_token_limit(params, {**model.params, **(overrides or {})})
    return DEFAULT_OUTPUT_TOKENS if limit is None or limit < 0 else min(limit, _MOST_WRITTEN)


def _multiply(n: int, each: Expense) -> Expense:
    return Expense(n * each.tokens, n * each.cost)
