"""A process with a feedback loop on a store, in front of a scripted panel of two whose order decides."""

import asyncio
from collections.abc import Sequence
from typing import Any

from handlers.feedback_loop import FeedbackLoop
from runtime.background import Background
from store.store import Store
from synth.events import Emit, Event
from synth.feedback.learner import Learner
from tests.synth.feedback.learning import run
from tests.synth.scripted_pool import Scene, scene

ONE = "The answer is the number forty-two."
OTHER = "The answer is the number forty-three."
WRONG, THANKS, NEXT = "That's wrong.", "That works, thanks.", "And now something else, please."
COMMITTED = "I committed the changes with git hash 1234567 & commit msg: feat: x"


class Gateway:
    """A process on a store: its clock stands at `now`, and its batches wait until they are written by hand."""

    def __init__(self, store: Store, now: float = 1_000_000.0) -> None:
        self.now = now
        self.n_requests = 0
        self.background = Background()
        self.loop = FeedbackLoop(store, self.background, unix_time=lambda: self.now, sleep=self._wait)
        self._forever = asyncio.Event()

    async def _wait(self, _seconds: float) -> None:
        await self._forever.wait()

    def begin(self, stage: Scene, client: str | None = "dev") -> Learner | None:
        """Return the learner of a run, which has read the run's events."""
        learner = self.loop.begin(
            stage.mixture, stage.run.request, stage.run.contract, models=stage.run.models, api="chat", client=client
        )
        if learner is not None:
            stage.run.emit, stage.run.arrange = _let_read(learner, stage.run.emit), learner.arrange
        return learner

    async def ask(self, *messages: Any, client: str | None = "dev", replies: Sequence[str] = (ONE, OTHER)) -> None:
        """Send a request to a panel of two, whose order decides."""
        stage = scene(
            dict(zip("ab", replies, strict=True)), messages=messages or [user("Why?")], critic=None, mode="select"
        )
        learner = self.begin(stage, client)
        assert learner is not None
        await run(stage)
        self.n_requests += 1
        self.loop.finish(learner, f"{id(self)}:{self.n_requests}")

    async def tell(self, news: str, *, answer: str = ONE, client: str | None = "dev") -> None:
        """Send a request that carries an answer and news of it."""
        acknowledged = [user(COMMITTED), said("Ok.")] if news == NEXT else []
        await self.ask(user("Why?"), said(answer), *acknowledged, user(news), client=client, replies=("Well.", "Hm."))
        await self.loop.write()


def _let_read(learner: Learner, emit: Emit) -> Emit:
    async def read(event: Event) -> None:
        learner.read(event)
        await emit(event)

    return read


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


async def counts(store: Store) -> dict[tuple[str, str], float]:
    """Return the weights by the name of the member and of the count."""
    tallies = await store.read_tallies()
    return {
        (each.member.partition("=")[0], each.name): round(each.weight, 3) for each in tallies if round(each.weight, 3)
    }
