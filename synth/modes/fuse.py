"""The mode `fuse`: a critic writes one answer from all candidates."""

from synth.contract.contract import Form
from synth.events import Answered, DecidedBy
from synth.modes.outcomes import Case, ask_critic, ask_critic_alone, find_evident, use_candidate
from synth.panel.ask import Candidate, drop_weak


async def fuse(case: Case) -> Answered:
    """Return one answer.

    Without candidates the critic answers alone. A single candidate is the answer without a critic, and so are several
    with the same outcome, those by which a stage was settled, and the one that evidence leaves; unless tools may be
    called: only the critic can call them.
    """
    if not case.panel.candidates:
        return await ask_critic_alone(case)
    if (evident := find_evident(case)) is not None:
        return await use_candidate(case, evident, DecidedBy.EVIDENCE)
    if case.panel.agreed is not None:
        return await use_candidate(case, case.panel.agreed, DecidedBy.EQUAL_CANDIDATES)
    if (settled := _find_settled(case)) is not None:
        return await use_candidate(case, *settled)
    return await ask_critic(case)


def _find_settled(case: Case) -> tuple[Candidate, DecidedBy] | None:
    """Return the candidate that needs no critic, if there is one."""
    candidates = drop_weak(case.panel.candidates)
    if case.run.contract.form is Form.TOOLS or any(candidate.finding for candidate in candidates):
        return None
    if len({candidate.outcome for candidate in candidates}) > 1 or (best := case.panel.best()) is None:
        return None
    return best, DecidedBy.EQUAL_CANDIDATES if len(candidates) > 1 else DecidedBy.ONLY_CANDIDATE
