"""The mode `first`: the first valid candidate is the answer. The panel is not waited for beyond it."""

from synth.contract.contract import Form
from synth.events import Answered, DecidedBy
from synth.modes.fuse import fuse
from synth.modes.outcomes import Case, use_candidate


async def first(case: Case) -> Answered:
    """Return one answer; as in `fuse` where there is no valid candidate, or tools are to be called."""
    best = None if case.run.contract.form is Form.TOOLS else case.panel.best()
    return await fuse(case) if best is None else await use_candidate(case, best, DecidedBy.FIRST)
