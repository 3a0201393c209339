"""What happens while a request is answered. Replies, traces, logs and headers all read these events, and only these."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from enum import StrEnum

from runtime.frozen import frozen
from synth.normalize import Completion
from synth.prompts.review import Defect
from synth.request import Message
from upstream.calls import Call
from upstream.errors import CallError


class DecidedBy(StrEnum):
    """How the answer came about."""

    CRITIC = "critic"  # it wrote the answer
    CHOSEN = "chosen"  # the critic chose a candidate, or hunks of several
    PANEL_ORDER = "panel_order"  # the critic contradicted itself, so the best-ranked candidate stands
    FIRST = "first"  # the first valid candidate
    ONLY_CANDIDATE = "only_candidate"
    EQUAL_CANDIDATES = "equal_candidates"
    BEST_CANDIDATE = "best_candidate"  # every critic failed
    CRITIC_ALONE = "critic_alone"  # every proposer failed, or none was asked
    BYPASS = "bypass"  # a request that needs no panel
    MODEL = "model"  # the client asked for one model by its name


@frozen
class LayerStarted:
    """The panel is asked again, with the candidates of the layer before.

    `letters` are the proposers that A, B, C… are from, in an order drawn from `seed`.
    """

    layer: int
    seed: int
    letters: tuple[str, ...]


@frozen
class CandidateArrived:
    """A proposer gave a usable answer; `finding` is how it breaks the contract, if it does."""

    call: Call
    completion: Completion
    finding: str | None = None
    layer: int = 1


@frozen
class CandidateFailed:
    """A proposer gave none."""

    call: Call
    error: CallError
    layer: int = 1


@frozen
class ProposerLeftOut:
    """A member of the panel was not asked, because it could not take this request."""

    name: str
    reason: str
    layer: int = 1


@frozen
class PanelSettled:
    """No more candidates will come. `n_candidates` of `n_asked` are usable, in the last layer that gave any.

    `quorum_wait_s` is for how long others were waited for once a quorum was there, None where there never was one.
    """

    n_candidates: int
    n_asked: int
    seconds: float
    quorum_wait_s: float | None = None


@frozen
class ModeChosen:
    """It is settled how the answer will be made; `bypass` names the rule by which no panel was asked."""

    mode: str
    bypass: str | None = None


@frozen
class AuthorStarted:
    """A model begins to write the answer: a critic, or the one that the client asked for.

    Where it reads candidates, `letters` are the models that A, B, C… are from, in an order drawn from `seed`.
    """

    call: Call
    messages: Sequence[Message]
    seed: int | None = None
    letters: tuple[str, ...] = ()
    choice: int = 0


@frozen
class AuthorFailed:
    """A model that should have written the answer could not."""

    call: Call
    error: CallError
    choice: int = 0


@frozen
class PickMade:
    """A critic that chooses has said which, in one order of the candidates; its words are not the answer's."""

    call: Call
    completion: Completion
    choice: int = 0


@frozen
class ReviewArrived:
    """A second model has looked a draft over: `defects` in it, and `n_dismissed` more that quote what is not there."""

    call: Call
    defects: tuple[Defect, ...]
    n_dismissed: int = 0
    choice: int = 0


@frozen
class ReviewFailed:
    """The model that should have looked a draft over could not; the draft stands."""

    model: str
    error: CallError
    choice: int = 0


@frozen
class Revised:
    """The author has gone over the defects. `worse` is why the draft stands all the same, None where it gives way."""

    call: Call
    worse: str | None
    choice: int = 0


@frozen
class TextDelta:
    """The next piece of the answer's text."""

    text: str
    choice: int = 0


@frozen
class ReasoningDelta:
    """The next piece of what the answer's author thinks."""

    text: str
    choice: int = 0


DELTAS = frozenset({TextDelta, ReasoningDelta})
"""Most of a stream's events; the whole text comes with what ends them."""


@frozen
class Answered:
    """One choice of the reply is complete."""

    completion: Completion
    decided_by: DecidedBy
    author: str
    choice: int = 0


@frozen
class Finished:
    """The reply is complete: its choices in order."""

    answers: tuple[Answered, ...]
    critic_s: float


Event = (
    LayerStarted
    | CandidateArrived
    | CandidateFailed
    | ProposerLeftOut
    | PanelSettled
    | ModeChosen
    | AuthorStarted
    | AuthorFailed
    | PickMade
    | ReviewArrived
    | ReviewFailed
    | Revised
    | TextDelta
    | ReasoningDelta
    | Answered
    | Finished
)

Emit = Callable[[Event], Awaitable[None]]
"""Takes an event to whoever reads a run. It returns when they can take the next, so a slow reader slows the run."""


@frozen
class Cause:
    """One model's part in a failure."""

    model: str
    error: CallError


class SynthesisError(Exception):
    """No answer can be given, for these causes. `interrupted` where part of one has gone out already.

    `draft` is the last answer that was whole but broke its contract, with its author.
    """

    def __init__(
        self, causes: Sequence[Cause], *, interrupted: bool = False, draft: tuple[Completion, str] | None = None
    ) -> None:
        super().__init__("; ".join(f"{cause.model}: {cause.error.message}" for cause in causes))
        self.causes = tuple(causes)
        self.interrupted = interrupted
        self.draft = draft


def split_into_deltas(completion: Completion, choice: int) -> Iterator[Event]:
    """Yield an answer that is there as a whole for a client that streams."""
    if completion.reasoning:
        yield ReasoningDelta(completion.reasoning, choice)
    for piece in split_text(completion.text):
        yield TextDelta(piece, choice)


def split_text(text: str, size: int = 48) -> list[str]:
    """Cut a text that is there as a whole into pieces that a client renders smoothly. Joined they are the text."""
    return [text[start : start + size] for start in range(0, len(text), size)]
