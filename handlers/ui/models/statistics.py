"""Sums over the kept traces: for each model, each mixture, and each member of a mixture's panel. Pure."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from handlers.ui.digest import CallDigest, EvidenceDigest, MemberDigest, RequestDigest

LATENCY_EDGES_S = tuple(0.1 * 2**power for power in range(11))  # 0.1 to 102.4; one more bin is for longer times


@dataclass(slots=True)
class Usage:
    """The tokens and the cost of calls.

    `cost` is the known part by currency; `n_unpriced` calls used tokens that have no price.
    """

    n_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    cost: dict[str, Decimal] = field(default_factory=dict)
    n_unpriced: int = 0

    def add(self, call: CallDigest, currency: str) -> None:
        """Add one call."""
        self.n_calls += 1
        self.prompt_tokens += call.prompt_tokens
        self.completion_tokens += call.completion_tokens
        self.cached_tokens += call.cached_tokens
        self.estimated = self.estimated or call.estimated
        if call.cost is None:
            self.n_unpriced += 1
        else:
            self.cost[currency] = self.cost.get(currency, Decimal(0)) + call.cost


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of durations, in seconds.

    `bins` count those up to each of LATENCY_EDGES_S, the last one the rest.
    """

    n: int
    p50_s: float
    p95_s: float
    bins: tuple[int, ...]


@dataclass(slots=True)
class MemberStatistics:
    """The contribution of one member of a panel, over the requests in which it was on the panel.

    Cancelled requests count in `usage` alone. `n_judged` requests have answers made from candidates: of these answers,
    `n_standing` are an unchanged candidate and `n_chosen` one of this member's; they have `n_shingles`, of which
    `found` are in its candidates and `unique` in no other member's. In `n_mattered` requests a good part of an answer
    was in its candidates only. `n_held` times it was the last that the panel waited for, together `held_s` seconds.
    """

    name: str
    n_requests: int = 0
    n_candidates: int = 0
    n_checked: int = 0
    n_valid: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    n_judged: int = 0
    n_standing: int = 0
    n_chosen: int = 0
    n_shingles: int = 0
    found: int = 0
    unique: int = 0
    n_mattered: int = 0
    n_held: int = 0
    held_s: float = 0.0
    usage: Usage = field(default_factory=Usage)

    def add(self, request: RequestDigest, member: MemberDigest) -> None:
        """Add one request that was not cancelled."""
        self.n_requests += 1
        self.n_candidates += member.n_candidates
        self.n_checked += member.n_checked
        self.n_valid += member.n_valid
        self.failures.update(member.failures)
        self.n_held += member.held_s > 0
        self.held_s += member.held_s
        if request.n_shingles:
            self.n_judged += 1
            self.n_standing += request.n_standing
            self.n_chosen += member.n_chosen
            self.n_shingles += request.n_shingles
            self.found += member.found
            self.unique += member.unique
            self.n_mattered += member.mattered

    @property
    def survival(self) -> float | None:
        """The share of the answers' text that its candidates contain, or None without answers."""
        return divide(self.found, self.n_shingles)

    @property
    def unique_survival(self) -> float | None:
        """The share of the answers' text that only its candidates contain: dropping it would lose this text."""
        return divide(self.unique, self.n_shingles)

    @property
    def validity(self) -> float | None:
        """The share of its candidates that keep the contract."""
        return divide(self.n_valid, self.n_checked)


@dataclass(slots=True)
class ModelStatistics:
    """One configured model's calls, in every role and mixture. `seconds` are those of calls that succeeded."""

    name: str
    roles: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    seconds: list[float] = field(default_factory=list)

    def add(self, call: CallDigest, currency: str) -> None:
        """Add one call."""
        self.roles[call.role] += 1
        self.outcomes[call.outcome] += 1
        self.usage.add(call, currency)
        if call.outcome == "ok" and call.seconds is not None:
            self.seconds.append(call.seconds)

    @property
    def latency(self) -> Latency | None:
        """The durations of its successful calls, or None without any."""
        return measure_latency(self.seconds)


