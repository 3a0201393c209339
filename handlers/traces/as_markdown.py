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
    for verification in trace["verifications"]:
        parts += [f"## Verifier: {verification['model']}", _verification(verification)]
    for answer in trace["answers"]:
        parts += [f"## Answer (by {answer['author']}, {answer['decided_by']})", fenced(answer["text"])]
    if trace["error"]:
        parts += ["## Error", str(trace["error"]["message"])]
    return "\n\n".join(parts) + "\n"


def fenced(text: str) -> str:
    """Return the text in a code fence that is longer than any in it."""
    fence = "```"
    while "`" in text and fence in text:  # one character is found much faster than three
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
    if ledger["cost"] is not None:
        facts["cost"] = f"{_money(ledger['cost'])} {ledger['currency']}"
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _money(cost: float | None) -> str:
    return "-" if cost is None else f"{cost:.6f}"


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
        "| role | model | outcome | start s | end s | tokens in | out | cost | cause |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for call in calls:
        used = (call["prompt_tokens"], call["completion_tokens"], _money(call["cost"]))
        rows.append(_row(call, call["role"], used))
        if len(call["attempts"]) > 1 or call["outcome"] != "ok":
            rows += [_row({**call, **attempt}, "· attempt", ("", "", "")) for attempt in call["attempts"]]
    return "\n".join(rows)


def _row(facts: Mapping[str, Any], role: str, used: tuple[Any, Any, str]) -> str:
    cause = str(facts.get("message") or "").replace("|", "\\|").replace("\n", " ")
    asked = f"| {role} | {facts['model']} | {facts['outcome']} | {facts['started_s']} | {facts['ended_s']}"
    return f"{asked} | {used[0]} | {used[1]} | {used[2]} | {cause} |"


def _candidates(trace: Mapping[str, Any]) -> list[str]:
    parts: list[str] = []
    for candidate in trace["candidates"]:
        parts += [f"### {_place(candidate)} ({candidate['finish_reason']})", fenced(candidate["text"])]
        if candidate["finding"]:
            parts.append(f"Breaks the contract: {candidate['finding']}")
    parts += [f"### {_place(failure)}: {failure['kind']}\n\n{failure['message']}" for failure in trace["failures"]]
    parts += [f"Shown to layer {layer['layer']} in this order {_order(layer)}" for layer in trace["layers"]]
    return parts


def _place(proposer: Mapping[str, Any]) -> str:
    return str(proposer["model"]) + (f", layer {proposer['layer']}" if proposer["layer"] > 1 else "")


def _order(shown: Mapping[str, Any]) -> str:
    order = ", ".join(f"{letter} is {model}" for letter, model in shown["letters"].items())
    return f"(seed {shown['seed']}): {order}."


def _verification(verification: Mapping[str, Any]) -> str:
    if "failure" in verification:
        return f"Failed: {verification['failure']['kind']}: {verification['failure']['message']}"
    lines = [f"{each['kind']}: {each['problem']}\n\n{fenced(each['quote'])}" for each in verification["defects"]]
    if verification["n_dismissed"]:
        lines.append(f"Not counted, for they quote what is not there: {verification['n_dismissed']}.")
    if verification.get("worse"):
        lines.append(f"The revision was thrown away: {verification['worse']}.")
    return "\n\n".join(lines) or "No defect."


def _author(author: Mapping[str, Any]) -> list[str]:
    parts: list[str] = []
    if author["letters"]:
        parts += [f"Order {_order(author)}", *_messages(author["messages"][-1:])]
    if author.get("said"):
        parts.append(f"It said:\n\n{fenced(author['said']['text'])}")
    if author.get("failure"):
        parts.append(f"Failed: {author['failure']['kind']}: {author['failure']['message']}")
    return parts
