"""What the kept traces come to: for each model, each mixture, and each member of a mixture's panel. Pure."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from handlers.ui.digest import CallDigest, MemberDigest, RequestDigest

LATENCY_EDGES_S = tuple(0.1 * 2**power for power in range(11))  # 0.1 to 102.4; one more bin is for what took longer


@dataclass(slots=True)
class Usage:
    """What calls used. `cost` is the known part by currency; `n_unpriced` calls used tokens that have no price."""

    n_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    cost: dict[str, Decimal] = field(default_factory=dict)
    n_unpriced: int = 0

    def add(self, call: CallDigest, currency: str) -> None:
        """Take in one call."""
        self.n_calls += 1
        self.prompt_tokens += call.prompt_tokens
        self.completion_tokens += call.completion_tokens
        self.estimated = self.estimated or call.estimated
        if call.cost is None:
            self.n_unpriced += 1
        else:
            self.cost[currency] = self.cost.get(currency, Decimal(0)) + call.cost


@dataclass(frozen=True, slots=True)
class Latency:
    """How long something took, in seconds. `bins` count those up to each of LATENCY_EDGES_S, the last one the rest."""

    n: int
    p50_s: float
    p95_s: float
    bins: tuple[int, ...]


@dataclass(slots=True)
class MemberStatistics:
    """What one member of a panel was worth over the requests that it was on the panel of.

    Requests that their client left are counted in `usage` alone. `n_judged` are those whose answer was made of
    candidates: of these answers, `n_standing` are a candidate as it was and `n_chosen` this member's; they have
    `n_shingles`, of which `found` stand in its candidates and `unique` in nobody else's. In `n_mattered` of them it
    alone had a good part of an answer. `n_held` times the panel waited for it last, together `held_s` seconds.
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
        """Take in one request that was not cancelled."""
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
        """The share of the answers' text that stands in its candidates; None where there is nothing to tell by."""
        return share(self.found, self.n_shingles)

    @property
    def unique_survival(self) -> float | None:
        """The share of the answers' text that stands in its candidates alone: what dropping it would lose."""
        return share(self.unique, self.n_shingles)

    @property
    def validity(self) -> float | None:
        """The share of its candidates that keep the contract."""
        return share(self.n_valid, self.n_checked)


@dataclass(slots=True)
class ModelStatistics:
    """One configured model's calls, in every role and mixture. `seconds` are those of calls that succeeded."""

    name: str
    roles: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    seconds: list[float] = field(default_factory=list)

    def add(self, call: CallDigest, currency: str) -> None:
        """Take in one call."""
        self.roles[call.role] += 1
        self.outcomes[call.outcome] += 1
        self.usage.add(call, currency)
        if call.outcome == "ok" and call.seconds is not None:
            self.seconds.append(call.seconds)

    @property
    def latency(self) -> Latency | None:
        """How long its calls took; None where none succeeded."""
        return latency(self.seconds)


@dataclass(slots=True)
class MixtureStatistics:
    """One mixture's requests. `outcomes` are `ok`, `cancelled`, or an error's code; `members` in the panel's order."""

    name: str
    n_requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    decided_by: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    seconds: list[float] = field(default_factory=list)
    by_name: dict[str, MemberStatistics] = field(default_factory=dict)

    def add(self, request: RequestDigest) -> None:
        """Take in one request of this mixture."""
        self.n_requests += 1
        self.outcomes[(request.error or "failed") if request.outcome == "failed" else request.outcome] += 1
        self.decided_by.update(request.decided_by)
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
        """How long its answered requests took; None where there are none."""
        return latency(self.seconds)


@dataclass(frozen=True, slots=True)
class Statistics:
    """All of it; what has more requests or calls comes first. `since` and `until` are ISO instants, or empty."""

    n_requests: int
    since: str
    until: str
    models: Sequence[ModelStatistics]
    mixtures: Sequence[MixtureStatistics]


def statistics(requests: Iterable[RequestDigest]) -> Statistics:
    """Return what these requests, newest first, come to. One pass; memory grows by two numbers a call."""
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


def share(part: int, whole: int) -> float | None:
    """Return a part of a whole as a number from 0 to 1; None of nothing."""
    return part / whole if whole else None


def latency(seconds: Sequence[float]) -> Latency | None:
    """Return how durations are distributed; None where there are none."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    counts = Counter(bisect_left(LATENCY_EDGES_S, each) for each in ordered)
    bins = tuple(counts[position] for position in range(len(LATENCY_EDGES_S) + 1))
    return Latency(len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.95), bins)


def percentile(ordered: Sequence[float], part: float) -> float:
    """Return the smallest of the sorted values that this part of all does not exceed: one of them, never between."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def failures(outcomes: Mapping[str, int]) -> dict[str, int]:
    """Return the outcomes that are not `ok`, the most frequent first."""
    failed = [(kind, count) for kind, count in outcomes.items() if kind != "ok" and count]
    return dict(sorted(failed, key=lambda each: (-each[1], each[0])))
