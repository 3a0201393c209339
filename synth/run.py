"""One request on its way through a mixture: what is asked, who may be asked, until when."""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.settings import Model
from synth.contract.contract import Contract
from synth.events import Emit
from synth.ledger import Ledger
from synth.request import ChatRequest, Message
from upstream.calls import Call, Role
from upstream.pool import Pool

_RNG = random.Random()  # noqa: S311 -- fairness of order, not secrecy; one, because seeding costs


@dataclass(slots=True)
class Run:
    """One request's run.

    `contract` is what its answer must keep, `models` are all configured ones by name, `deadline` is on the pool's
    clock. `tell` is told of all that happens. `incremental` asks for the answer's text as it is written, for a client
    that streams; else it comes whole. What the author thinks is of interest where the run `shows_reasoning`. `rng`
    draws the candidates' order, `draw_nonce` their fence.
    """

    request: ChatRequest
    contract: Contract
    models: Mapping[str, Model]
    pool: Pool
    ledger: Ledger
    emit: Emit
    started: float
    deadline: float
    incremental: bool = False
    shows_reasoning: bool = False
    rng: random.Random = _RNG
    draw_nonce: Callable[[], str] = lambda: os.urandom(8).hex()

    def elapsed_s(self) -> float:
        """Return the seconds since the run began."""
        return self.pool.clock() - self.started

    def call(
        self,
        model: str,
        role: Role,
        messages: Sequence[Message],
        *,
        params: Mapping[str, Any],
        deadline: float | None = None,
        overrides: Mapping[str, Any] | None = None,
        alias: str | None = None,
    ) -> Call:
        """Return a new call, on the ledger already. `overrides` beat both `params` and the model's own."""
        return self.ledger.add(
            Call(
                model=self.models[model],
                role=role,
                messages=messages,
                params=params,
                deadline=self.deadline if deadline is None else deadline,
                overrides=overrides or {},
                shows_reasoning=self.shows_reasoning,
                alias=alias,
            )
        )
