"""The work behind an answer, shown to a client only as far as the mixture says."""

from dataclasses import replace

import pytest

from config.settings import Critic, Mixture
from handlers.api.reply.shown_work import ShownWork
from synth.events import (
    Answered,
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    DecidedBy,
    Event,
    EvidenceFound,
    LayerStarted,
    PanelSettled,
    ProposerLeftOut,
    ReasoningDelta,
    RepairStarted,
    ReviewArrived,
    ReviewFailed,
    StageStarted,
    TextDelta,
)
from synth.evidence.inquiry import Ranking, Standing
from synth.normalize import Completion
from synth.prompts.review import Defect
from tests.running import model
from upstream.calls import Call
from upstream.errors import CallError, Kind

CALL = Call(model("a", "http://h/v1"), "proposer", [], {}, 60.0, started=1.0, ended=2.5)
FAILURE = CallError(Kind.TIMEOUT, "no reply within 30 s")
RANKING = Ranking((Standing("a", passed_all=True), Standing("b", 1)), "examples", n_ran=2)
DEFECT = Defect("quoted", "wrong", "it is wrong")
STEPS: list[tuple[Event, str]] = [
    (CandidateArrived(CALL, Completion("x")), "a answered (1.5 s).\n"),
    (CandidateFailed(CALL, FAILURE), "a failed: timeout (1.5 s).\n"),
    (ProposerLeftOut("a", "it cannot see"), "a was not asked: it cannot see.\n"),
    (LayerStarted(2, 1, ("a", "b")), "The panel is asked again, with its 2 answers (layer 2).\n"),
    (StageStarted(1, ("a", "b")), "Stage 1 asks a, b.\n"),
    (StageStarted(2, ("c",)), "Not settled yet; stage 2 asks c.\n"),
    (EvidenceFound(RANKING, decides=True), "1 of 2 candidates pass every example when run.\n"),
    (EvidenceFound(replace(RANKING, is_tested=False), decides=True), "Candidates that were run: 2.\n"),
    (RepairStarted(CALL, "b", "f(1) == 2"), "b repairs its code: f(1) == 2.\n"),
    (AuthorStarted(CALL, []), "a writes the answer.\n"),
    (ReviewArrived(CALL, ()), "a found no defects.\n"),
    (ReviewArrived(CALL, (DEFECT,)), "a found 1 defect.\n"),
    (ReviewArrived(CALL, (DEFECT, DEFECT)), "a found 2 defects.\n"),
    (ReviewFailed("a", FAILURE), "a failed to look for defects: timeout.\n"),
]
SILENT: list[Event] = [
    TextDelta("x"),
    PanelSettled(1, 1, 1.0),
    AuthorStarted(CALL, [], choice=1),
    Answered(Completion("x"), DecidedBy.CRITIC, "a"),
]


def _mixture(*, work: bool, reasoning: bool) -> Mixture:
    return Mixture("mom", (), Critic("a"), show_work=work, show_reasoning=reasoning)


@pytest.mark.parametrize(("event", "note"), STEPS)
def test_each_step_is_one_line(event: Event, note: str) -> None:
    """With `show_work`; without it the client sees nothing of it."""
    assert ShownWork(_mixture(work=True, reasoning=False)).read(event) == note
    for hidden in (ShownWork(None), ShownWork(_mixture(work=False, reasoning=True))):
        assert hidden.read(event) == ""


@pytest.mark.parametrize("event", SILENT)
def test_the_rest_is_silent(event: Event) -> None:
    """The answer itself, and the further choices of one request, add nothing to the reasoning."""
    assert ShownWork(_mixture(work=True, reasoning=True)).read(event) == ""


@pytest.mark.parametrize("shows", [True, False])
def test_reasoning_is_shown_if_the_mixture_says_so(shows: bool) -> None:
    """In a stream and in a body alike."""
    work = ShownWork(_mixture(work=False, reasoning=shows))
    assert work.read(ReasoningDelta("hm")) == ("hm" if shows else "")
    assert work.full_text(Completion("x", reasoning="hm")) == ("hm" if shows else "")


def test_a_single_model_shows_its_reasoning() -> None:
    """As it would without a gateway."""
    assert ShownWork(None).read(ReasoningDelta("hm")) == ShownWork(None).full_text(Completion("", "hm")) == "hm"


def test_a_body_has_all_that_a_stream_shows() -> None:
    """The notes in their order, then the reasoning."""
    work = ShownWork(_mixture(work=True, reasoning=True))
    events = [event for event, _ in STEPS] + [ReasoningDelta("h"), ReasoningDelta("m")]
    streamed = "".join(work.read(event) for event in events)
    assert work.full_text(Completion("x", reasoning="hm")) == streamed
