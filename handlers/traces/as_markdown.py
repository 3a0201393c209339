"""A trace as Markdown, for reading. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handlers.traces.schema import Arrangement, Asked, Attempt, Author, Call, Failure, Layer, Trace, Verification

_LONG_RUN = re.compile("`{3,}")


def to_markdown(trace: Trace) -> str:
    """Return the trace as a page of Markdown."""
    parts = [
        f"# {trace.id}",
        _facts(trace),
        "## Request",
        *_request(trace.request),
        "## Calls",
        "\n".join(_call_table(trace.calls)),
        "## Candidates",
        *_candidates(trace),
    ]
    for author in trace.authors:
        parts += [f"## {author.role.capitalize()}: {author.model}", *_author(author)]
    for review in trace.verifications:
        parts += [f"## Verifier: {review.model}", _review(review)]
    for answer in trace.answers:
        parts += [f"## Answer (by {answer.author}, {answer.decided_by})", fence(answer.text)]
    if trace.error:
        parts += ["## Error", str(trace.error["message"])]
    return "\n\n".join(parts) + "\n"


def fence(text: str) -> str:
    """Return the text in a code fence that is longer than any in it."""
    longest = max(map(len, _LONG_RUN.findall(text)), default=0) if "```" in text else 0
    mark = "`" * max(longest + 1, 3)
    return f"{mark}\n{text}\n{mark}"


def _facts(trace: Trace) -> str:
    ledger, timings = trace.ledger, trace.timings
    durations = {
        "total": timings.total_s,
        "queued": timings.queued_s,
        "panel": timings.panel_s,
        "critic": timings.critic_s,
    }
    facts = {
        "time": trace.time,
        "outcome": f"{trace.outcome} (HTTP {trace.status})" if trace.status else trace.outcome,
        "mixture, mode": f"{trace.mixture or '-'}, {trace.mode or '-'}",
        **({"panel": trace.panel_reason} if trace.panel_reason else {}),
        **({"shared": f"{trace.shared}, with {trace.shared_with}"} if trace.shared else {}),
        **({"order by feedback": _describe_order(trace.arrangement)} if trace.arrangement else {}),
        "seconds": ", ".join(f"{name} {value}" for name, value in durations.items() if value is not None),
        "tokens": f"{ledger.prompt_tokens} in, {ledger.completion_tokens} out"
        + (" (partly estimated)" if ledger.estimated else "")
        + (f", {ledger.cached_tokens} from caches" if ledger.cached_tokens else ""),
    }
    if trace.cut_chars:
        facts["left out"] = f"{trace.cut_chars:,} characters of its longest texts"
    if ledger.cost is not None:
        facts["cost"] = f"{_money(ledger.cost)} {ledger.currency}"
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _describe_order(arrangement: Arrangement) -> str:
    return ", ".join(arrangement.order) + ("" if arrangement.decides else " (not used: learn: shadow)")


def _money(cost: float | None) -> str:
    return "-" if cost is None else f"{cost:.6f}"


def _request(request: Asked) -> list[str]:
    return _messages(request.messages) if request.body is None else [fence(request.body)]


def _messages(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    parts: list[str] = []
    for message in messages:
        content = message.get("content")
        parts += [f"**{message.get('role')}**", fence(content if isinstance(content, str) else str(content))]
    return parts


def _call_table(calls: Sequence[Call]) -> Iterator[str]:
    yield "| role | model | outcome | start s | end s | tokens in | out | cost | cause |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for call in calls:
        used = f"{call.prompt_tokens} | {call.completion_tokens} | {_money(call.cost)}"
        yield _row(call.role, call.model, call, used)
        if len(call.attempts) > 1 or call.outcome != "ok":
            for attempt in call.attempts:
                yield _row("· attempt", call.model, attempt, " |  | ", attempt.message or "")


def _row(role: str, model: str, timed: Call | Attempt, used: str, message: str = "") -> str:
    cause = message.replace("|", "\\|").replace("\n", " ")
    return f"| {role} | {model} | {timed.outcome} | {timed.started_s} | {timed.ended_s} | {used} | {cause} |"


def _candidates(trace: Trace) -> list[str]:
    parts: list[str] = []
    for candidate in trace.candidates:
        place = _place(candidate.model, candidate.layer)
        parts += [f"### {place} ({candidate.finish_reason})", fence(candidate.text)]
        if candidate.finding:
            parts.append(f"Breaks the contract: {candidate.finding}")
        standing = trace.evidence and trace.evidence.find(candidate.model)
        if standing and standing.finding:
            parts.append(f"When run: {standing.finding}")
        if standing and standing.output:
            parts += ["The checker's output:", fence(standing.output)]
    parts += [f"### {_place(each.model, each.layer)}: {each.kind}\n\n{each.message}" for each in trace.failures]
    parts += [f"Shown to layer {layer.layer} in this order {_order(layer)}" for layer in trace.layers]
    return parts


def _place(model: str, layer: int) -> str:
    return f"{model}, layer {layer}" if layer > 1 else model


def _order(shown: Author | Layer) -> str:
    order = ", ".join(f"{letter} is {model}" for letter, model in shown.letters.items())
    return f"(seed {shown.seed}): {order}."


def _author(author: Author) -> list[str]:
    parts: list[str] = []
    if author.letters:
        parts += [f"Order {_order(author)}", *_messages(author.messages[-1:])]
    if author.said:
        parts.append(f"Its pick:\n\n{fence(author.said.text)}")
    if author.failure:
        parts.append(_failed(author.failure))
    return parts


def _review(review: Verification) -> str:
    if review.failure:
        return _failed(review.failure)
    parts = [f"{each.kind}: {each.problem}\n\n{fence(each.quote)}" for each in review.defects]
    if review.n_dismissed:
        parts.append(f"Dismissed, because they quote text that the draft does not have: {review.n_dismissed}.")
    if review.worse:
        parts.append(f"The revision was discarded: {review.worse}.")
    return "\n\n".join(parts) or "No defect."


def _failed(failure: Failure) -> str:
    return f"Failed: {failure.kind}: {failure.message}"
