"""A pool without sockets: the part of it that synthesis depends on, with replies from a script."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from config.settings import Capability, Critic, Mixture, Model, Proposer
from synth.contract.contract import derive_contract
from synth.events import Event, TextDelta
from synth.ledger import Ledger
from synth.request import ChatRequest
from synth.run import Run
from tests.fakes.completions import Completion
from tests.synth.small_evidence import SmallEvidence
from upstream.calls import Attempt, Call
from upstream.errors import CallError
from upstream.gathering import Gathering

Reply = str | Completion | CallError
Step = Reply | Callable[[Call], Reply] | asyncio.Event
Script = Mapping[str, Step | list[Step]]
"""A reply, a function that makes one of the call, or an event that is awaited before the next step is taken."""

CAPABILITIES: frozenset[Capability] = frozenset({"vision", "tools", "json_object", "json_schema", "logprobs"})


def model(name: str, **fields: Any) -> Model:
    """Return a model with every capability."""
    defaults: dict[str, Any] = {"base_url": "http://unused", "provider": None, "api_key": None, "model": name}
    return Model(name=name, **{**defaults, "capabilities": CAPABILITIES, **fields})


class ScriptedPool:
    """Answers calls from a script: the steps of each model in order, the last one again and again.

    `calls` has every call in the order of its start, `connections` every model that was connected to ahead of a call.
    `clock` stands still at `now` until a test moves it. `cut` is how many characters of a stream arrive before an error
    of the script.
    """

    def __init__(self, script: Script, *, cut: int = 0) -> None:
        self.calls: list[Call] = []
        self.connections: list[str] = []
        self.now = 100.0
        self._cut = cut
        self._script = {
            name: [steps] if isinstance(steps, str) or not isinstance(steps, Sequence) else list(steps)
            for name, steps in script.items()
        }

    @property
    def clock(self) -> Callable[[], float]:
        return lambda: self.now

    def script(self, name: str, *steps: Step) -> None:
        """Replace the steps of one model."""
        self._script[name] = list(steps)

    def asked(self, name: str) -> list[Call]:
        """Return the calls of one model."""
        return [call for call in self.calls if call.model.name == name]

    async def complete(self, call: Call, *, on_retry: Callable[[], None] | None = None) -> dict[str, Any]:
        del on_retry  # nothing is retried here
        reply = await self._begin(call)
        if isinstance(reply, CallError):
            self._end(call, reply.kind)
            raise reply
        self._end(call, "ok")
        return reply.whole({"model": call.model.name})

    async def stream(self, call: Call) -> AsyncGenerator[dict[str, Any]]:
        reply = await self._begin(call)
        if isinstance(reply, CallError):
            for chunk in Completion(text="x" * self._cut, without=("finish_reason",)).chunks({}) if self._cut else ():
                yield chunk
            self._end(call, reply.kind)
            raise reply
        for chunk in reply.chunks({}):
            yield chunk
        self._end(call, "ok")

    def gather(self, calls: Sequence[Call]) -> Gathering:
        return Gathering(calls, self.complete, self.clock)

    def is_apart(self, model: str, others: Iterable[str]) -> bool:
        return model not in set(others)

    @asynccontextmanager
    async def connected(self, model: Model) -> AsyncGenerator[None]:
        self.connections.append(model.name)
        yield

    async def _begin(self, call: Call) -> Completion | CallError:
        call.started = self.now
        call.attempts.append(Attempt(self.now, sent=True))
        self.calls.append(call)
        steps = self._script[call.model.name]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        while isinstance(step, asyncio.Event):
            await step.wait()
            step = steps.pop(0) if len(steps) > 1 else steps[0]
        reply = step(call) if callable(step) else step
        return Completion(text=reply) if isinstance(reply, str) else reply

    def _end(self, call: Call, outcome: str) -> None:
        call.ended, call.outcome = self.now, outcome
        call.attempts[-1].ended, call.attempts[-1].outcome = self.now, outcome


@dataclass(slots=True)
class Scene:
    """A run against a scripted pool, and the events that it has emitted. All models of the script are configured."""

    pool: ScriptedPool
    run: Run
    mixture: Mixture
    evidence: SmallEvidence
    events: list[Event] = field(default_factory=list)

    def seen(self, *kinds: type) -> list[Any]:
        """Return the events of these kinds."""
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def streamed(self) -> str:
        """The text that a client which streams has received."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))


def scene(
    script: Script,
    *,
    panel: Sequence[str | Proposer] = ("a", "b"),
    critic: Critic | str | None = "c",
    messages: Sequence[dict[str, Any]] = ({"role": "user", "content": "Why?"},),
    incremental: bool = False,
    models: Sequence[Model] = (),
    cut: int = 0,
    n: int = 1,
    params: dict[str, Any] | None = None,
    examples: Mapping[Any, Any] | None = None,
    **mixture: Any,
) -> Scene:
    """Return a run whose models answer from the script; `models` replace those of the same name.

    `examples` are what the evidence of the run knows of the function `f`: arguments and values.
    """
    pool = ScriptedPool(script, cut=cut)
    known = {name: model(name) for name in script}
    known |= {each.name: each for each in models}
    request = ChatRequest(None, messages, params or {}, n=n, stream=incremental)
    events: list[Event] = []

    async def emit(event: Event) -> None:
        events.append(event)

    nonces = random.Random(7)
    evidence = SmallEvidence(examples)
    run = Run(
        request=request,
        contract=derive_contract(request),
        models=known,
        pool=pool,
        ledger=Ledger(),
        emit=emit,
        started=pool.now,
        deadline=pool.now + 60,
        evidence=evidence,
        incremental=incremental,
        rng=random.Random(7),
        draw_nonce=lambda: f"{nonces.getrandbits(64):016x}",
    )
    configured = Mixture(
        "mom",
        tuple(Proposer(each) if isinstance(each, str) else each for each in panel),
        Critic(critic) if isinstance(critic, str) else critic,
        **mixture,
    )
    return Scene(pool, run, configured, evidence, events)
