"""The feedback loop: answers are remembered, later requests bring news of them, and the counts order the panels.

Everything here runs in the background, in batches: no reply waits for the store, and a request without news costs the
store only a share of a batch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain

from config.settings import Mixture, Model
from runtime.background import Background
from store.store import Outcome, Remembered, Store, Tally
from synth.contract.contract import Contract
from synth.feedback.answer_record import AnswerRecord, count_revision, count_verdict, decode_record, replaces
from synth.feedback.learner import Learner
from synth.feedback.marks import mark_message
from synth.feedback.news import find_news
from synth.feedback.trust import HALF_LIFE_S, Count, Trust, decay, name_scope
from synth.feedback.verdict import Verdict
from synth.request import ChatRequest

REMEMBER_S = 7 * 86_400.0
"""How long an answer waits for news of it: a conversation may be taken up again some days later."""

WRITE_EVERY_S = 1.0
REFRESH_EVERY_S = 60.0
"""How long a change of the counts by another process may go unnoticed, in seconds."""

_MAX_WAITING = 256

Sleep = Callable[[float], Awaitable[None]]


class FeedbackLoop:
    """Remembers answers, reads news of them, and counts. Belongs to one event loop.

    `unix_time` gives seconds since the epoch. A process that is killed loses the answers of its last second.
    """

    def __init__(
        self, store: Store, background: Background, *, unix_time: Callable[[], float], sleep: Sleep = asyncio.sleep
    ) -> None:
        self._store = store
        self._background = background
        self._unix_time = unix_time
        self._sleep = sleep
        self.trust = Trust()
        """The trust computed from the counts when they were last read."""
        self._refreshed = float("-inf")
        self._waiting: list[_Lesson] = []
        self._timer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    def begin(
        self,
        mixture: Mixture,
        request: ChatRequest,
        contract: Contract,
        *,
        models: Mapping[str, Model],
        api: str,
        client: str | None,
    ) -> Learner | None:
        """Return the learner of a request to a mixture, or None if it must not learn or has no members to compare."""
        if mixture.learn == "off" or len(mixture.panel_models) < 2:  # noqa: PLR2004 -- it takes two
            return None
        if self._unix_time() - self._refreshed > REFRESH_EVERY_S:
            self._refreshed = self._unix_time()
            self._background.run(self.refresh())
        return Learner(self.trust, mixture, request, contract, models=models, api=api, client=client)

    def finish(self, learner: Learner, request_id: str) -> None:
        """Learn from a request that has ended, in the next turn of the event loop. Keeps no part of the request.

        `request_id` is unique.
        """
        asyncio.get_running_loop().call_soon(self._learn, learner, request_id)

    def _learn(self, learner: Learner, request_id: str) -> None:
        self._waiting.append(_Lesson(learner, request_id))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().create_task(self._write_later())
        elif len(self._waiting) == _MAX_WAITING:
            self._background.run(self.write())

    async def refresh(self) -> None:
        """Read the counts, which other processes may have changed."""
        self.trust, self._refreshed = Trust(await self.read_counts()), self._unix_time()

    async def read_counts(self) -> list[Count]:
        """Return all counts, decayed to now."""
        return list_counts(await self._store.read_tallies(), self._unix_time())

    async def write(self) -> None:
        """Read the news in ended requests, and remember their answers."""
        await asyncio.sleep(0)  # for requests that have just ended
        async with self._writing:
            lessons, self._waiting = self._waiting, []
            if lessons:
                await self._write(lessons)

    async def close(self) -> None:
        """Write the rest."""
        if self._timer is not None:
            self._timer.cancel()
        await self.write()

    async def _write_later(self) -> None:
        await self._sleep(WRITE_EVERY_S)
        self._timer = None
        self._background.run(self.write())

    async def _write(self, lessons: Sequence["_Lesson"]) -> None:
        # In the order in which the requests ended: the news of a request are about answers of earlier ones. Its own
        # answer may be the same text once more, because models repeat their mistakes.
        now = self._unix_time()
        marks = list(dict.fromkeys(chain.from_iterable(marks for each in lessons for marks, _ in each.news)))
        found = await self._store.recall(marks, now) if marks else {}
        known = {mark: record for mark, data in found.items() if (record := decode_record(data)) is not None}
        changed: dict[str, AnswerRecord] = {}
        has_counted = False
        for lesson in lessons:
            for once, outcomes in lesson.counts:
                has_counted |= await self._count(once, outcomes, now)
            for marks_of_answer, verdict in lesson.news:
                judged = await self._judge([mark for mark in marks_of_answer if mark in known], known, verdict, now)
                has_counted = has_counted or bool(judged)
                known.update(judged)
                changed.update(judged)
            known.update(lesson.answers)
            changed.update(lesson.answers)
        if changed:
            await self._store.remember([_remember(*each) for each in changed.items()], now)
        if has_counted:
            await self.refresh()

    async def _judge(
        self, marks: Sequence[str], known: Mapping[str, AnswerRecord], verdict: Verdict, now: float
    ) -> dict[str, AnswerRecord]:
        """Count the verdict on an answer if it is new; return the records that this changes, by mark."""
        record = known[marks[0]] if marks else None
        if record is None or not replaces(verdict, record):
            return {}
        outcomes = _list_outcomes(name_scope(record.mixture, record.kind), count_revision(record, verdict))
        if not await self._count(f"{record.id}:{verdict.value}", outcomes, now):
            return {}
        return dict.fromkeys(marks, record.with_verdict(verdict))

    async def _count(self, once: str, outcomes: Sequence[Outcome], now: float) -> bool:
        return await self._store.add_outcomes(once, outcomes, now, HALF_LIFE_S)


class _Lesson:
    """The lesson of one request: its answers by mark, their immediate counts, and news by the marks of answers."""

    def __init__(self, learner: Learner, request_id: str) -> None:
        answers = learner.list_answers(request_id)
        self.answers = {mark: answer.record for answer in answers for mark in answer.marks}
        judged = [each.record for each in answers if each.record.verdict]
        first = [(record, count_verdict(record, Verdict(record.verdict))) for record in judged]
        self.counts = [
            (f"{record.id}:0", _list_outcomes(name_scope(record.mixture, record.kind), counts))
            for record, counts in first
            if counts
        ]
        tested = learner.list_tested()
        if tested:
            names = {(member, "tested_right" if passed else "tested_wrong"): 1 for member, passed in tested.items()}
            outcomes = _list_outcomes(name_scope(learner.mixture, learner.kind), names)
            self.counts.append((f"{request_id}:tested", outcomes))
        news = find_news(learner.request.messages)
        found = [(mark_message(each.answer, learner.client), each.reading.verdict) for each in news]
        self.news = [(marks, verdict) for marks, verdict in found if marks]


def list_counts(tallies: Sequence[Tally], now: float) -> list[Count]:
    """Return tallies of a store as counts, with their weights decayed to now."""
    return [Count(each.kind, each.member, each.name, decay(each.weight, now - each.at), each.count) for each in tallies]


def _list_outcomes(scope: str, counts: Mapping[tuple[str, str], int]) -> list[Outcome]:
    return [Outcome(member, scope, name, amount) for (member, name), amount in counts.items()]


def _remember(mark: str, record: AnswerRecord) -> Remembered:
    return Remembered(mark, record.encode(), REMEMBER_S)
