"""The mode `first`: the first valid candidate is the answer. The panel is not waited for beyond it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from synth.contract import Form
from synth.endings import Case, stands
from synth.events import DecidedBy, Event
from synth.fuse import fuse


async def first(case: Case) -> AsyncGenerator[Event]:
    """Yield the events of one answer; as in `fuse` where there is no valid candidate, or tools are to be called."""
    best = None if case.run.contract.form is Form.TOOLS else case.panel.best()
    made = fuse(case) if best is None else stands(case, best, DecidedBy.FIRST)
    async with aclosing(made) as events:
        async for event in events:
            yield event
