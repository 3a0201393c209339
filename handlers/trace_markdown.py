"""A trace as Markdown, for reading. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any


def markdown(trace: Mapping[str, Any]) -> str:
    """Return the trace document as a page of Markdown."""
    parts = [
        f"# {trace['id']}",
        _facts(trace),
        "## Request",
        *_asked(trace["request"]),
        "## Calls",
        _calls(trace["calls"]),
        "## Candidates",
        *_candidates(trace),
    ]
    for author in trace["authors"]:
        parts += [f"## {author['role'].capitalize()}: {author['model']}", *_author(author)]
    for answer in trace["answers"]:
        parts += [f"## Answer (by {answer['author']}, {answer['decided_by']})", fenced(answer["text"])]
    if trace["error"]:
        parts += ["## Error", str(trace["error"]["message"])]
    return "\n\n".join(parts) + "\n"


def fenced(text: str) -> str:
    """Return the text in a code fence that is longer than any in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def _facts(trace: Mapping[str, Any]) -> str:
    ledger, timings = trace["ledger"], trace["timings"]
    facts = {
        "time": trace["time"],
        "outcome": f"{trace['outcome']} (HTTP {trace['status']})" if trace["status"] else trace["outcome"],
        "mixture, mode": f"{trace['mixture'] or '-'}, {trace['mode'] or '-'}",
        "seconds": ", ".join(f"{name[:-2]} {value}" for name, value in timings.items() if value is not None),
        "tokens": f"{ledger['prompt_tokens']} in, {ledger['completion_tokens']} out"
        + (" (partly estimated)" if ledger["estimated"] else ""),
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _asked(request: Mapping[str, Any]) -> list[str]:
    return _messages(request["messages"]) if "messages" in request else [fenced(request.get("body", ""))]


def _messages(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    parts: list[str] = []
    for message in messages:
        content = message.get("content")
        parts += [f"**{message.get('role')}**", fenced(content if isinstance(content, str) else str(content))]
    return parts


def _calls(calls: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        "| role | model | outcome | start s | end s | tokens in | out | cause |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for call in calls:
        rows.append(_row(call, call["role"], call["prompt_tokens"], call["completion_tokens"]))
        if len(call["attempts"]) > 1 or call["outcome"] != "ok":
            rows += [_row({**call, **attempt}, "· attempt", "", "") for attempt in call["attempts"]]
    return "\n".join(rows)


def _row(facts: Mapping[str, Any], role: str, tokens_in: Any, tokens_out: Any) -> str:
    cause = str(facts.get("message") or "").replace("|", "\\|").replace("\n", " ")
    cells = [role, facts["model"], facts["outcome"], facts["started_s"], facts["ended_s"], tokens_in, tokens_out, cause]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _candidates(trace: Mapping[str, Any]) -> list[str]:
    parts: list[str] = []
    for candidate in trace["candidates"]:
        parts += [f"### {candidate['model']} ({candidate['finish_reason']})", fenced(candidate["text"])]
    parts += [f"### {failure['model']}: {failure['kind']}\n\n{failure['message']}" for failure in trace["failures"]]
    return parts


def _author(author: Mapping[str, Any]) -> list[str]:
    parts: list[str] = []
    if author["letters"]:
        order = ", ".join(f"{letter} is {model}" for letter, model in author["letters"].items())
        parts += [f"Order (seed {author['seed']}): {order}.", *_messages(author["messages"][-1:])]
    if author.get("failure"):
        parts.append(f"Failed: {author['failure']['kind']}: {author['failure']['message']}")
    return parts
