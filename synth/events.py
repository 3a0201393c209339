"""The events of one run. Replies, traces, logs, headers and metrics are made from them and the ledger of its calls."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from enum import StrEnum

from runtime.frozen import frozen
from synth.evidence.inquiry import Ranking
from synth.normalize import Completion
from synth.prompts.review import Defect
from synth.request import Message
from upstream.calls import Call
from upstream.errors import CallError


class DecidedBy(StrEnum):
    """How the answer was decided; the value of `x-mom-decided-by`."""

    CRITIC = "critic"  # a critic wrote the answer
    CHOSEN = "chosen"  # a critic picked a candidate, or hunks of several
    PANEL_ORDER = "panel_order"  # the picks differed by order, so the best-ranked candidate is the answer
    FIRST = "first"  # the first valid candidate
    ONLY_CANDIDATE = "only_candidate"
    EQUAL_CANDIDATES = "equal_candidates"
    BEST_CANDIDATE = "best_candidate"  # every critic failed
    CRITIC_ALONE = "critic_alone"  # every proposer failed, or no proposer was asked
    EVIDENCE = "evidence"  # running the candidates left this one
    BYPASS = "bypass"  # by a bypass rule
    MODEL = "model"  # the client asked for one model by its name


@frozen
class LayerStarted:
    """The panel is asked again, and reads the candidates of the layer before.

    `letters` are the proposers behind A, B, C, …, in an order drawn from `seed`.
    """

    layer: int
    seed: int
    letters: tuple[str, ...]


@frozen
class CandidateArrived:
    """A proposer gave a usable answer; `finding` is how it breaks the contract, or None if it keeps it.

    `outcome` is equal for candidates with the same effect.
    """

    call: Call
    completion: Completion
    finding: str | None = None
    layer: int = 1
    outcome: Hashable = None


@frozen
class CandidateFailed:
    """A proposer gave no usable answer."""

    call: Call
    error: CallError
    layer: int = 1


@frozen
class PanelArranged:
    """The panel's order by feedback on earlier answers, best first; emitted if it differs from the configured one.

    Unless it `decides`, it is only recorded (`learn: shadow`). `is_exploring`: a little-known model goes first.
    """

    order: tuple[str, ...]
    decides: bool
    is_exploring: bool = False


@frozen
class StageStarted:
    """A stage of the panel begins: these proposers are asked next."""

    stage: int
    proposers: tuple[str, ...]


@frozen
class EvidenceFound:
    """The candidates so far were run and ranked. Each further stage, and a repair, brings a ranking that replaces it.

    Unless the ranking `decides`, it is only recorded (`evidence: shadow`).
    """

    ranking: Ranking
    decides: bool


@frozen
class RepairStarted:
    """The author of a candidate is asked to repair its code; `finding` is the example that it fails."""

    call: Call
    candidate: str
    finding: str


@frozen
class ProposerLeftOut:
    """A proposer was not asked, because it cannot take this request."""

    name: str
    reason: str
    layer: int = 1


@frozen
class PanelSettled:
    """No more candidates will come: in the last layer `n_candidates` of `n_asked` proposers gave a usable answer.

    `quorum_wait_s` is how long the panel waited for more candidates after it had its quorum; None without a quorum.
    """

    n_candidates: int
    n_asked: int
    seconds: float
    quorum_wait_s: float | None = None


@frozen
class ModeChosen:
    """The mode of the answer is known; `bypass` is the rule by which no panel was asked.

    `why` says why a panel was asked or not during work with tools, "" in any other request.
    """

    mode: str
    bypass: str | None = None
    why: str = ""


@frozen
class AuthorStarted:
    """A model begins to write or to pick: a critic, or the model that the client asked for.

    If it reads candidates, `letters` are the proposers behind A, B, C, …, in an order drawn from `seed`.
    """

    call: Call
    messages: Sequence[Message]
    seed: int | None = None
    letters: tuple[str, ...] = ()
    choice: int = 0


@frozen
class AuthorFailed:
    """A model that was to write or to pick has failed."""

    call: Call
    error: CallError
    choice: int = 0


@frozen
class PickMade:
    """A critic has replied to one order of the candidates with its pick."""

    call: Call
    completion: Completion
    choice: int = 0


@frozen
class ReviewArrived:
    """A reviewer found `defects` in a draft; `n_dismissed` more quote text that is not in it."""

    call: Call
    defects: tuple[Defect, ...]
    n_dismissed: int = 0
    choice: int = 0
    draft: str = ""


@frozen
class ReviewFailed:
    """A review failed; the draft is the answer."""

    model: str
    error: CallError
    choice: int = 0


@frozen
class Revised:
    """The author has revised its draft. `worse` is why the draft is still the answer, or None if the revision is.

    `revision` is its text, or None if the revision failed.
    """

    call: Call
    worse: str | None
    choice: int = 0
    revision: str | None = None


@frozen
class TextDelta:
    """The next part of the answer's text."""

    text: str
    choice: int = 0


@frozen
class ReasoningDelta:
    """The next part of the author's reasoning. A `signature` ends a block: some clients must return it signed."""

    text: str
    choice: int = 0
    signature: str = ""


DELTAS = frozenset({TextDelta, ReasoningDelta})
"""The frequent events of a stream; Answered has the whole text again."""


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
    | PanelArranged
    | StageStarted
    | EvidenceFound
    | RepairStarted
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
"""Hands an event to the readers of a run. It returns when they can take the next, so a slow client slows the run."""


@frozen
class Cause:
    """One model's part in a failure."""

    model: str
    error: CallError


class SynthesisError(Exception):
    """No answer can be given, for these causes; `interrupted` if part of one was already sent.

    `draft` is the last complete answer that broke the contract, with its author.
    """

    def __init__(
        self, causes: Sequence[Cause], *, interrupted: bool = False, draft: tuple[Completion, str] | None = None
    ) -> None:
        super().__init__("; ".join(f"{cause.model}: {cause.error.message}" for cause in causes))
        self.causes = tuple(causes)
        self.interrupted = interrupted
        self.draft = draft
