"""A real but small source of evidence: it calls the function `f` of a candidate's Python on the examples of a test.

It runs in this process, and so only texts that the tests themselves have written.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from config.settings import Checker
from synth.contract.contract import Contract
from synth.evidence.inquiry import Inquiry, Ranking, Standing, Subject
from synth.request import ChatRequest

AnInquiry = TypeVar("AnInquiry", bound=Inquiry)
_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@asynccontextmanager
async def open_inquiry(opening: Awaitable[AnInquiry | None]) -> AsyncGenerator[AnInquiry]:
    """Await the inquiry of a finder, which has one, and close it."""
    inquiry = await opening
    assert inquiry is not None
    try:
        yield inquiry
    finally:
        await inquiry.aclose()


def code(body: str) -> str:
    """Return an answer whose code defines `f(n)`."""
    return f"Here:\n\n```python\ndef f(n):\n    return {body}\n```"


class SmallInquiry:
    """Passes each candidate's function the examples; the more it passes, the better its tier."""

    def __init__(self, examples: Mapping[Any, Any]) -> None:
        self.subjects: list[Subject] = []
        self.is_closed = False
        self._examples = examples

    async def can_rank(self) -> bool:
        return bool(self._examples)

    def add(self, subject: Subject) -> None:
        self.subjects.append(subject)

    async def rank(self, order: Sequence[str]) -> Ranking:
        assert set(order) >= {subject.name for subject in self.subjects}
        failed = {subject.name: self._find_failures(subject.text) for subject in self.subjects}
        fewest = sorted({len(each) for each in failed.values()})
        standings = tuple(
            Standing(
                name,
                tier=fewest.index(len(each)),
                finding=f"passes {len(self._examples) - len(each)} of {len(self._examples)} examples",
                failed=each[0] if each else None,
                passed_all=bool(self._examples) and not each,
            )
            for name, each in failed.items()
        )
        return Ranking(standings, "examples" if len(fewest) > 1 else "", n_ran=len(standings))

    async def aclose(self) -> None:
        self.is_closed = True

    def _find_failures(self, text: str) -> list[str]:
        block = _BLOCK.search(text)
        if block is None:
            return []
        namespace: dict[str, Any] = {}
        exec(block[1], namespace)
        return [
            f"f({given}) == {wanted}" for given, wanted in self._examples.items() if namespace["f"](given) != wanted
        ]


class SmallEvidence:
    """Finds the examples that the test gives it; `inquiries` are those that it was asked for."""

    def __init__(self, examples: Mapping[Any, Any] | None = None) -> None:
        self.inquiries: list[SmallInquiry] = []
        self._examples = examples or {}

    async def inquire(
        self, request: ChatRequest, contract: Contract, level: str, deadline: float, checker: Checker | None = None
    ) -> SmallInquiry:
        assert request.messages
        assert level != "off"
        assert deadline > 0
        assert contract.form is not None
        assert checker is None
        self.inquiries.append(SmallInquiry(self._examples))
        return self.inquiries[-1]

    @property
    def n_open(self) -> int:
        return sum(not inquiry.is_closed for inquiry in self.inquiries)
