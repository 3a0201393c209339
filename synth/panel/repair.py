"""Repairing code: if all leading candidates fail the same example, the best-ranked author sees it and tries again."""

from typing import Any

from config.settings import Mixture
from synth.events import RepairStarted
from synth.panel.ask import Panel, Question, take_outcome
from synth.panel.evidence import PanelEvidence
from synth.run import Run
from upstream.calls import Call
from upstream.errors import CallError
from upstream.openai.conversation import Conversation

PROMPT = """\
Your code was run, and it fails an example of the request:

{finding}

Find the mistake, then write the reply again, whole, in the same form, with this put right."""

_MAX_FINDING_CHARS = 600


async def repair(run: Run, mixture: Mixture, panel: Panel, question: Question, evidence: PanelEvidence) -> None:
    """Ask for one repair, if the mixture wants one and all leaders fail the same example; then rank both.

    The repaired code is one more candidate, ranked behind the original: it wins only by evidence.
    """
    ranking = panel.ranking
    if not mixture.repair or ranking is None:
        return
    leaders = panel.leaders()
    failed = {ranking.standing(each.name).failed for each in leaders}
    if len(failed) != 1 or None in failed:
        return
    best = leaders[0]
    finding = ranking.standing(best.name).finding[:_MAX_FINDING_CHARS]
    call = run.call(
        best.call.model.name,
        "proposer",
        Conversation.of(best.call.messages).continue_with(
            {"role": "assistant", "content": best.completion.text},
            {"role": "user", "content": PROMPT.replace("{finding}", finding)},
        ),
        params=best.call.params,
        overrides=best.call.overrides,
        deadline=question.deadline,
        alias=f"{best.name}#repair",
    )
    await run.emit(RepairStarted(call, best.name, finding))
    n_before = len(panel.candidates)
    await run.emit(await take_outcome(panel, run.contract, question, call, await _complete(run, call)))
    for candidate in panel.candidates[n_before:]:
        evidence.add(candidate)
        await evidence.rank(panel)


async def _complete(run: Run, call: Call) -> dict[str, Any] | CallError:
    try:
        return await run.pool.complete(call)
    except CallError as error:
        return error
