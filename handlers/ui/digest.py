"""A trace reduced to the few numbers that the statistics need. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from msgspec import UNSET

from handlers.traces.schema import Answer, Call, Completion, Evidence, Trace
from handlers.ui.overlap import measure_overlap

NOTICEABLE_S = 0.01  # a shorter time is that of cancelling, not of waiting
MATTERS = 0.1  # of an answer's text: a candidate with this share in it alone was worth asking for

# The answer is a candidate, byte for byte or put together from hunks of several.
_VERBATIM = frozenset(
    {"chosen", "panel_order", "first", "only_candidate", "equal_candidates", "evidence", "best_candidate"}
)
_BY_RANK = ("panel_order", "best_candidate")
_FROM_PANEL = _VERBATIM | {"critic"}
_INCOMPLETE = ("length", "content_filter")
_TOO_LARGE = 10**15


@dataclass(frozen=True, slots=True)
class CallDigest:
    """One call. `name` is its place on the panel, `model` the configured model; `seconds` is None if it never ran.

    `cost` is None if it used tokens that have no price.
    """

    role: str
    name: str
    outcome: str
    seconds: float | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    estimated: bool
    cost: Decimal | None

    @property
    def model(self) -> str:
        """The configured name of the model; of a sample, without its number."""
        return self.name.partition("#")[0]


@dataclass(frozen=True, slots=True)
class MemberDigest:
    """One member of the panel in one request.

    Of its `n_candidates`, `n_checked` were checked against the contract and `n_valid` keep it. `n_chosen` answers are
    its candidate. `found` counts the shingles of the answers that its candidates contain, `unique` those that no other
    member's candidates contain; `mattered` says whether the latter are a good part of an answer. `held_s` is how much
    earlier the panel would have settled without it, 0 if it was not the last.
    """

    name: str
    n_candidates: int
    n_checked: int
    n_valid: int
    failures: tuple[str, ...]
    n_chosen: int
    found: int
    unique: int
    mattered: bool
    held_s: float


@dataclass(frozen=True, slots=True)
class EvidenceDigest:
    """The evidence on a request's candidates: the signal that separates them, or "", and whether it decided.

    `n_unknown` of `n_ran` candidates gave no result; it took `run_s` seconds.
    """

    by: str
    has_decided: bool
    n_ran: int
    n_unknown: int
    run_s: float


@dataclass(frozen=True, slots=True)
class RequestDigest:
    """One request. `decided_by` has an entry for each answer; `n_standing` of them are candidates, unchanged.

    `n_shingles` counts those of all answers that were made from the panel's candidates; if it is 0, the request is
    no evidence of the members' worth. `preferred` is the model that feedback would have put first, or None if it
    changes nothing or decided itself; `would_change` if the answer would then have been another.
    """

    time: str
    mixture: str | None
    outcome: str
    error: str | None
    seconds: float | None
    currency: str
    decided_by: tuple[str, ...]
    n_standing: int
    n_shingles: int
    members: tuple[MemberDigest, ...]
    calls: tuple[CallDigest, ...]
    preferred: str | None = None
    would_change: bool = False
    evidence: EvidenceDigest | None = None


def digest_trace(trace: Trace) -> RequestDigest:
    """Return the numbers of one trace."""
    members = _members(trace)
    answers = [answer for answer in trace.answers if answer.decided_by in _FROM_PANEL] if members else []
    shares = [_Share(trace, answer, members) for answer in answers]
    outcome = trace.outcome or "unknown"
    recorded = trace.arrangement if trace.arrangement and not trace.arrangement.decides else None
    preferred = recorded.order[0] if recorded and recorded.order else None
    held = {} if outcome == "cancelled" else _held_seconds(trace.calls)
    return RequestDigest(
        time=trace.time,
        mixture=trace.mixture,
        outcome=outcome,
        error=_error_code(trace),
        seconds=_finite(trace.timings.total_s),
        currency=trace.ledger.currency,
        decided_by=tuple(answer.decided_by or "unknown" for answer in trace.answers),
        n_standing=sum(share.is_verbatim for share in shares),
        n_shingles=sum(share.n_shingles for share in shares),
        members=tuple(_member(trace, name, shares, held.get(name, 0.0)) for name in members),
        calls=tuple(_call(call) for call in trace.calls),
        preferred=preferred,
        would_change=preferred is not None and _would_change(trace, preferred),
        evidence=_digest_evidence(trace.evidence, trace.decided_by),
    )


def _would_change(trace: Trace, preferred: str) -> bool:
    """Whether the order of the panel decided for another model than this one, which had a usable candidate."""
    usable = any(_model_of(each.model) == preferred and not each.finding for each in trace.candidates)
    return usable and any(
        answer.decided_by in _BY_RANK and _model_of(answer.author) != preferred for answer in trace.answers
    )


def _model_of(name: str) -> str:
    return name.partition("#")[0]


class _Share:
    """Each member's share of one answer."""

    def __init__(self, trace: Trace, answer: Answer, members: Sequence[str]) -> None:
        texts: dict[str, list[str]] = {name: [] for name in members}
        for candidate in trace.candidates:
            texts[_name(candidate.model)].append(_text_with_calls(candidate))
        measured = measure_overlap(_text_with_calls(answer), texts)
        self.n_shingles = measured.n_shingles
        self.found = measured.found
        self.unique = measured.unique
        self.is_verbatim = answer.decided_by in _VERBATIM
        self.authors = split_authors(answer.author, members) if self.is_verbatim else []
        if answer.decided_by == "equal_candidates" and _n_complete(trace) > 1:
            self.unique = dict.fromkeys(members, 0)  # without any one of them, an equal one would be the answer

    def mattered(self, name: str) -> bool:
        return self.unique[name] > 0 and self.unique[name] >= MATTERS * self.n_shingles


