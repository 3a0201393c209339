"""The schema of a trace: one request's whole story. Pure.

The collector fills it in, the stores write it as JSON, the pages and the statistics read it. Field names are the keys
of the JSON files. A new field gets a default: its value for files of older versions, which lack the key. Unknown keys
are ignored. So every version can read the files of all others.

Instants and durations are in seconds, instants counted from the request's start; None means unknown or not reached.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from runtime.frozen import frozen
from synth.request import text_of

_MAX_PREVIEW_CHARS = 160
_MAX_SEARCHED_CHARS = 4_000


class Timings(Struct):
    """How long the request took, in seconds, and parts of it; `queued_s` is the wait for admission."""

    total_s: float | None = None
    queued_s: float | None = None
    panel_s: float | None = None
    critic_s: float | None = None


class Asked(Struct):
    """The client's request. `body` is the raw text of one that could not be parsed, None otherwise.

    `mom` is the field by which the request steered its mixture, empty if it did not.
    """

    headers: dict[str, str] = field(default_factory=dict)
    model: str | None = None
    n: int = 1
    stream: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    mom: dict[str, Any] = field(default_factory=dict)
    messages: list[Mapping[str, Any]] = field(default_factory=list)
    body: str | None = None


class Failure(Struct):
    """Why a call failed: a `Kind` of upstream/errors.py, and the cause as text."""

    kind: str = ""
    message: str = ""


class Completion(Struct):
    """The text of a model, and the other fields of its reply."""

    text: str = ""
    reasoning: str | None = None
    tool_calls: list[Any] | None = None
    finish_reason: str | None = None


class Layer(Struct):
    """The candidates of the layer before, as this layer saw them: letter to model, in an order drawn from `seed`."""

    layer: int = 0
    seed: int | None = None
    letters: dict[str, str] = field(default_factory=dict)


class Candidate(Completion, kw_only=True):
    """A proposer's usable answer. `finding` says how it breaks the contract, or None if it keeps it.

    UNSET in files of versions that did not check candidates: unknown.
    """

    model: str = ""
    layer: int = 1
    finding: str | UnsetType | None = UNSET


class ProposerFailure(Failure, kw_only=True):
    """A proposer without a usable answer; kind `left_out` if it was not asked."""

    model: str = ""
    layer: int = 1


class Standing(Struct):
    """The evidence on one candidate: `tier` 0 is the best, `finding` describes the result of running it.

    `failed` is the first example that it fails, or None; `passed_all` if it passes all. `output` is the end of the
    checker's output, kept for the best tier alone.
    """

    model: str = ""
    tier: int = 0
    finding: str = ""
    failed: str | None = None
    passed_all: bool = False
    output: str = ""


class Evidence(Struct):
    """The ranking of the candidates by running them. `by` is the signal that separates them, "" if none does.

    Unless it `decides`, it was only recorded. `n_unknown` of `n_ran` candidates gave no result.
    """

    by: str = ""
    decides: bool = True
    n_ran: int = 0
    n_unknown: int = 0
    run_s: float = 0.0
    standings: list[Standing] = field(default_factory=list)

    def find(self, model: str) -> Standing | None:
        """Return the standing of a proposer's candidate, or None if it was not run."""
        return next((each for each in self.standings if each.model == model), None)


class Arrangement(Struct):
    """The order that feedback gives the panel's models, best first. Unless it `decides`, it was only recorded.

    `is_exploring` if a model that is little known was put first.
    """

    order: list[str] = field(default_factory=list)
    decides: bool = True
    is_exploring: bool = False


class Author(Struct):
    """A model that was asked to make the answer: a critic, or the model that the client named.

    `letters` maps each letter that it read to the candidate's model, in an order drawn from `seed`; empty if it read no
    candidates. `said` is its pick, or None for one that wrote the answer itself.
    """

    model: str = ""
    role: str = ""
    choice: int = 0
    seed: int | None = None
    letters: dict[str, str] = field(default_factory=dict)
    messages: list[Mapping[str, Any]] = field(default_factory=list)
    failure: Failure | None = None
    said: Completion | None = None


class Defect(Struct):
    """A defect that a reviewer found in a draft, and the place that it quotes."""

    kind: str = ""
    quote: str = ""
    problem: str = ""


