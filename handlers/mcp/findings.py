"""Collects a consultation from the events of its run, and writes it down for the agent that asked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.terminal.plain_text import strip_controls
from handlers.terminal.transcript import count_answers, describe_decision, describe_usage
from synth.prompts.candidates import letter

_MAX_MEMBER_CHARS = 4_000  # of each member's answer: an agent's context is dear

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One member's answer; `finding` is how it breaks the requested form, or None if it keeps it."""

    member: str
    text: str
    seconds: float
    finding: str | None


@dataclass(slots=True)
class Findings:
    """The facts of a run so far. `failures` are members without an answer, with the cause; `n_members` 0: unknown."""

    n_members: int = 0
    answers: list[Answer] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    decided_by: str = ""
    decision: str = ""
    usage: str = ""

    def read(self, event: Event) -> str:
        """Take in an event; return a description if the waiting agent should know of it, or ""."""
        match event:
            case {"type": "stage", "stage": stage, "models": models} if stage > 1:
                return f"not settled yet: stage {stage} asks {', '.join(models)}"
            case {"type": "candidate", "model": model, "text": text, "seconds": seconds, "finding": finding}:
                self.answers = [each for each in self.answers if each.member != model]  # of an earlier layer
                self.answers.append(Answer(model, text, seconds, finding))
                return f"{model} answered after {seconds:.1f} s{self._progress()}"
            case {"type": "failure", "model": model, "kind": kind, "message": message}:
                self.failures[model] = f"{kind.replace('_', ' ')}: {message}"
                return f"{model} failed: {self.failures[model]}{self._progress()}"
            case {"type": "evidence", "decides": True, "findings": findings}:
                self.evidence = findings
                return "the code in the answers was run"
            case {"type": "author", "model": model, "reads": reads}:
                return f"{model} reads {count_answers(reads)}" if reads else f"{model} writes the answer"
            case {"type": "answer", "text": text, "decided_by": decided_by, "author": author}:
                self.text, self.decided_by = text, decided_by
                self.decision = describe_decision(decided_by, author)
            case {"type": "end", "usage": usage}:
                self.usage = describe_usage(usage)
        return ""

    def _progress(self) -> str:
        n_done = len({answer.member for answer in self.answers} | self.failures.keys())
        return f" ({n_done} of {self.n_members})" if self.n_members else ""

    def write(self, answers: Sequence[Answer], disagreements: str) -> str:
        """Return the whole report: the answer, how it was decided, each member's answer, the disagreements.

        `answers` are those behind the letters A, B, C, … of `disagreements`. Control characters are taken out, because
        the agent may show the report on a terminal.
        """
        parts = [self.text.strip(), f"---\nHow it was decided: {self.decision} ({self.usage})."]
        if answers or self.failures:
            said = [self._quote(letter(position), answer) for position, answer in enumerate(answers)]
            said += [f"{name} gave no answer: {cause}" for name, cause in self.failures.items()]
            parts.append("\n\n".join(["Who said what:", *said]))
        if disagreements:
            parts.append(f"Where they disagree:\n\n{disagreements.strip()}")
        return strip_controls("\n\n".join(parts))

    def _quote(self, letter_: str, answer: Answer) -> str:
        facts = [f"{answer.seconds:.1f} s"]
        facts += [found for found in (answer.finding, self.evidence.get(answer.member)) if found]
        head = f"{letter_}, {answer.member} ({'; '.join(facts)})"
        if answer.text == self.text:
            return f"{head}: the answer above."
        text = answer.text.strip()
        if len(text) > _MAX_MEMBER_CHARS:
            text = f"{text[:_MAX_MEMBER_CHARS]} […]"
        return f"{head}:\n" + "\n".join(f"> {line}" for line in text.split("\n"))
