"""A trace reduced to the few numbers that statistics are made of. Pure.

Traces of older versions lack keys, and a folder may hold anything: what is missing or of another type is left out of
the numbers, and nothing raises.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from handlers.ui.overlap import overlap

NOTICEABLE_S = 0.01  # less is what it takes to cancel, not to wait
MATTERS = 0.1  # of an answer's text: so much only in one candidate, and it was worth asking for

# The answer is a candidate, byte for byte or put together from hunks of several.
_STANDS = frozenset({"chosen", "panel_order", "first", "only_candidate", "equal_candidates", "best_candidate"})
_BY_PANEL = _STANDS | {"critic"}
_BROKEN_OFF = ("length", "content_filter")
_TOO_LARGE = 10**15


@dataclass(frozen=True, slots=True)
class CallDigest:
    """One call. `name` is its place on the panel, `model` the configured model; `seconds` None where it never ran.

    `cost` is None where tokens were used that have no price.
    """

    role: str
    name: str
    outcome: str
    seconds: float | None
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    cost: Decimal | None

    @property
    def model(self) -> str:
        """The configured name of the model: of a sample, without its number."""
        return self.name.partition("#")[0]


@dataclass(frozen=True, slots=True)
class MemberDigest:
    """What one member of the panel did in one request.

    Of its `n_candidates`, `n_checked` tell whether they keep the contract and `n_valid` do. `n_chosen` answers are its
    candidate. `found` and `unique` are shingles of the answers that it has, and that nobody else has; `mattered` is
    whether the latter are a good part of an answer. `held_s` is how much earlier the panel would have settled without
    it, 0 where it was not the last.
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
class RequestDigest:
    """One request. `decided_by` has an entry for each answer; `n_standing` of them are candidates as they were.

    `n_shingles` are those of all answers that were made of the panel's candidates; where there are none, the request
    tells nothing of what its members are worth.
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


def digest(document: Mapping[str, Any]) -> RequestDigest:
    """Return the numbers of one trace document (see handlers/traces/collector.py)."""
    answers = [each for each in _records(document, "answers") if _text(each, "decided_by") in _BY_PANEL]
    members = _members(document)
    shares = [_Share(document, answer, members) for answer in answers] if members else []
    calls = list(_records(document, "calls"))
    outcome = _text(document, "outcome") or "unknown"
    held = {} if outcome == "cancelled" else _held(calls)
    return RequestDigest(
        time=_text(document, "time") or "",
        mixture=_text(document, "mixture"),
        outcome=outcome,
        error=_text(_record(document, "error"), "code"),
        seconds=_number(_record(document, "timings"), "total_s"),
        currency=_text(_record(document, "ledger"), "currency") or "",
        decided_by=tuple(_text(each, "decided_by") or "unknown" for each in _records(document, "answers")),
        n_standing=sum(share.stands for share in shares),
        n_shingles=sum(share.n_shingles for share in shares),
        members=tuple(_member(document, name, shares, held.get(name, 0.0)) for name in members),
        calls=tuple(_call(call) for call in calls),
    )


class _Share:
    """What each candidate has of one answer."""

    def __init__(self, document: Mapping[str, Any], answer: Mapping[str, Any], members: Sequence[str]) -> None:
        texts: dict[str, list[str]] = {name: [] for name in members}
        for candidate in _records(document, "candidates"):
            texts[_name(candidate)].append(_said(candidate))
        measured = overlap(_said(answer), texts)
        self.n_shingles = measured.n_shingles
        self.found = measured.found
        self.unique = measured.unique
        self.stands = answer["decided_by"] in _STANDS
        self.authors = authors(_text(answer, "author") or "", members) if self.stands else []
        if answer["decided_by"] == "equal_candidates" and _n_strong(document) > 1:
            self.unique = dict.fromkeys(members, 0)  # another one that comes to the same would have been the answer

    def mattered(self, name: str) -> bool:
        return self.unique[name] > 0 and self.unique[name] >= MATTERS * self.n_shingles


def authors(author: str, members: Sequence[str]) -> list[str]:
    """Return the members that `author` names: one, or several joined by `+`, which may also be part of a name."""
    if author in members:
        return [author]
    for name in members:
        if author.startswith(f"{name}+") and (others := authors(author[len(name) + 1 :], members)):
            return [name, *others]
    return []


def _member(document: Mapping[str, Any], name: str, shares: Sequence[_Share], held_s: float) -> MemberDigest:
    candidates = [each for each in _records(document, "candidates") if _name(each) == name]
    checked = [each for each in candidates if "finding" in each]
    failures = [each for each in _records(document, "failures") if _name(each) == name]
    return MemberDigest(
        name=name,
        n_candidates=len(candidates),
        n_checked=len(checked),
        n_valid=sum(each["finding"] is None for each in checked),
        failures=tuple(_text(each, "kind") or "unknown" for each in failures),
        n_chosen=sum(name in share.authors for share in shares),
        found=sum(share.found[name] for share in shares),
        unique=sum(share.unique[name] for share in shares),
        mattered=any(share.mattered(name) for share in shares),
        held_s=held_s,
    )


def _members(document: Mapping[str, Any]) -> list[str]:
    """Return who was on the panel: those that were asked in its order, then those that were left out."""
    asked = [call for call in _records(document, "calls") if call.get("role") == "proposer"]
    settled = [*_records(document, "candidates"), *_records(document, "failures")]
    return list(dict.fromkeys(_name(each) for each in (*asked, *settled)))


def _n_strong(document: Mapping[str, Any]) -> int:
    """Return how many candidates keep the contract and are whole."""
    return sum(
        candidate.get("finding") is None and candidate.get("finish_reason") not in _BROKEN_OFF
        for candidate in _records(document, "candidates")
    )


def _said(completion: Mapping[str, Any]) -> str:
    """Return what a candidate or an answer says, the calls of tools in words."""
    calls = [each.get("function") or each.get("custom") for each in _records(completion, "tool_calls")]
    made = [str(value) for call in calls if isinstance(call, dict) for value in call.values()]
    return " ".join([_text(completion, "text") or "", *made])


def _held(calls: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return by how many seconds each proposer was later than the next latest of its layer, where it was the last."""
    held: dict[str, float] = {}
    for layer in _layers([call for call in calls if call.get("role") == "proposer"]):
        ends = sorted((ended, name) for name, ended in layer.items() if ended is not None)
        if len(ends) > 1 and (late := ends[-1][0] - ends[-2][0]) >= NOTICEABLE_S:
            held[ends[-1][1]] = held.get(ends[-1][1], 0.0) + late
    return held