@dataclass(slots=True)
class EvidenceStatistics:
    """The evidence over the requests in which candidates were run.

    `by` counts the signals that separated candidates, "" for requests without one. `n_unknown` of `n_ran` candidates
    gave no result. `seconds` is the time that running them took in each request.
    """

    n_requests: int = 0
    n_decided: int = 0
    n_ran: int = 0
    n_unknown: int = 0
    by: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def add(self, evidence: EvidenceDigest) -> None:
        """Add one request's evidence."""
        self.n_requests += 1
        self.n_decided += evidence.has_decided
        self.n_ran += evidence.n_ran
        self.n_unknown += evidence.n_unknown
        self.by[evidence.by] += 1
        self.seconds.append(evidence.run_s)

    @property
    def unknown_share(self) -> float | None:
        """The share of the candidates that gave no result, or None if no candidate was run."""
        return divide(self.n_unknown, self.n_ran)

    @property
    def latency(self) -> Latency | None:
        """How long running all candidates of a request took, or None if no candidate was run."""
        return measure_latency(self.seconds)


@dataclass(slots=True)
class MixtureStatistics:
    """One mixture's requests. `outcomes` are `ok`, `cancelled`, or an error's code; `members` in the panel's order.

    `preferred` counts the models that feedback would have put first (`learn: shadow`); in `n_would_change` requests the
    answer would then have been another.
    """

    name: str
    n_requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    decided_by: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    seconds: list[float] = field(default_factory=list)
    by_name: dict[str, MemberStatistics] = field(default_factory=dict)
    preferred: Counter[str] = field(default_factory=Counter)
    n_would_change: int = 0
    evidence: EvidenceStatistics = field(default_factory=EvidenceStatistics)

    def add(self, request: RequestDigest) -> None:
        """Add one request of this mixture."""
        self.n_requests += 1
        if request.evidence is not None:
            self.evidence.add(request.evidence)
        self.outcomes[(request.error or "failed") if request.outcome == "failed" else request.outcome] += 1
        self.decided_by.update(request.decided_by)
        if request.preferred is not None:
            self.preferred[request.preferred] += 1
            self.n_would_change += request.would_change
        if request.outcome == "ok" and request.seconds is not None:
            self.seconds.append(request.seconds)
        for member in request.members:
            known = self.by_name.setdefault(member.name, MemberStatistics(member.name))
            if request.outcome != "cancelled":
                known.add(request, member)
        for call in request.calls:
            self.usage.add(call, request.currency)
            if call.role == "proposer":
                self.by_name[call.name].usage.add(call, request.currency)

    @property
    def members(self) -> Sequence[MemberStatistics]:
        """The members of its panel."""
        return tuple(self.by_name.values())

    @property
    def latency(self) -> Latency | None:
        """The durations of its answered requests, or None without any."""
        return measure_latency(self.seconds)


@dataclass(frozen=True, slots=True)
class Statistics:
    """All sums, those with the most requests or calls first. `since` and `until` are ISO instants, or empty."""

    n_requests: int
    since: str
    until: str
    models: Sequence[ModelStatistics]
    mixtures: Sequence[MixtureStatistics]


def compute_statistics(requests: Iterable[RequestDigest]) -> Statistics:
    """Return the sums over these requests, newest first. One pass; memory grows by two numbers a call."""
    models: dict[str, ModelStatistics] = {}
    mixtures: dict[str, MixtureStatistics] = {}
    times: list[str] = []
    n_requests = 0
    for request in requests:
        n_requests += 1
        times += filter(None, [request.time])
        if request.mixture is not None:
            mixtures.setdefault(request.mixture, MixtureStatistics(request.mixture)).add(request)
        for call in request.calls:
            models.setdefault(call.model, ModelStatistics(call.model)).add(call, request.currency)
    return Statistics(
        n_requests=n_requests,
        since=min(times, default=""),
        until=max(times, default=""),
        models=sorted(models.values(), key=lambda each: -each.usage.n_calls),
        mixtures=sorted(mixtures.values(), key=lambda each: -each.n_requests),
    )


def divide(part: int, whole: int) -> float | None:
    """Return a part of a whole as a number from 0 to 1, or None if the whole is 0."""
    return part / whole if whole else None


def measure_latency(seconds: Sequence[float]) -> Latency | None:
    """Return the distribution of durations, or None without any."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    counts = Counter(bisect_left(LATENCY_EDGES_S, each) for each in ordered)
    bins = tuple(counts[position] for position in range(len(LATENCY_EDGES_S) + 1))
    return Latency(len(ordered), find_percentile(ordered, 0.5), find_percentile(ordered, 0.95), bins)


def find_percentile(ordered: Sequence[float], part: float) -> float:
    """Return the smallest of the sorted values that this part of all values does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def select_failures(outcomes: Mapping[str, int]) -> dict[str, int]:
    """Return the outcomes other than `ok`, the most frequent first."""
    failed = [(kind, count) for kind, count in outcomes.items() if kind != "ok" and count]
    return dict(sorted(failed, key=lambda each: (-each[1], each[0])))
