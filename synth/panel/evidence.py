"""Evidence on a panel's candidates: found while they arrive, ranked when a round has settled."""

from collections.abc import Hashable
from types import TracebackType
from typing import Self

from config.settings import Mixture, Model
from synth.contract.contract import Form
from synth.events import EvidenceFound
from synth.evidence.inquiry import Inquiry, Subject
from synth.panel.ask import Candidate, Panel, find_outcome
from synth.run import Run


class PanelEvidence:
    """The evidence on one panel: an async context manager, which ends everything that still runs.

    If the mixture allows no evidence, or the request gives no means to rank candidates, there is no inquiry and every
    method does nothing. In `shadow` the ranking is emitted but does not decide. `deadline` is an instant on the
    clock of the run.
    """

    # A class rather than a decorated generator, and no inquiry rather than an empty one: most requests have no code to
    # run, and should not pay for the few that do.
    def __init__(self, run: Run, mixture: Mixture, deadline: float) -> None:
        self._run = run
        self._mixture = mixture
        self._deadline = deadline
        self._inquiry: Inquiry | None = None

    async def __aenter__(self) -> Self:
        run, mixture = self._run, self._mixture
        if run.evidence is None or mixture.evidence == "off" or run.contract.form in (Form.TOOLS, Form.JSON):
            return self
        self._inquiry = await run.evidence.inquire(
            run.request, run.contract, mixture.evidence, self._deadline, mixture.checker
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._inquiry is not None:
            await self._inquiry.aclose()

    async def can_rank(self) -> bool:
        """Return whether the request allows evidence to rank single candidates."""
        return self._inquiry is not None and self._mixture.evidence != "shadow" and await self._inquiry.can_rank()

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


def identify_voter(model: Model) -> Hashable:
    """Return the upstream model behind a configured one: aliases of it, and its samples, share one vote."""
    return (model.weights or model.base_url, model.model)
