"""Consults a panel for an agent: asks a running gateway, reports progress, and compares the answers."""

import asyncio
import os
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from handlers.lifecycle.serve import run_beside
from handlers.mcp.files import read_files
from handlers.mcp.findings import Answer, Findings
from runtime.frozen import frozen
from synth.events import DecidedBy
from synth.prompts.compare import AGREED, ask_for_disagreements
from upstream.gateway_client import GatewayClient, GatewayError

REPORT_EVERY_S = 5.0  # many clients give up on a tool that is silent for a minute

Report = Callable[[str], Awaitable[None]]
"""Reports the next step to the waiting agent."""

Comparison = tuple[Sequence[Answer], str]
"""The answers in the order of their letters A, B, C, …, and a description of their disagreements."""

_RNG = random.Random()  # noqa: S311 -- fairness of order, not secrecy


@frozen
class Question:
    """An agent's question, with its context, the files to read, and the mixture (None: the first)."""

    text: str
    context: str = ""
    files: Sequence[str] = ()
    mixture: str | None = None


class Consultant:
    """Asks the panels of one running gateway. `folder` is where the agent works; `sleep` paces the progress."""

    def __init__(
        self, client: GatewayClient, folder: Path, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._client = client
        self._folder = folder
        self._sleep = sleep

    async def consult(self, question: Question, report: Report) -> str:
        """Return the answer, each member's view, and the disagreements.

        Raises GatewayError or FileProblem if there is no answer. Cancelling this cancels the run. If only the
        comparison fails, the report says so in its place.
        """
        # The critic's work is one call, and so is the comparison: both read the same answers, so they run at the same
        # time, and the comparison adds to the cost but hardly to the wait. It is a separate request to the mixture's
        # critic (mode `direct`), so that it works in every mode: neither a critic that picks nor evidence describes the
        # differences between the answers.
        content = await asyncio.to_thread(_build_content, question, self._folder)
        panel = _find_panel(await self._client.list_models(), question.mixture)
        await report(f"asking {', '.join(panel)}" if panel else "asking")
        findings = Findings(len(panel))
        comparison: asyncio.Task[Comparison] | None = None
        watch = self._client.watch([{"role": "user", "content": content}], model=question.mixture)
        try:
            async with run_beside(self._report_waiting(findings, panel, report)), aclosing(watch) as run:
                async for event in run:
                    step = findings.read(event)
                    if event["type"] == "author" and comparison is None and len(findings.answers) > 1:
                        comparison = asyncio.create_task(self._compare(question, [*findings.answers]))
                    if step:
                        await report(step)
                answers, disagreements = await comparison if comparison else _compare_decided(findings)
        finally:
            if comparison is not None:
                comparison.cancel()
                await asyncio.wait([comparison])
        return findings.write(answers, disagreements)

    async def _compare(self, question: Question, answers: Sequence[Answer]) -> Comparison:
        texts = [answer.text for answer in answers]
        if len({text.strip() for text in texts}) == 1:
            return answers, AGREED
        showing = ask_for_disagreements(question.text, texts, rng=_RNG, draw_nonce=lambda: os.urandom(8).hex())
        shown = [answers[position] for position in showing.order]
        try:
            found = await self._client.complete(showing.messages, model=question.mixture, mode="direct")
        except GatewayError as error:
            return shown, f"(not compared: {error})"
        return shown, f"{found.strip()}\n\n(This comparison was one call more, to the critic.)"

    async def _report_waiting(self, findings: Findings, panel: Sequence[str], report: Report) -> None:
        """Report the pending members at intervals."""
        waited_s = 0.0
        while True:
            await self._sleep(REPORT_EVERY_S)
            waited_s += REPORT_EVERY_S
            done = {answer.member for answer in findings.answers} | findings.failures.keys()
            names = ", ".join(name for name in panel if name not in done) or "the answer"
            await report(f"waiting for {names} ({waited_s:.0f} s)")


def _compare_decided(findings: Findings) -> Comparison:
    """Return the known differences of the answers if no critic was asked."""
    answers = findings.answers
    if len(answers) < 2:  # noqa: PLR2004 -- one answer disagrees with none
        return answers, ""
    if findings.decided_by == DecidedBy.EQUAL_CANDIDATES:
        return answers, AGREED
    if findings.evidence:
        return answers, "Running their code showed the differences: see the findings beside each."
    return answers, "(not compared, because no critic was asked)"


def describe_mixtures(entries: Sequence[dict[str, object]]) -> str:
    """Return a description of the mixtures of `GET /v1/models`, the default first, and of the single models."""
    mixtures = [entry for entry in entries if _is_mixture(entry)]
    lines = [
        f"- {entry['id']}{' (default)' if entry is mixtures[0] else ''}: panel {', '.join(_members(entry))}; "
        f"critic {entry.get('critic') or 'none'}; mode {entry.get('mode')}"
        for entry in mixtures
    ]
    singles = [str(entry["id"]) for entry in entries if "panel" not in entry and "alias_of" not in entry]
    return "\n".join([*lines, f"Single models, which can be asked as well: {', '.join(singles) or 'none'}"])


def _find_panel(entries: Sequence[dict[str, object]], mixture: str | None) -> list[str]:
    """Return the members of a mixture (None: the default), or [] for an unknown one, which the gateway will report."""
    for entry in entries:
        if "panel" in entry and mixture in (None, entry.get("id")):
            return _members(entry)
    return []


def _is_mixture(entry: dict[str, object]) -> bool:
    return "panel" in entry and "alias_of" not in entry


def _members(entry: dict[str, object]) -> list[str]:
    panel = entry.get("panel")
    return [str(member) for member in panel] if isinstance(panel, list) else []


def _build_content(question: Question, folder: Path) -> str:
    """Return the user's message: question, context, files. Raises FileProblem if a file cannot be read."""
    parts = [question.text.strip()]
    if question.context.strip():
        parts.append(f"Context:\n\n{question.context.strip()}")
    parts += [f"{name}\n{_fence(text)}" for name, text in read_files(folder, question.files)]
    return "\n\n".join(parts)


def _fence(text: str) -> str:
    """Return text as a code block whose fence is longer than any in it (CommonMark 0.31, section 4.5)."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text if text.endswith(chr(10)) else text + chr(10)}{fence}"
