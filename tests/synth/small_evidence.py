"""A real but small source of evidence: it calls the function `f` of a candidate's Python on the examples of a test.

It runs in this process, and so only texts that the tests themselves have written.
"""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from config.settings import Checker
from synth.contract.contract import Contract
from synth.evidence.inquiry import Ranking, Standing, Subject
from synth.request import ChatRequest

_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def code(body: str) -> str:
    """Return an answer whose code defines `f(n)`."""
    return f"Here:\n\n```python\ndef f(n):\n    return {body}\n```"


class SmallInquiry:
    """Passes each candidate's function the examples; the more it passes, the better its tier."""

    def __init__(self, examples: Mapping[Any, Any]) -> None:
        self.subjects: list[Subject] = []
        self._examples = examples

    @property
    def can_rank(self) -> bool:
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
                passed_all=self.can_rank and not each,
            )
            for name, each in failed.items()
        )
        return Ranking(standings, "examples" if len(fewest) > 1 else "", n_ran=len(standings))

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
        self.n_open = 0
        self._examples = examples or {}

    @asynccontextmanager
    async def inquire(
        self, request: ChatRequest, contract: Contract, level: str, deadline: float, checker: Checker | None = None
    ) -> AsyncGenerator[SmallInquiry]:
        assert request.messages
        assert level != "off"
        assert deadline > 0
        assert contract.form is not None
        assert checker is None
        self.inquiries.append(SmallInquiry(self._examples))
        self.n_open += 1
        try:
            yield self.inquiries[-1]
        finally:
            self.n_open -= 1