def _layers(calls: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, float | None]]:
    """Yield when the proposers of each layer ended. All are asked in each, so one that comes again begins the next."""
    layer: dict[str, float | None] = {}
    for call in calls:
        if _name(call) in layer:
            yield layer
            layer = {}
        layer[_name(call)] = _number(call, "ended_s")
    yield layer


def _call(call: Mapping[str, Any]) -> CallDigest:
    started, ended, cost = (_number(call, key) for key in ("started_s", "ended_s", "cost"))
    return CallDigest(
        role=_text(call, "role") or "unknown",
        name=_name(call),
        outcome=_text(call, "outcome") or "unknown",
        seconds=None if started is None or ended is None else max(0.0, ended - started),
        prompt_tokens=int(_number(call, "prompt_tokens") or 0),
        completion_tokens=int(_number(call, "completion_tokens") or 0),
        estimated=call.get("estimated") is True,
        cost=None if cost is None else Decimal(str(cost)),
    )


def _name(record: Mapping[str, Any]) -> str:
    return _text(record, "model") or "unknown"


def _text(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    return value if isinstance(value, str) else None


def _number(record: Mapping[str, Any], key: str) -> float | None:
    value = record.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return value if abs(value) < _TOO_LARGE else None  # so NaN is none either


def _record(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _records(record: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = record.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, (list, tuple)) else []
