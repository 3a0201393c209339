"""The field `mom` of a reply, requested by `mom.show`: the candidates, and how the answer was decided. Pure."""

from typing import Any

from config.settings import Mixture
from handlers.request_record import RequestRecord, as_number, rounded
from runtime.frozen import frozen
from synth.events import (
    CandidateArrived,
    CandidateFailed,
    Event,
    EvidenceFound,
    Finished,
    PickMade,
    ProposerLeftOut,
)
from synth.ledger import compute_cost, count_tokens
from synth.request import Shown
from upstream.calls import Call


@frozen
class _Failure:
    name: str
    layer: int
    kind: str
    message: str


class RunReport:
    """Collects the events of a run that a reply shows beside the answer; `show` names its parts.

    Memory: the candidates' texts, which the run holds as well.
    """

    def __init__(self, show: frozenset[Shown], mixture: Mixture | None) -> None:
        self._show = show
        self._ranks = {each.name: rank for rank, each in enumerate(mixture.panel if mixture else ())}
        self._candidates: list[CandidateArrived] = []
        self._failures: list[_Failure] = []
        self._picks: list[PickMade] = []
        self._evidence: EvidenceFound | None = None

    def read(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case CandidateArrived():
                self._candidates.append(event)
            case CandidateFailed(call=call, error=error, layer=layer):
                self._failures.append(_Failure(call.name, layer, str(error.kind), error.message))
            case ProposerLeftOut(name=name, reason=reason, layer=layer):
                self._failures.append(_Failure(name, layer, "left_out", reason))
            case EvidenceFound():
                self._evidence = event
            case PickMade():
                self._picks.append(event)

    def build(self, finished: Finished, record: RequestRecord) -> dict[str, Any]:
        """Return the object, with the parts that the request asks for."""
        report: dict[str, Any] = {}
        if "candidates" in self._show:
            report |= self._build_candidates()
        if "verdict" in self._show:
            report["verdict"] = self._build_verdict(finished, record)
        return report

    def _build_candidates(self) -> dict[str, Any]:
        """Return candidates and failures, in each layer in the order of the panel."""
        ordered = sorted(self._candidates, key=lambda each: (each.layer, self._rank(each.call.name)))
        failures = sorted(self._failures, key=lambda each: (each.layer, self._rank(each.name)))
        return {
            "candidates": [self._build_candidate(each) for each in ordered],
            "failures": [
                {"name": each.name, "layer": each.layer, "kind": each.kind, "message": each.message}
                for each in failures
            ],
        }

    def _rank(self, name: str) -> int:
        return self._ranks.get(name, len(self._ranks))

    def _build_candidate(self, event: CandidateArrived) -> dict[str, Any]:
        call, tokens = event.call, count_tokens(event.call)
        return {
            "name": call.name,
            "model": call.model.name,
            "layer": event.layer,
            "text": event.completion.text,
            "finding": event.finding,
            "evidence": self._build_standing(call.name),
            "tokens": {"prompt": tokens.prompt, "completion": tokens.completion, "estimated": tokens.estimated},
            "cost": as_number(compute_cost(call)),
            "seconds": _measure_s(call),
        }

    def _build_standing(self, name: str) -> dict[str, Any] | None:
        for standing in self._evidence.ranking.standings if self._evidence else ():
            if standing.name == name:
                return {"tier": standing.tier, "finding": standing.finding, "passed_all": standing.passed_all}
        return None

    def _build_verdict(self, finished: Finished, record: RequestRecord) -> dict[str, Any]:
        first, found = finished.answers[0], self._evidence
        return {
            "mode": record.mode,
            "decided_by": first.decided_by.value,
            "author": first.author,
            "bypass": record.bypass,
            "panel_reason": record.panel_reason,
            "evidence": None
            if found is None
            else {
                "by": found.ranking.by,
                "decides": found.decides,
                "ran": found.ranking.n_ran,
                "passed": found.ranking.n_passed if found.ranking.is_tested else None,
            },
            "picks": [{"model": each.call.model.name, "text": each.completion.text} for each in self._picks],
            "defects": record.n_defects,
            "answers": [
                {"choice": each.choice, "decided_by": each.decided_by.value, "author": each.author}
                for each in finished.answers
            ],
        }


def _measure_s(call: Call) -> float | None:
    return None if call.started is None or call.ended is None else rounded(call.ended - call.started)
