"""Requests, codes and sandboxes for tests of evidence, and a ranking of candidates in one call."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from runtime.sandbox.trials import LOADED, Limits, Report, Sandbox, SandboxError, Trial
from synth.contract.contract import derive_contract
from synth.evidence.finder import Finder
from synth.evidence.inquiry import Ranking, Subject
from synth.request import ChatRequest
from tests.synth.small_evidence import open_inquiry

ASK = """Complete this function. Reply with only one code block.

```python
def largest(xs):
    \"\"\"Return the largest, 0 of none.

    >>> largest([1, 3, 2])
    3
    >>> largest([])
    0
    \"\"\"
```"""
ANY = "Write a function that adds two integers. Reply with only one code block."
GOOD = "def largest(xs):\n    return max(xs) if xs else 0"
HALF = "def largest(xs):\n    return max(xs)"
BAD = "def largest(xs):\n    return 7"
BROKEN = "def largest(xs:"
LACKING = "import heapq\n" + GOOD


def request(text: str = ASK) -> ChatRequest:
    return ChatRequest(None, [{"role": "user", "content": text}], {})


def block(code: str) -> str:
    return f"```python\n{code}\n```"


class Counting:
    """A sandbox that counts what it observes; it passes trials on to another, or answers nothing by itself."""

    def __init__(self, name: str = "monty", inner: Sandbox | None = None) -> None:
        self.name = name
        self.n_trials = 0
        self.has_begun = asyncio.Event()
        self._inner = inner

    @asynccontextmanager
    async def session(self) -> AsyncGenerator["Counting"]:
        yield self

    async def observe(self, trial: Trial, limits: Limits) -> Report:
        self.n_trials += 1
        self.has_begun.set()
        if self._inner is None:
            await asyncio.Event().wait()
            return Report(LOADED)
        async with self._inner.session() as session:
            return await session.observe(trial, limits)

    async def close(self) -> None:
        pass


class Broken(Counting):
    """A sandbox that cannot run."""

    async def observe(self, trial: Trial, limits: Limits) -> Report:  # noqa: ARG002 -- the sandbox's interface
        raise SandboxError("no worker")


async def ranked(
    finder: Finder, codes: list[str], *, ask: str = ASK, level: str = "auto", deadline: float = 1e12
) -> Ranking:
    """Rank candidates `0`, `1`, … in this order."""
    asked = request(ask)
    async with open_inquiry(finder.inquire(asked, derive_contract(asked), level, deadline)) as inquiry:
        for number, code in enumerate(codes):
            inquiry.add(Subject(str(number), "model", block(code), code))
        return await inquiry.rank([str(number) for number in range(len(codes))])
