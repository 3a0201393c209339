"""Writes a run as text for people: each member's answer while it is written, then the verdict. Pure.

Members write at the same time, but a terminal shows each line once. So one member at a time has the screen: the first
one that writes. The others' texts are kept until it is done. Then the complete ones follow at once, and the next one
that still writes has the screen. No text is shown twice, unless a retry begins it anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.terminal.plain_text import join_lines, strip_controls
from handlers.terminal.tables import Colour, paint

Event = Mapping[str, Any]

_RULE_CHARS = 72
_PICK_CHARS = 400
_DECISIONS = {
    "critic": "written by the critic {author}",
    "chosen": "chosen by the critic: the answer of {author}",
    "panel_order": "the critic's picks depended on the order, so the best-ranked answer counts: that of {author}",
    "first": "the first valid answer: that of {author}",
    "only_candidate": "the only answer: that of {author}",
    "equal_candidates": "all answers have the same effect; shown is that of {author}",
    "best_candidate": "every critic failed, so the best-ranked answer counts: that of {author}",
    "critic_alone": "written by {author} without answers of a panel",
    "evidence": "running the code decided for the answer of {author}",
    "bypass": "a request of this kind needs no panel; written by {author}",
    "model": "written by {author}",
}


class AnswerOnly:
    """Writes the answer alone, as it arrives."""

    def __init__(self) -> None:
        self._streamed = ""

    def read(self, event: Event) -> str:
        """Return the text to write for an event; often ""."""
        if event["type"] == "text":
            self._streamed += event["text"]
            return str(event["text"])
        if event["type"] == "answer":
            return _complete(self._streamed, event["text"])
        return ""


@dataclass(frozen=True, slots=True)
class _Note:
    text: str
    colour: Colour


@dataclass(slots=True)
class _Member:
    """One member's text. `shown` is the part on the screen; `end` is how it ended, None while it writes."""

    name: str
    attempt: int = 0
    text: str = ""
    shown: str = ""
    end: _Note | None = None


