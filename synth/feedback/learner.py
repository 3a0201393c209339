"""Learn from one request: order its panel by trust, and note the members behind its answers."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from config.settings import Mixture, Model
from runtime.frozen import frozen
from synth.contract.contract import Contract, Form
from synth.events import Answered, CandidateArrived, DecidedBy, Event, EvidenceFound, PanelArranged
from synth.feedback.answer_record import AnswerRecord, identify_member
from synth.feedback.marks import mark_answer
from synth.feedback.task_kind import name_kind
from synth.feedback.trust import Trust, name_scope
from synth.feedback.verdict import Verdict
from synth.panel.ask import find_outcome
from synth.request import ChatRequest

if TYPE_CHECKING:
    from synth.evidence.inquiry import Ranking

_BY_RANK = frozenset({DecidedBy.PANEL_ORDER, DecidedBy.BEST_CANDIDATE})
_NOT_OF_THE_PANEL = frozenset({DecidedBy.BYPASS, DecidedBy.MODEL})
_RNG = random.Random()  # noqa: S311 -- which member goes first is no secret


@frozen
class MarkedAnswer:
    """An answer as it is remembered: a record, under the marks by which the answer is recognised."""

    marks: tuple[str, ...]
    record: AnswerRecord


class Learner:
    """Learns from one request to a mixture. A reader of the run's events, which holds its candidates until the end.

    `client` and `api` are the names of the client's key and of its API.
    """

    def __init__(
        self,
        trust: Trust,
        mixture: Mixture,
        request: ChatRequest,
        contract: Contract,
        *,
        models: Mapping[str, Model],
        api: str,
        client: str | None,
        rng: random.Random = _RNG,
    ) -> None:
        self.request = request
        self.client = client
        self.mixture = mixture.name
        self._trust = trust
        self._contract = contract
        self._models = models
        self._api = api
        self._rng = rng
        self._front = self._identify(mixture.panel[0].model)
        self._candidates: dict[str, CandidateArrived] = {}
        self._ranking: Ranking | None = None
        self._answers: list[Answered] = []

    @cached_property
    def kind(self) -> str:
        """The kind of the request's task."""
        return name_kind(self._contract, self.request.messages, self._api)

    def arrange(self, mixture: Mixture) -> tuple[Mixture, PanelArranged | None]:
        """Return the mixture with its panel in the order of trust if it may learn, and the event of another order."""
        if not self._trust.has_any or mixture.learn == "off":
            return mixture, None
        scope, members = name_scope(mixture.name, self.kind), [self._identify(name) for name in mixture.panel_models]
        decides = mixture.learn == "on"
        if decides:
            arrangement = self._trust.arrange(scope, members, self._rng)
            order, is_exploring = arrangement.order, arrangement.is_exploring
        else:
            order, is_exploring = self._trust.order(scope, members), False
        if list(order) == members:
            return mixture, None
        names = dict(zip(members, mixture.panel_models, strict=True))
        event = PanelArranged(tuple(names[member] for member in order), decides, is_exploring)
        if not decides:
            return mixture, event
        self._front = order[0]
        rank = {name: position for position, name in enumerate(event.order)}
        return replace(mixture, panel=tuple(sorted(mixture.panel, key=lambda each: rank[each.model]))), event

    def read(self, event: Event) -> None:
        """Note the candidates, the evidence on them, and the answers."""
        note = _NOTES.get(type(event))
        if note is not None:
            note(self, event)

    def note_candidate(self, event: CandidateArrived) -> None:
        """Note a candidate; one of a later layer replaces that of the same proposer."""
        self._candidates[event.call.name] = event

    def note_evidence(self, event: EvidenceFound) -> None:
        """Note a ranking; it replaces the one before."""
        self._ranking = event.ranking

    def note_answer(self, event: Answered) -> None:
        """Note an answer."""
        self._answers.append(event)

    def list_answers(self, request_id: str) -> list[MarkedAnswer]:
        """Return the records of the mixture's answers that can be recognised."""
        made = [answer for answer in self._answers if answer.decided_by not in _NOT_OF_THE_PANEL]
        marked = [(mark_answer(answer.completion, self.client), answer) for answer in made]
        return [MarkedAnswer(marks, self._describe(answer, request_id)) for marks, answer in marked if marks]

    def list_tested(self) -> dict[str, bool]:
        """Return for each member whose candidate was run whether it passed; {} for fewer than two members.

        The result of a single member allows no comparison.
        """
        tested = self._read_evidence()
        return tested if len(tested) > 1 else {}

    def _describe(self, answer: Answered, request_id: str) -> AnswerRecord:
        name = f"{request_id}:{answer.choice}"
        made_by = self._find_authors(answer)
        if made_by is None:
            author = self._identify(answer.author)
            members = tuple(dict.fromkeys(map(self._member, self._compared())))
            known = self._find_known()
            return AnswerRecord(
                name, self.mixture, self.kind, (author,), is_by_critic=True, differed=members, known=known
            )
        outcomes = {find_outcome(self._contract, each) for each in made_by} if len(made_by) == 1 else set()
        same: list[CandidateArrived] = []
        other: list[CandidateArrived] = []
        for each in self._compared():
            is_same = each.finding is None and find_outcome(self._contract, each) in outcomes
            (same if is_same else other).append(each)
        authors = tuple(dict.fromkeys(map(self._member, made_by)))
        agreed = tuple(dict.fromkeys(member for member in map(self._member, same) if member not in authors))
        differed = tuple(dict.fromkeys(m for m in map(self._member, other) if m not in authors and m not in agreed))
        is_contested = any(each.finding is None for each in other)
        by_rank = answer.decided_by in _BY_RANK and is_contested and authors == (self._front,)
        known = self._find_known()
        verdict = _VERDICTS[known.get(authors[0]) if len(authors) == 1 else None]
        return AnswerRecord(
            name,
            self.mixture,
            self.kind,
            authors,
            agreed=agreed,
            differed=differed,
            known=known,
            front=self._front if by_rank else "",
            verdict=verdict,
        )

    def _find_authors(self, answer: Answered) -> list[CandidateArrived] | None:
        """Return the candidates that the answer is made of, usually one, or None if a critic wrote it."""
        if answer.decided_by in (DecidedBy.CRITIC, DecidedBy.CRITIC_ALONE):
            return None
        if answer.author in self._candidates:
            return [self._candidates[answer.author]]
        names = [name for name in self._candidates if name in answer.author.split("+")]
        return [self._candidates[name] for name in names] or None

    def _compared(self) -> Sequence[CandidateArrived]:
        """Return the candidates that could have been the answer; advice on an agent's work could not."""
        return () if self._contract.form is Form.TOOLS else tuple(self._candidates.values())

    def _find_known(self) -> dict[str, bool]:
        """Return the members whose candidate is known to be right (by evidence) or wrong (also if unusable)."""
        broken = {self._member(each): False for each in self._compared() if each.finding is not None}
        return broken | self._read_evidence()

    def _read_evidence(self) -> dict[str, bool]:
        """Return whether each tested candidate passed every example; of several samples of a model the first counts."""
        found: dict[str, bool] = {}
        if self._ranking is None:
            return found
        for standing in self._ranking.standings:
            candidate = self._candidates.get(standing.name)
            if candidate is not None and (standing.passed_all or standing.failed is not None):
                found.setdefault(self._member(candidate), standing.passed_all)
        return found

    def _member(self, candidate: CandidateArrived) -> str:
        return identify_member(candidate.call.model.name, candidate.call.model.model)

    def _identify(self, name: str) -> str:
        model = self._models.get(name)
        return identify_member(name, "" if model is None else model.model)


_VERDICTS = {None: Verdict.NONE, True: Verdict.SEEMS_RIGHT, False: Verdict.SEEMS_WRONG}

_NOTES: Mapping[type[Event], Callable[[Learner, Any], None]] = {
    CandidateArrived: Learner.note_candidate,
    EvidenceFound: Learner.note_evidence,
    Answered: Learner.note_answer,
}
"""The method that notes each class of event; all other events are ignored."""
