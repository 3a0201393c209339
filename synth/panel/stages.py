"""Asking a panel in stages: each further stage only if the one before did not settle the request."""

from collections import Counter
from dataclasses import replace

from config.settings import Mixture
from synth.contract.contract import Form
from synth.events import StageStarted
from synth.panel.ask import Candidate, Panel, Question, ask_proposers, find_outcome, is_weak
from synth.panel.evidence import PanelEvidence, identify_voter
from synth.run import Run


async def ask_in_stages(run: Run, mixture: Mixture, panel: Panel, whole: Question, evidence: PanelEvidence) -> None:
    """Ask the panel in the mixture's stages, and rank the candidates after each; without stages, all at once.

    The stages share the time until the deadline of the whole question equally.
    """
    # Only facts settle a request, never a model's opinion: a candidate that passes every example in the request, or two
    # different models with the same outcome. No model's word about itself or others counts. Samples and
    # aliases of one upstream model are one model here: they share their errors, and would outvote a better one.
    # A stage without any valid candidate never settles a request, so a failing first model costs time and no answer.
    # With tools nothing can settle early, so stages would only add latency, and the panel is asked at once.
    sizes = mixture.stages if run.contract.form is not Form.TOOLS else ()
    sizes = sizes or (len(mixture.panel),)
    begin, question = 0, whole
    for stage, size in enumerate(sizes, start=1):
        if len(sizes) > 1:
            now = run.pool.clock()
            deadline = now + (whole.deadline - now) / (len(sizes) - stage + 1)
            question = replace(whole, deadline=deadline, proposers=mixture.panel[begin : begin + size])
            begin += size
            await run.emit(StageStarted(stage, tuple(proposer.name for proposer in question.proposers)))
        await ask_proposers(run, mixture, panel, question, evidence.add)
        await evidence.rank(panel)
        if stage == len(sizes) or await _is_settled(run, mixture, panel, evidence):
            break


async def _is_settled(run: Run, mixture: Mixture, panel: Panel, evidence: PanelEvidence) -> bool:
    """Whether no further stage is needed; marks a panel that evidence or agreement has settled."""
    valid = [each for each in panel.candidates if each.finding is None and not is_weak(each.completion)]
    if panel.ranking is not None and any(panel.ranking.standing(each.name).passed_all for each in valid):
        panel.is_settled = True
        return True
    panel.agreed = _find_agreed(run, panel)
    if panel.agreed is not None:
        return True
    asks_critic = mixture.critic is not None and mixture.mode != "first"
    return bool(valid) and not asks_critic and not await evidence.can_rank()


def _find_agreed(run: Run, panel: Panel) -> Candidate | None:
    """Return the best-ranked candidate of the only outcome shared by two different models, or None.

    The agreement of candidates that evidence ranks behind others does not count.
    """
    strong = [candidate for candidate in panel.leaders() if not is_weak(candidate.completion)]
    outcomes = {candidate.name: find_outcome(run.contract, candidate) for candidate in strong}
    voters = {(outcomes[candidate.name], identify_voter(candidate.call.model)) for candidate in strong}
    counts = Counter(outcome for outcome, _ in voters)
    agreed = [outcome for outcome, n_models in counts.items() if n_models > 1]
    if len(agreed) != 1:
        return None
    return next(candidate for candidate in strong if outcomes[candidate.name] == agreed[0])
