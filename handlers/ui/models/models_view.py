"""The page of statistics: filtered numbers as text and charts. Pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from handlers.ui.charts import Part, Tone, draw_columns, draw_stacked_bar
from handlers.ui.digest import RequestDigest
from handlers.ui.formats import format_cost
from handlers.ui.models.recommendations import Recommendation, percent, recommend
from handlers.ui.models.statistics import (
    LATENCY_EDGES_S,
    Latency,
    MemberStatistics,
    MixtureStatistics,
    ModelStatistics,
    Usage,
    compute_statistics,
    divide,
    select_failures,
)
from upstream.openai.quirks import Quirk

LAST = 100

_NO_FAULT = frozenset({"cancelled", "straggler", "retrying", "left_out"})  # by decision of the gateway or the client
_FAULTS: tuple[Tone, ...] = ("bad", "bad-2")
_SERIES: tuple[Tone, ...] = ("one", "two")
_KIND_TONES = {"droppable": "warn", "worth it": "good"}


def build_models_view(requests: Sequence[RequestDigest], *, mixture: str, span: str) -> dict[str, Any]:
    """Return the page's template context for these requests, newest first.

    `mixture` is a name, or empty for all mixtures; `span` is `last` for the newest LAST requests, else all count.
    """
    names = sorted({request.mixture for request in requests if request.mixture is not None})
    chosen = [request for request in requests if mixture in ("", request.mixture)]
    numbers = compute_statistics(chosen[:LAST] if span == "last" else chosen)
    return {
        "mixture_names": names,
        "mixture": mixture,
        "span": "last" if span == "last" else "all",
        "last": LAST,
        "n_kept": len(requests),
        "n_requests": numbers.n_requests,
        "since": numbers.since,
        "until": numbers.until,
        "mixtures": [_mixture(each) for each in numbers.mixtures],
        "evidence": [_evidence(each) for each in numbers.mixtures if each.evidence.n_requests],
        "models": [_model(each) for each in numbers.models],
    }


def list_quirks(quirks: Mapping[str, Sequence[Quirk]]) -> list[dict[str, str]]:
    """Return a row for each part of a request that a model refuses, with the remedy and the cause."""
    return [
        {"model": name, "does": quirk.describe(), "cause": quirk.cause, "config": quirk.config()}
        for name, learnt in quirks.items()
        for quirk in learnt
    ]


def describe_cost(usage: Usage) -> str:
    """Return the cost of calls for people; an unknown price is never shown as 0."""
    known = " + ".join(format_cost(cost, currency) for currency, cost in usage.cost.items() if cost)
    if usage.n_unpriced:
        return f"at least {known}" if known else "unknown"
    return known or "0"


def list_counts(counts: Mapping[str, int]) -> str:
    """Return counts for people: `timeout 3, server error 1`."""
    return ", ".join(f"{_spaced(kind)} {count}" for kind, count in counts.items())


def _mixture(mixture: MixtureStatistics) -> dict[str, Any]:
    failed = select_failures(mixture.outcomes)
    decided = dict(mixture.decided_by.most_common())
    return {
        "name": mixture.name,
        "n_requests": mixture.n_requests,
        "outcomes": _outcomes(mixture.outcomes["ok"], failed, f"Outcomes of {mixture.name}"),
        "outcome_counts": _count_outcomes(mixture.outcomes["ok"], failed),
        "decided": _shares(decided, f"How the answers of {mixture.name} were decided"),
        "decided_by": list_counts(decided) or "no answer",
        "latency": _latency(mixture.latency, f"Seconds until {mixture.name} had answered"),
        **_used(mixture.usage),
        "recommendations": _recommendations(recommend(mixture)),
        "members": [_member(each) for each in mixture.members],
    }


def _evidence(mixture: MixtureStatistics) -> dict[str, Any]:
    found = mixture.evidence
    signals = {signal or "nothing": count for signal, count in found.by.most_common()}
    return {
        "name": mixture.name,
        "n_requests": found.n_requests,
        "signals": _shares(signals, f"Deciding signals of {mixture.name}"),
        "signal_counts": list_counts(signals),
        "n_decided": found.n_decided,
        "latency": found.latency,
        "unknown": percent(found.unknown_share),
        "n_ran": found.n_ran,
    }


def _recommendations(by_member: Mapping[str, Recommendation]) -> list[dict[str, str]]:
    """Return the recommendations in the panel's order, equal ones in one line."""
    names: dict[Recommendation, list[str]] = {}
    for name, recommendation in by_member.items():
        names.setdefault(recommendation, []).append(name)
    return [
        {
            "names": ", ".join(members),
            "kind": recommendation.kind,
            "tone": _KIND_TONES.get(recommendation.kind, ""),
            "sentence": recommendation.sentence,
        }
        for recommendation, members in names.items()
    ]


