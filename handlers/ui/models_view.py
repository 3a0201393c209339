"""The statistics page's context: filtered numbers put into words and charts. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from handlers.ui.charts import Part, Tone, columns, stacked_bar
from handlers.ui.digest import RequestDigest
from handlers.ui.statistics import (
    LATENCY_EDGES_S,
    Latency,
    MemberStatistics,
    MixtureStatistics,
    ModelStatistics,
    Usage,
    failures,
    statistics,
)
from handlers.ui.verdicts import Verdict, percent, verdicts

LAST = 100

_NO_FAULT = frozenset({"cancelled", "straggler", "retrying", "left_out"})  # the gateway's or the client's own will
_FAULTS: tuple[Tone, ...] = ("bad", "bad-2")
_SERIES: tuple[Tone, ...] = ("one", "two")
_VERDICT_TONES = {"droppable": "warn", "worth it": "good"}
_LEAST = Decimal("0.000001")


def view(requests: Sequence[RequestDigest], *, mixture: str, span: str) -> dict[str, Any]:
    """Return the page's context of these requests, newest first.

    `mixture` is a name, or empty for all of them; `span` is `last` for the newest LAST, else all of them.
    """
    names = sorted({request.mixture for request in requests if request.mixture is not None})
    chosen = [request for request in requests if mixture in ("", request.mixture)]
    numbers = statistics(chosen[:LAST] if span == "last" else chosen)
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
        "models": [_model(each) for each in numbers.models],
    }


def money(usage: Usage) -> str:
    """Return what calls cost, in words that never take an unknown price for none."""
    known = " + ".join(f"{_amount(cost)} {currency}".rstrip() for currency, cost in usage.cost.items() if cost)
    if usage.n_unpriced:
        return f"at least {known}" if known else "unknown"
    return known or "0"


def listed(counts: Mapping[str, int]) -> str:
    """Return counts in words: `timeout 3, server error 1`."""
    return ", ".join(f"{_spaced(kind)} {count}" for kind, count in counts.items())


def _mixture(mixture: MixtureStatistics) -> dict[str, Any]:
    failed = failures(mixture.outcomes)
    decided = dict(mixture.decided_by.most_common())
    return {
        "name": mixture.name,
        "n_requests": mixture.n_requests,
        "outcomes": _outcomes(mixture.outcomes["ok"], failed, f"Outcomes of {mixture.name}"),
        "told": _counted(mixture.outcomes["ok"], failed),
        "decided": _shares(decided, f"How the answers of {mixture.name} came about"),
        "decided_by": listed(decided) or "no answer",
        "latency": _latency(mixture.latency, f"Seconds until {mixture.name} had answered"),
        **_used(mixture.usage),
        "verdicts": _verdicts(verdicts(mixture)),
        "members": [_member(each) for each in mixture.members],
    }


def _verdicts(judged: Mapping[str, Verdict]) -> list[dict[str, str]]:
    """Return the verdicts in the panel's order, those that say the same in one line."""
    names: dict[Verdict, list[str]] = {}
    for name, verdict in judged.items():
        names.setdefault(verdict, []).append(name)
    return [
        {
            "names": ", ".join(members),
            "kind": verdict.kind,
            "tone": _VERDICT_TONES.get(verdict.kind, ""),
            "sentence": verdict.sentence,
        }
        for verdict, members in names.items()
    ]


def _member(member: MemberStatistics) -> dict[str, Any]:
    failed = failures(member.failures)
    waited_s = member.held_s / member.n_requests if member.n_requests else 0.0
    return {
        "name": member.name,
        "n_requests": member.n_requests,
        "outcomes": _outcomes(member.n_candidates, failed, f"Candidates and failures of {member.name}"),
        "told": _counted(member.n_candidates, failed),
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
    failed = failures(model.outcomes)
    return {
        "name": model.name,
        "roles": listed(dict(model.roles.most_common())),
        "outcomes": _outcomes(model.outcomes["ok"], failed, f"Outcomes of calls to {model.name}"),
        "told": _counted(model.outcomes["ok"], failed),
        "latency": _latency(model.latency, f"Seconds that calls to {model.name} took"),
        **_used(model.usage),
    }


def _used(usage: Usage) -> dict[str, Any]:
    return {
        "n_calls": usage.n_calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "estimated": usage.estimated,
        "cost": money(usage),
    }


def _counted(n_ok: int, failed: Mapping[str, int]) -> str:
    return listed({"ok": n_ok, **failed})


def _outcomes(n_ok: int, failed: Mapping[str, int], label: str) -> Markup:
    faults = [kind for kind in failed if kind not in _NO_FAULT]
    tones = {kind: _FAULTS[position % len(_FAULTS)] for position, kind in enumerate(faults)}
    parts = [Part(f"ok: {n_ok}", n_ok, "good")]
    parts += [Part(f"{_spaced(kind)}: {count}", count, tones.get(kind, "idle")) for kind, count in failed.items()]
    return stacked_bar(parts, label=_told(label, parts))


def _shares(counts: Mapping[str, int], label: str) -> Markup:
    parts = [
        Part(f"{_spaced(kind)}: {count}", count, _SERIES[position % len(_SERIES)])
        for position, (kind, count) in enumerate(counts.items())
    ]
    return stacked_bar(parts, label=_told(label, parts))


def _text(member: MemberStatistics) -> Markup | None:
    """Return the answers' text as a bar: only in this member's candidates, in others' too, in none of its."""
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
    return stacked_bar(parts, label=_told(f"The answers' text and {member.name}", parts))


def _latency(latency: Latency | None, label: str) -> dict[str, Any] | None:
    if latency is None:
        return None
    edges = [f"{edge:.1f}" for edge in LATENCY_EDGES_S]
    spans = [f"up to {edges[0]} s"]
    spans += [f"{low} to {high} s" for low, high in pairwise(edges)]
    spans.append(f"over {edges[-1]} s")
    parts = [Part(f"{span}: {count}", count, "one") for span, count in zip(spans, latency.bins, strict=True)]
    chart = columns(parts, label=_told(label, parts))
    return {"n": latency.n, "p50_s": latency.p50_s, "p95_s": latency.p95_s, "chart": chart}


def _told(label: str, parts: Sequence[Part]) -> str:
    return f"{label}: {'; '.join(part.text for part in parts if part.amount > 0) or 'nothing'}"


def _amount(cost: Decimal) -> str:
    if cost < _LEAST:
        return f"under {_LEAST}"
    whole, _, cents = f"{cost:.6f}".partition(".")
    return f"{whole}.{cents.rstrip('0').ljust(2, '0')}"


def _spaced(kind: str) -> str:
    return kind.replace("_", " ")
