"""The work behind an answer as shown to a client: the author's reasoning and the panel's progress. Pure."""

from typing import Any

from config.settings import Mixture
from synth.events import (
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    Event,
    EvidenceFound,
    LayerStarted,
    ProposerLeftOut,
    ReasoningDelta,
    RepairStarted,
    ReviewArrived,
    ReviewFailed,
    StageStarted,
)
from synth.normalize import Completion
from upstream.calls import Call


class ShownWork:
    """Collects `reasoning_content`, which is empty unless the mixture shows it.

    `show_reasoning` shows the reasoning of the answer's author, `show_work` the progress of the panel. A single model
    that was asked for by name shows its reasoning as it would without a gateway. `report` is the `mom` of the reply,
    set when the run has finished; None unless the request asks for it (run_report.py).
    """

    def __init__(self, mixture: Mixture | None) -> None:
        self.is_shown = mixture is not None and mixture.show_work
        self.shows_reasoning = mixture is None or mixture.show_reasoning
        self.report: dict[str, Any] | None = None
        self._notes: list[str] = []

    def read(self, event: Event) -> str:
        """Return the text that an event adds; often ""."""
        note = _describe_step(event) if self.is_shown else ""
        if note:
            self._notes.append(note)
        if isinstance(event, ReasoningDelta) and self.shows_reasoning:
            return event.text
        return note

    def report_field(self) -> dict[str, Any]:
        """Return the field `mom` of a reply, or {} without one."""
        return {} if self.report is None else {"mom": self.report}

    def full_text(self, completion: Completion) -> str:
        """Return the reasoning content of a complete answer."""
        return "".join(self._notes) + (completion.reasoning if self.shows_reasoning else "")


def _describe_step(event: Event) -> str:
    match event:
        case LayerStarted() | CandidateArrived() | CandidateFailed() | ProposerLeftOut():
            return _describe_panel_step(event)
        case StageStarted() | EvidenceFound() | RepairStarted():
            return _describe_evidence_step(event)
        case AuthorStarted(call=call, choice=0):
            return f"{call.model.name} writes the answer.\n"
        case ReviewArrived(call=call, defects=defects, choice=0):
            return f"{call.name} found {len(defects) or 'no'} {'defect' if len(defects) == 1 else 'defects'}.\n"
        case ReviewFailed(model=model, error=error, choice=0):
            return f"{model} failed to look for defects: {error.kind}.\n"
        case _:
            return ""


def _describe_panel_step(event: LayerStarted | CandidateArrived | CandidateFailed | ProposerLeftOut) -> str:
    match event:
        case LayerStarted(layer=layer, letters=letters):
            return f"The panel is asked again, with its {len(letters)} answers (layer {layer}).\n"
        case CandidateArrived(call=call):
            return f"{call.name} answered ({_duration_s(call):.1f} s).\n"
        case CandidateFailed(call=call, error=error):
            return f"{call.name} failed: {error.kind} ({_duration_s(call):.1f} s).\n"
        case ProposerLeftOut(name=name, reason=reason):
            return f"{name} was not asked: {reason}.\n"


def _describe_evidence_step(event: StageStarted | EvidenceFound | RepairStarted) -> str:
    match event:
        case StageStarted(stage=stage, proposers=proposers):
            names = ", ".join(proposers)
            return f"Not settled yet; stage {stage} asks {names}.\n" if stage > 1 else f"Stage 1 asks {names}.\n"
        case EvidenceFound(ranking=ranking):
            if not ranking.is_tested:
                return f"Candidates that were run: {ranking.n_ran}.\n"
            return f"{ranking.n_passed} of {ranking.n_ran} candidates pass every example when run.\n"
        case RepairStarted(candidate=candidate, finding=finding):
            return f"{candidate} repairs its code: {finding}.\n"


def _duration_s(call: Call) -> float:
    return (call.ended or 0.0) - (call.started or 0.0)