def _member(member: MemberStatistics) -> dict[str, Any]:
    failed = select_failures(member.failures)
    waited_s = member.held_s / member.n_requests if member.n_requests else 0.0
    return {
        "name": member.name,
        "n_requests": member.n_requests,
        "outcomes": _outcomes(member.n_candidates, failed, f"Candidates and failures of {member.name}"),
        "outcome_counts": _count_outcomes(member.n_candidates, failed),
        "validity": percent(member.validity),
        "n_valid": member.n_valid,
        "n_checked": member.n_checked,
        "n_chosen": member.n_chosen,
        "n_standing": member.n_standing,
        "survival": percent(member.survival),
        "unique": percent(member.unique_survival),
        "text": _text(member),
        "n_held": member.n_held,
        "waited_s": waited_s,
        **_used(member.usage),
    }


def _model(model: ModelStatistics) -> dict[str, Any]:
    failed = select_failures(model.outcomes)
    return {
        "name": model.name,
        "roles": list_counts(dict(model.roles.most_common())),
        "outcomes": _outcomes(model.outcomes["ok"], failed, f"Outcomes of calls to {model.name}"),
        "outcome_counts": _count_outcomes(model.outcomes["ok"], failed),
        "latency": _latency(model.latency, f"Seconds that calls to {model.name} took"),
        **_used(model.usage),
    }


def _used(usage: Usage) -> dict[str, Any]:
    return {
        "n_calls": usage.n_calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached": percent(divide(usage.cached_tokens, usage.prompt_tokens)) if usage.cached_tokens else "",
        "estimated": usage.estimated,
        "cost": describe_cost(usage),
    }


def _count_outcomes(n_ok: int, failed: Mapping[str, int]) -> str:
    return list_counts({"ok": n_ok, **failed})


def _outcomes(n_ok: int, failed: Mapping[str, int], label: str) -> Markup:
    faults = [kind for kind in failed if kind not in _NO_FAULT]
    tones = {kind: _FAULTS[position % len(_FAULTS)] for position, kind in enumerate(faults)}
    parts = [Part(f"ok: {n_ok}", n_ok, "good")]
    parts += [Part(f"{_spaced(kind)}: {count}", count, tones.get(kind, "idle")) for kind, count in failed.items()]
    return draw_stacked_bar(parts, label=_describe(label, parts))


def _shares(counts: Mapping[str, int], label: str) -> Markup:
    parts = [
        Part(f"{_spaced(kind)}: {count}", count, _SERIES[position % len(_SERIES)])
        for position, (kind, count) in enumerate(counts.items())
    ]
    return draw_stacked_bar(parts, label=_describe(label, parts))


def _text(member: MemberStatistics) -> Markup | None:
    """Return the answers' text as a bar: in this member's candidates only, in others' too, not in its candidates."""
    if not member.n_shingles:
        return None
    parts = [
        Part(f"only in it: {percent(member.unique_survival)}", member.unique, "one"),
        Part(
            f"in others too: {percent((member.found - member.unique) / member.n_shingles)}",
            member.found - member.unique,
            "two",
        ),
        Part("not in it", member.n_shingles - member.found, "rest"),
    ]
    return draw_stacked_bar(parts, label=_describe(f"The answers' text and {member.name}", parts))


def _latency(latency: Latency | None, label: str) -> dict[str, Any] | None:
    if latency is None:
        return None
    edges = [f"{edge:.1f}" for edge in LATENCY_EDGES_S]
    spans = [f"up to {edges[0]} s"]
    spans += [f"{low} to {high} s" for low, high in pairwise(edges)]
    spans.append(f"over {edges[-1]} s")
    parts = [Part(f"{span}: {count}", count, "one") for span, count in zip(spans, latency.bins, strict=True)]
    chart = draw_columns(parts, label=_describe(label, parts))
    return {"n": latency.n, "p50_s": latency.p50_s, "p95_s": latency.p95_s, "chart": chart}


def _describe(label: str, parts: Sequence[Part]) -> str:
    return f"{label}: {'; '.join(part.text for part in parts if part.amount > 0) or 'nothing'}"


def _spaced(kind: str) -> str:
    return kind.replace("_", " ")
