"""The state of one request on its way through a mixture: request, contract, models, ledger, deadline."""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.settings import Mixture, Model
from synth.contract.contract import Contract
from synth.events import Emit, PanelArranged
from synth.evidence.inquiry import EvidenceFinder
from synth.ledger import Ledger
from synth.model_pool import ModelPool
from synth.request import ChatRequest, Message
from upstream.calls import Call, Role

_RNG = random.Random()  # noqa: S311 -- fairness of order, not secrecy; one, because seeding costs

Arrange = Callable[[Mixture], tuple[Mixture, PanelArranged | None]]
"""Returns the mixture with its panel in the order to ask by, and the event that says so if that is another one."""


@dataclass(slots=True)
class Run:
    """One request on its way to an answer.

    `contract` is the form that the answer keeps. `models` are all configured models by name. `started` and `deadline`
    are on the pool's clock. `emit` receives every event. `evidence` runs candidates; None if nothing can be run. With
    `incremental` the answer's text is emitted while it is written, for a client that streams. With `shows_reasoning`
    the author's reasoning counts as content. `rng` draws the order of the candidates, `draw_nonce` the mark of their
    fences. `arrange` orders the panel by trust; None if the request is not learnt from.
    """

    request: ChatRequest
    contract: Contract
    models: Mapping[str, Model]
    pool: ModelPool
    ledger: Ledger
    emit: Emit
    started: float
    deadline: float
    evidence: EvidenceFinder | None = None
    arrange: Arrange | None = None
    incremental: bool = False
    shows_reasoning: bool = False
    on_candidate_text: Callable[[Call, int, str], None] | None = None
    rng: random.Random = _RNG
    draw_nonce: Callable[[], str] = lambda: os.urandom(8).hex()

    def elapsed_s(self) -> float:
        """Return the seconds since the start of the run."""
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
        """Return a new call, and add it to the ledger. `overrides` beat both `params` and the model's own."""
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
