"""The mode `fuse`: a critic writes one answer out of all candidates."""

from synth.contract.contract import Form
from synth.events import Answered, DecidedBy
from synth.modes.outcomes import Case, ask_critic, ask_critic_alone, use_candidate
from synth.panel.ask import Candidate, sound


async def fuse(case: Case) -> Answered:
    """Return one answer.

    No candidate: the critic answers alone. One, or several that are equal: that is the answer, without a critic,
    unless tools are to be called, which the critic alone can.
    """
    standing = _standing(case)
    if not case.panel.candidates:
        return await ask_critic_alone(case)
    if standing is not None:
        return await use_candidate(case, *standing)
    return await ask_critic(case)


def _standing(case: Case) -> tuple[Candidate, DecidedBy] | None:
    """Return the candidate that needs no critic, if there is one."""
    candidates = sound(case.panel.candidates)
    if case.run.contract.form is Form.TOOLS or any(candidate.finding for candidate in candidates):
        return None
    best = case.panel.best()
    if best is None or len({candidate.outcome for candidate in candidates}) > 1:
        return None
    return best, DecidedBy.EQUAL_CANDIDATES if len(candidates) > 1 else DecidedBy.ONLY_CANDIDATE
