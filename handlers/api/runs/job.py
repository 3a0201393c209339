"""The run of one request: the models are asked, its budgets are charged, and feedback learns from it."""

from functools import partial

from handlers.api.client_api import CandidateReader
from handlers.api.intake.target import Target, record_target
from handlers.api.runs.shared_runs import RunKey, SharedRun
from handlers.context import RequestContext
from handlers.gate.spending import Bill, Budget, Spending, budgets_of, is_limit
from runtime.frozen import frozen
from synth import mixture as mixtures
from synth.events import Emit, Finished
from synth.feedback.learner import Learner
from synth.ledger import Ledger
from synth.run import Run


@frozen
class Job:
    """The work that a request asks of the models, whichever clients wait for it: its own may leave, others may join.

    `api` is the name of its client API. `budgets` are charged with what its run uses.
    """

    context: RequestContext
    api: str
    target: Target
    spending: Spending
    budgets: tuple[Budget, ...]

    def begin(self, key: RunKey | None, candidate_reader: CandidateReader | None) -> SharedRun:
        """Begin a run, which identical requests find by its key; `candidate_reader` sees candidates being written."""
        run, learner = self.context.snapshot.runs.create(key), self._begin_learning()
        answer = partial(self._ask_models, run.ledger, candidate_reader, learner)
        run.start(answer, None if learner is None else learner.read)
        return run

    async def count(self) -> None:
        """Count a request that needs no run of its own in the rate of its key. Raises ApiError (429) beyond it."""
        async with self.spending.charge((), self.context.key, self._make_bill(Ledger()), self.target.deadline_s):
            pass

    async def _ask_models(
        self, ledger: Ledger, candidate_reader: CandidateReader | None, learner: Learner | None, emit: Emit
    ) -> Finished:
        """Run the request, and charge it to its budgets. Raises ApiError (429) if they do not allow it."""
        context, target = self.context, self.target
        snapshot = context.snapshot
        started = snapshot.pool.clock()
        run = Run(
            target.chat,
            target.contract,
            snapshot.models,
            snapshot.pool,
            ledger,
            emit,
            started,
            started + target.deadline_s,
            evidence=snapshot.evidence,
            incremental=target.chat.stream,
            on_candidate_text=candidate_reader.read_candidate_text if candidate_reader else None,
            shows_reasoning=target.mixture is None or target.mixture.show_reasoning,
            arrange=None if learner is None else learner.arrange,
        )
        bill = self._make_bill(ledger)
        try:
            async with self.spending.charge(self.budgets, context.key, bill, target.deadline_s):
                return await mixtures.answer(run, target.mixture or target.name)
        finally:  # a request that fails still has news of earlier answers
            if learner is not None and snapshot.feedback is not None:
                snapshot.feedback.finish(learner, context.record.reply_id)

    def _make_bill(self, ledger: Ledger) -> Bill:
        record = self.context.record
        return Bill(ledger, record.expected, record.client or "", record.mixture or "")

    def _begin_learning(self) -> Learner | None:
        """Return the learner of the request, or None if its target is a single model or does not learn."""
        snapshot, target = self.context.snapshot, self.target
        if target.mixture is None or snapshot.feedback is None:
            return None
        return snapshot.feedback.begin(
            target.mixture,
            target.chat,
            target.contract,
            models=snapshot.models,
            api=self.api,
            client=self.context.record.client,
        )


def make_job(context: RequestContext, api: str, target: Target, spending: Spending) -> Job:
    """Return the job of a request, and record its target. Raises ApiError (429) if its estimate exceeds `max_cost`."""
    snapshot = context.snapshot
    capped = target.mixture or snapshot.day_caps.get(target.name)
    budgets = budgets_of(snapshot.settings.server, context.key, capped)
    record_target(context.record, target, snapshot, is_limited=any(map(is_limit, budgets)))
    return Job(context, api, target, spending, budgets)