class Verification(Struct):
    """A second model's review of a draft. `n_dismissed` defects quoted text that the draft does not have.

    `revised` is None if no revision was asked for; `worse` says why a revision was discarded. `revision` is None if
    the author gave none.
    """

    choice: int = 0
    model: str = ""
    draft: str = ""
    revision: str | None = None
    defects: list[Defect] = field(default_factory=list)
    n_dismissed: int = 0
    failure: Failure | None = None
    revised: bool | None = None
    worse: str | None = None


class Answer(Completion, kw_only=True):
    """One choice of the reply; `author` names one model, or several joined by `+`."""

    choice: int = 0
    decided_by: str = ""
    author: str = ""


class Attempt(Struct):
    """One HTTP try of a call; `pause_s` is the wait before it, `usage` what the upstream counted."""

    outcome: str = ""
    hedge: bool = False
    status: int | None = None
    message: str | None = None
    started_s: float | None = None
    first_byte_s: float | None = None
    ended_s: float | None = None
    pause_s: float | None = None
    usage: Any = None


class Call(Struct):
    """One question to one model, and its attempts; `cost` is None if its tokens have no price."""

    role: str = ""
    model: str = ""
    upstream_model: str = ""
    outcome: str = ""
    started_s: float | None = None
    ended_s: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    cost: float | None = None
    attempts: list[Attempt] = field(default_factory=list)


class Totals(Struct):
    """The usage of all calls together; `cost` is None if some of their tokens have no price."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    cost: float | None = None
    currency: str = ""


class Trace(Struct):
    """One request's whole story. `time` is ISO 8601 in UTC; `error` the error object of the reply.

    `cut_chars` characters of its longest texts were left out (shortening.py).

    `shared` is how it shares the run of another request (`running`, `replay`, `left`), and `shared_with` that request's
    reply id, whose trace has the calls.
    """

    id: str
    time: str = ""
    request_id: str = ""
    client: str | None = None
    outcome: str = ""
    status: int | None = None
    mixture: str | None = None
    mode: str | None = None
    bypass: str | None = None
    panel_reason: str | None = None
    decided_by: str | None = None
    shared: str | None = None
    shared_with: str | None = None
    timings: Timings = field(default_factory=Timings)
    request: Asked = field(default_factory=Asked)
    layers: list[Layer] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    failures: list[ProposerFailure] = field(default_factory=list)
    evidence: Evidence | None = None
    arrangement: Arrangement | None = None
    authors: list[Author] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    error: Mapping[str, Any] | None = None
    calls: list[Call] = field(default_factory=list)
    ledger: Totals = field(default_factory=Totals)
    cut_chars: int = 0


@frozen
class Summary:
    """One row of the list of traces.

    `author` names the model or models whose answer it is. `preview` is the beginning of the user's last message,
    `searched` the text that a search looks at, in one case: ids, client, mixture, and the beginnings of the last
    message and of the answers. `total_s` is in seconds.
    """

    id: str
    time: str
    client: str | None
    mixture: str | None
    mode: str | None
    decided_by: str | None
    author: str | None
    outcome: str
    status: int | None
    total_s: float | None
    cost: float | None
    currency: str
    n_tokens: int
    preview: str
    searched: str


def summarize(trace: Trace) -> Summary:
    """Return a trace's row in the list."""
    ledger = trace.ledger
    question = find_question(trace.request.messages)[:_MAX_SEARCHED_CHARS]
    answers = [answer.text[:_MAX_SEARCHED_CHARS] for answer in trace.answers]
    mixture = trace.mixture or trace.request.model
    searched = [trace.id, trace.request_id, trace.client, mixture, question, *answers]
    return Summary(
        id=trace.id,
        time=trace.time,
        client=trace.client,
        mixture=mixture,
        mode=trace.mode,
        decided_by=trace.decided_by,
        author=trace.answers[0].author if trace.answers else None,
        outcome=trace.outcome,
        status=trace.status,
        total_s=trace.timings.total_s,
        cost=ledger.cost,
        currency=ledger.currency,
        n_tokens=ledger.prompt_tokens + ledger.completion_tokens,
        preview=preview(question),
        searched="\n".join(filter(None, searched)).casefold(),
    )


def preview(text: str) -> str:
    """Return the beginning of a text on one line."""
    return " ".join(text[: _MAX_PREVIEW_CHARS * 4].split())[:_MAX_PREVIEW_CHARS]


def find_question(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the user's last message, or ""."""
    texts = (text_of(message.get("content")) for message in reversed(messages) if message.get("role") == "user")
    return next(texts, "")
