"""Evidence on a panel's candidates: found while they arrive, ranked when a round has settled."""

from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

from config.settings import Mixture, Model
from synth.contract.contract import Form
from synth.events import EvidenceFound
from synth.evidence.inquiry import Inquiry, Subject
from synth.panel.ask import Candidate, Panel, find_outcome
from synth.run import Run


class PanelEvidence:
    """The evidence on one panel; without an inquiry it finds nothing, and every method does nothing.

    In `shadow` the ranking is emitted and decides nothing.
    """

    def __init__(self, run: Run, mixture: Mixture, inquiry: Inquiry | None) -> None:
        self._run = run
        self._mixture = mixture
        self._inquiry = inquiry

    @property
    def can_rank(self) -> bool:
        """Whether evidence may tell single candidates apart, by something in the request."""
        return self._inquiry is not None and self._inquiry.can_rank and self._mixture.evidence != "shadow"

    def add(self, candidate: Candidate) -> None:
        """Begin to run a candidate, if it keeps the contract; returns at once."""
        if self._inquiry is not None and candidate.finding is None:
            voter, outcome = identify_voter(candidate.call.model), find_outcome(self._run.contract, candidate)
            self._inquiry.add(Subject(candidate.name, voter, candidate.completion.text, outcome))

    async def rank(self, panel: Panel) -> None:
        """Wait for the evidence on all candidates so far, rank them, and emit the ranking."""
        if self._inquiry is None:
            return
        ranking = await self._inquiry.rank([candidate.name for candidate in panel.candidates])
        decides = self._mixture.evidence != "shadow"
        if decides:
            panel.ranking = ranking if ranking.n_ran else None
        if ranking.n_ran:
            await self._run.emit(EvidenceFound(ranking, decides=decides))


@asynccontextmanager
async def open_evidence(run: Run, mixture: Mixture, deadline: float) -> AsyncGenerator[PanelEvidence]:
    """Open the inquiry into a panel's candidates, if the mixture and the request allow one; leaving it ends it."""
    if run.evidence is None or mixture.evidence == "off" or run.contract.form in (Form.TOOLS, Form.JSON):
        yield PanelEvidence(run, mixture, None)
        return
    level, checker = mixture.evidence, mixture.checker
    async with run.evidence.inquire(run.request, run.contract, level, deadline, checker) as inquiry:
        yield PanelEvidence(run, mixture, inquiry)


def identify_voter(model: Model) -> Hashable:
    """Return the upstream model behind a configured one: aliases of it, and its samples, share one vote."""
    return (model.weights or model.base_url, model.model)