class Transcript:
    """Writes every member's answer and the verdict, then the answer, in colours if they are wanted.

    Texts of models are foreign: control characters are taken out, so that none of them commands the terminal.
    """

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._members: dict[str, _Member] = {}  # those that are not complete on the screen, in order of arrival
        self._owner: _Member | None = None
        self._streamed = ""
        self._evidence: Sequence[str] = ()
        self._is_at_answer = False
        self._pieces: list[str] = []
        self._ends_line = True

    def read(self, event: Event) -> str:
        """Return the text to write for an event; often ""."""
        handle = getattr(self, f"_read_{event['type']}", None)
        if handle is not None:
            handle(event)
        text = "".join(self._pieces)
        self._pieces.clear()
        return text

    # The panel.

    def _read_stage(self, event: Event) -> None:
        if event["stage"] > 1:
            self._note(f"not settled yet; stage {event['stage']} asks {', '.join(event['models'])}")

    def _read_writing(self, event: Event) -> None:
        member = self._member(event["model"])
        if event["attempt"] < member.attempt:  # an earlier attempt, beside a hedge
            return
        if event["attempt"] > member.attempt:
            member.attempt, member.text = event["attempt"], ""
        member.text += strip_controls(event["text"])
        self._show_panel()

    def _read_candidate(self, event: Event) -> None:
        member = self._member(event["model"])
        member.text = strip_controls(event["text"])
        took = f"{event['seconds']:.1f} s"
        finding = event["finding"]
        member.end = _Note(took, "green") if finding is None else _Note(f"{took}; {join_lines(finding)}", "yellow")
        self._show_panel()

    def _read_failure(self, event: Event) -> None:
        member = self._member(event["model"])
        member.end = _Note(f"{event['kind'].replace('_', ' ')}: {join_lines(event['message'])}", "red")
        self._show_panel()

    def _member(self, name: str) -> _Member:
        return self._members.setdefault(name, _Member(name))

    def _show_panel(self) -> None:
        """Write all text that can be shown now: the owner's new text, and the next members' once it is done."""
        while self._members:
            if self._owner is None:
                members = self._members.values()
                self._owner = next((each for each in members if each.end is not None), next(iter(members)))
                self._head(self._owner.name)
            self._show_news(self._owner)
            if self._owner.end is None:
                return
            self._note(self._owner.end.text, self._owner.end.colour)
            del self._members[self._owner.name]
            self._owner = None

    def _show_news(self, member: _Member) -> None:
        if not member.text.startswith(member.shown):
            self._note("begun anew", "yellow")
            member.shown = ""
        self._put(member.text[len(member.shown) :])
        member.shown = member.text

    # The verdict and the answer.

    def _read_evidence(self, event: Event) -> None:
        if event["decides"]:
            self._evidence = [f"{name}: {join_lines(finding)}" for name, finding in event["findings"].items()]

    def _read_author(self, event: Event) -> None:
        self._begin_answer()
        reads = f", reads {count_answers(event['reads'])}" if event["reads"] else ""
        role = "" if event["role"] == "direct" else f", {event['role']}"
        self._note(f"{event['model']}{role}{reads}")

    def _read_author_failure(self, event: Event) -> None:
        self._begin_answer()
        self._note(f"{event['model']} failed: {join_lines(event['message'])}", "red")

    def _read_pick(self, event: Event) -> None:
        self._begin_answer()
        words = join_lines(event["text"])
        self._note(f"{event['model']} picks: {words if len(words) <= _PICK_CHARS else f'{words[:_PICK_CHARS]} …'}")

    def _read_reasoning(self, event: Event) -> None:
        self._begin_answer()
        self._put(self._paint(strip_controls(event["text"]), "dim"))

    def _read_text(self, event: Event) -> None:
        self._begin_answer()
        if not self._streamed:
            self._start_line()
        text = strip_controls(event["text"])
        self._streamed += text
        self._put(text)

    def _read_answer(self, event: Event) -> None:
        self._begin_answer()
        if not self._streamed:
            self._start_line()
        self._put(_complete(self._streamed, strip_controls(event["text"])))
        for finding in self._evidence:
            self._note(f"run: {finding}")
        self._note(describe_decision(event["decided_by"], event["author"]), "green")

    def _read_end(self, event: Event) -> None:
        self._note(describe_usage(event["usage"]))

    def _begin_answer(self) -> None:
        """Write the end of the panel and the head of the answer, once."""
        if self._is_at_answer:
            return
        self._is_at_answer = True
        for member in self._members.values():  # one without an end is a straggler, or the mode did not wait for it
            member.end = member.end or _Note("not needed", "yellow")
        self._show_panel()
        self._head("answer")

    # Pieces of output.

    def _put(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._ends_line = text.endswith("\n")

    def _start_line(self) -> None:
        if not self._ends_line:
            self._put("\n")

    def _head(self, name: str) -> None:
        self._start_line()
        self._put(self._paint(f"── {name} {'─' * max(3, _RULE_CHARS - len(name) - 4)}", "bold") + "\n")

    def _note(self, words: str, colour: Colour = "dim") -> None:
        self._start_line()
        self._put(self._paint(f"[{words}]", colour) + "\n")

    def _paint(self, text: str, colour: Colour) -> str:
        return paint(text, colour, colours=self._colours)


def describe_decision(decided_by: str, author: str) -> str:
    """Describe how an answer was decided; `decided_by` is a value of `synth.events.DecidedBy`."""
    return _DECISIONS.get(decided_by, f"{decided_by.replace('_', ' ')}: {{author}}").format(author=author)


def count_answers(number: int) -> str:
    """Return a number of answers as a phrase: `3 answers`."""
    return "1 answer" if number == 1 else f"{number} answers"


def describe_usage(usage: Mapping[str, Any]) -> str:
    """Return the calls, tokens and cost of a whole request."""
    used = usage["mom"]
    cost = f", {used['cost']:.6f} {used['currency']}" if "cost" in used else ""
    calls = "1 call" if used["calls"] == 1 else f"{used['calls']} calls"
    return f"{calls}, {used['prompt_tokens']} + {used['completion_tokens']} tokens{cost}"


def _complete(streamed: str, whole: str) -> str:
    """Return the rest of an answer after its streamed part, up to the end of a line."""
    rest = whole[len(streamed) :] if whole.startswith(streamed) else f"\n\n{whole}"  # not streamed: the last word
    return rest if whole.endswith("\n") else f"{rest}\n"
