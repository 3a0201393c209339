"""The interface between the pipeline and evidence: candidates in, a ranking out."""

from collections.abc import Hashable, Sequence
from typing import Protocol

from config.settings import Checker
from runtime.frozen import frozen
from synth.contract.contract import Contract
from synth.request import ChatRequest


@frozen
class Subject:
    """A valid candidate, as evidence sees it.

    `name` is its proposer's. Candidates with equal `voter` come from one upstream model and share one vote. Candidates
    with equal `outcome` have the same edits or code, so one of them is run for all.
    """

    name: str
    voter: Hashable
    text: str
    outcome: Hashable


@frozen
class Standing:
    """The evidence on one candidate.

    `tier` is 0 for the best; evidence does not separate candidates of one tier. `finding` describes the results
    ("passes 2 of 3 examples; fails `f([]) == 0`: IndexError"), "" without any. `failed` is the first example that it
    fails, and `passed_all` whether there were examples, or a checker, and it passes them all. An unknown is never a
    failure. `output` is the end of the checker's output.
    """

    name: str
    tier: int = 0
    finding: str = ""
    failed: str | None = None
    passed_all: bool = False
    output: str = ""


@frozen
class Ranking:
    """The evidence on all candidates of a request, in the order in which they were added.

    `by` is the signal that separates tiers: `examples`, `alive`, `agreement`, `checker`; "" if there is one tier only.
    `n_ran` candidates were run, `n_unknown` of them without a result; `run_s` is the time that it took in all.
    `is_tested`: there is something to pass, examples or a checker.
    """

    standings: tuple[Standing, ...] = ()
    by: str = ""
    n_ran: int = 0
    n_unknown: int = 0
    run_s: float = 0.0
    is_tested: bool = True

    @property
    def n_passed(self) -> int:
        """How many candidates pass all visible examples."""
        return sum(standing.passed_all for standing in self.standings)

    def standing(self, name: str) -> Standing:
        """Return the standing of a proposer's candidate; if unknown, one in the worst tier without a finding."""
        worst = max((each.tier for each in self.standings), default=0)
        return next((each for each in self.standings if each.name == name), Standing(name, worst))


class Inquiry(Protocol):
    """The evidence on the candidates of one request."""

    async def can_rank(self) -> bool:
        """Return whether single candidates can be ranked: by examples, or by a checker."""
        ...

    def add(self, subject: Subject) -> None:
        """Begin to run a candidate; returns at once."""
        ...

    async def rank(self, order: Sequence[str]) -> Ranking:
        """Wait for all candidates added so far, and rank them; `order` is the names in the operator's ranking."""
        ...

    async def aclose(self) -> None:
        """End everything that still runs."""
        ...


class EvidenceFinder(Protocol):
    """Finds evidence, with the sandboxes that this machine and the configuration offer."""

    async def inquire(
        self, request: ChatRequest, contract: Contract, level: str, deadline: float, checker: Checker | None = None
    ) -> Inquiry | None:
        """Return the inquiry into a request's candidates, which the caller closes, or None if nothing can be run.

        `checker` is the mixture's; it is used if the files that the conversation shows are those of its work tree.
        `level` is the mixture's: `shadow` and `auto` run only in what isolates by construction, `full` in any sandbox.
        `deadline` is an instant on the clock of the run.
        """
        ...
