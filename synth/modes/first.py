"""The mode `first`: the first valid candidate is the answer, and the rest of the panel is cancelled."""

from synth.contract.contract import Form
from synth.events import Answered, DecidedBy
from synth.modes.fuse import fuse
from synth.modes.outcomes import Case, find_evident, use_candidate


async def first(case: Case) -> Answered:
    """Return one answer; as `fuse` does if there is no valid candidate or tools may be called."""
    best = None if case.run.contract.form is Form.TOOLS else case.panel.best()
    if best is None:
        return await fuse(case)
    return await use_candidate(case, best, DecidedBy.EVIDENCE if find_evident(case) else DecidedBy.FIRST)