def split_authors(author: str, members: Sequence[str]) -> list[str]:
    """Return the members that `author` names: one, or several joined by `+`, which may also be part of a name."""
    if author in members:
        return [author]
    for name in members:
        if author.startswith(f"{name}+") and (others := split_authors(author[len(name) + 1 :], members)):
            return [name, *others]
    return []


def _member(trace: Trace, name: str, shares: Sequence[_Share], held_s: float) -> MemberDigest:
    candidates = [each for each in trace.candidates if _name(each.model) == name]
    checked = [each for each in candidates if each.finding is not UNSET]
    return MemberDigest(
        name=name,
        n_candidates=len(candidates),
        n_checked=len(checked),
        n_valid=sum(each.finding is None for each in checked),
        failures=tuple(each.kind or "unknown" for each in trace.failures if _name(each.model) == name),
        n_chosen=sum(name in share.authors for share in shares),
        found=sum(share.found[name] for share in shares),
        unique=sum(share.unique[name] for share in shares),
        mattered=any(share.mattered(name) for share in shares),
        held_s=held_s,
    )


def _members(trace: Trace) -> list[str]:
    """Return the members of the panel: those that were asked, in its order, then those that were left out."""
    asked = [call.model for call in trace.calls if call.role == "proposer"]
    settled = [*(each.model for each in trace.candidates), *(each.model for each in trace.failures)]
    return list(dict.fromkeys(_name(model) for model in (*asked, *settled)))


def _n_complete(trace: Trace) -> int:
    """Return how many candidates are complete and keep the contract."""
    return sum(not each.finding and each.finish_reason not in _INCOMPLETE for each in trace.candidates)


def _text_with_calls(completion: Completion) -> str:
    """Return the text of a candidate or an answer, with its tool calls as text."""
    calls = [call for call in completion.tool_calls or () if isinstance(call, dict)]
    functions = [call.get("function") or call.get("custom") for call in calls]
    parts = [str(value) for function in functions if isinstance(function, dict) for value in function.values()]
    return " ".join([completion.text, *parts])


def _held_seconds(calls: Iterable[Call]) -> dict[str, float]:
    """Return by how many seconds the last proposer of each layer came after the one before it."""
    held: dict[str, float] = {}
    for layer in _layers(call for call in calls if call.role == "proposer"):
        ends = sorted((ended, name) for name, ended in layer.items() if ended is not None)
        if len(ends) > 1 and (late_s := ends[-1][0] - ends[-2][0]) >= NOTICEABLE_S:
            held[ends[-1][1]] = held.get(ends[-1][1], 0.0) + late_s
    return held


def _layers(calls: Iterable[Call]) -> Iterator[dict[str, float | None]]:
    """Yield the ends of the proposers' calls by layer. A layer asks all, so a repeated name begins the next one."""
    layer: dict[str, float | None] = {}
    for call in calls:
        if _name(call.model) in layer:
            yield layer
            layer = {}
        layer[_name(call.model)] = _finite(call.ended_s)
    yield layer


def _call(call: Call) -> CallDigest:
    started, ended, cost = _finite(call.started_s), _finite(call.ended_s), _finite(call.cost)
    return CallDigest(
        role=call.role or "unknown",
        name=_name(call.model),
        outcome=call.outcome or "unknown",
        seconds=None if started is None or ended is None else max(0.0, ended - started),
        prompt_tokens=call.prompt_tokens,
        completion_tokens=call.completion_tokens,
        cached_tokens=call.cached_tokens,
        estimated=call.estimated,
        cost=None if cost is None else Decimal(str(cost)),
    )


def _digest_evidence(evidence: Evidence | None, decided_by: str | None) -> EvidenceDigest | None:
    if evidence is None or not evidence.n_ran:
        return None
    run_s = _finite(evidence.run_s) or 0.0
    return EvidenceDigest(evidence.by, decided_by == "evidence", evidence.n_ran, evidence.n_unknown, run_s)


def _error_code(trace: Trace) -> str | None:
    code: Any = (trace.error or {}).get("code")
    return code if isinstance(code, str) else None


def _name(model: str) -> str:
    return model or "unknown"


def _finite(value: float | None) -> float | None:
    """Return a number that can be summed, or None for NaN and absurdly large numbers."""
    return value if value is not None and abs(value) < _TOO_LARGE else None
