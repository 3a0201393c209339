"""The `usage` of a reply, in the form of Chat Completions, from which the other APIs derive theirs. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from config.settings import Server
from handlers.request_record import as_number, rounded
from synth.events import Answered, DecidedBy, Finished
from synth.ledger import Ledger, estimate_prompt_tokens, estimate_tokens
from synth.normalize import count
from synth.request import ChatRequest, Message, text_of
from upstream.calls import Tokens


def build_usage(finished: Finished, ledger: Ledger, request: ChatRequest, server: Server) -> dict[str, Any]:
    """Return `usage`: at the top the counts that a client's context accounting needs, under `mom` the real total.

    At the top: the prompt tokens of the conversation as the best-ranked member of the panel counted them, and the
    completion tokens of the answer; or, with `server.usage: total`, the sums of all calls. A total has a `cost` only if
    all of its tokens have a price. `mom` also says how the answer was decided and who wrote it, because the headers of
    a stream leave before that is known.
    """
    used = ledger.used()
    first = finished.answers[0]
    whole = {
        "decided_by": first.decided_by.value,
        "author": first.author,
        "calls": used.n_calls,
        **_token_counts(used.tokens),
        **_cache_counts(used.tokens),
        "estimated": used.tokens.estimated,
        **_cost_fields(used.cost, currency=server.currency),
        "models": {
            name: {
                "calls": each.n_calls,
                **_token_counts(each.tokens),
                **_cache_counts(each.tokens),
                **_cost_fields(each.cost),
            }
            for name, each in ledger.by_model().items()
        },
    }
    top = used.tokens
    if server.usage != "total":
        top = Tokens(_prompt_tokens(ledger, request), _completion_tokens(finished.answers))
    details = first.completion.usage_details if first.decided_by is DecidedBy.MODEL else {}
    return {**details, **_token_counts(top), "mom": whole}


def _token_counts(tokens: Tokens) -> dict[str, int]:
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
    }


def _cache_counts(tokens: Tokens) -> dict[str, Any]:
    """Return the prompt's tokens read from and written to the upstream's cache; {} if it reports no use of one."""
    rate = tokens.hit_rate
    if rate is None:
        return {}
    return {
        "cached_tokens": tokens.cached,
        "cache_write_tokens": tokens.written,
        "cache_hit_rate": rounded(rate),
    }


def _cost_fields(cost: Decimal | None, **beside: str) -> dict[str, Any]:
    return {} if cost is None else {"cost": as_number(cost), **beside}


def _prompt_tokens(ledger: Ledger, request: ChatRequest) -> int:
    """Return the tokens of the client's conversation, as counted by the best-ranked model that read it unchanged."""
    for call in ledger.calls:
        counted = count(call.usage, "prompt_tokens")
        reads_more = call.role in ("critic", "verifier") and call.messages is not request.messages
        if counted is not None and not reads_more and _begins_with(call.messages, request.messages):
            return counted
    return _count_without_advice(ledger, request) or estimate_prompt_tokens(request.messages)


def _begins_with(messages: Sequence[Message], conversation: Sequence[Message]) -> bool:
    """Whether a model has read the conversation, and not a summary of it for advisors."""
    read, asked = messages[0].get("content"), conversation[0].get("content")
    return read is asked or text_of(read).startswith(text_of(asked))


def _count_without_advice(ledger: Ledger, request: ChatRequest) -> int:
    """Return the critic's prompt tokens without the advice at its end, or 0 without advice or a count."""
    advisors = [call for call in ledger.calls if call.role == "proposer"]
    if any(_begins_with(call.messages, request.messages) for call in advisors):
        return 0
    read = next((n for call in ledger.calls if call.role == "critic" and (n := count(call.usage, "prompt_tokens"))), 0)
    return max(0, read - sum(count(call.usage, "completion_tokens") or 0 for call in advisors))


def _completion_tokens(answers: Sequence[Answered]) -> int:
    n_tokens = 0
    for answer in answers:
        completion = answer.completion
        counted = completion.completion_tokens
        n_tokens += estimate_tokens(len(completion.text) + len(completion.reasoning)) if counted is None else counted
    return n_tokens
