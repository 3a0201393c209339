"""Log lines for people on a terminal: one short line for each request, with the cause of every failure. Pure.

JSON has all fields and is for programs. A line here has the facts that an operator wants at a glance: the time, the
status, the mixture, the duration, the models that answered, the cost, and errors in the provider's own words.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from structlog.typing import EventDict

from handlers.terminal.plain_text import join_lines, strip_controls
from handlers.terminal.tables import Colour, paint

_GAP = "  "
_CLIENT_LEFT = 499
_LEVELS: Mapping[str, Colour] = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "red"}
_NOT_SHOWN = ("timestamp", "level", "event", "exception", "request_id")


class ReadableLines:
    """The last processor of structlog: returns an event as a line, in colours if they are wanted.

    Values come from upstreams and clients as well, so control characters are taken out.
    """

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _logger: Any, _level: str, event: EventDict) -> str:
        """Return the line; the traceback of an exception follows in lines of its own."""
        parts = self._format_request(event) if event["event"] == "request" else self._format_other(event)
        line = _GAP.join([self._paint(_local_time(event["timestamp"]), "dim"), *parts])
        traceback = event.get("exception")
        return f"{line}\n{strip_controls(str(traceback))}" if traceback else line

    def _format_request(self, event: EventDict) -> Iterator[str]:
        status = event["status"]
        yield self._paint(str(status), _colour_of_status(status))
        yield join_lines(str(event.get("mixture") or f"{event['method']} {event['path']}"))
        yield f"{event['seconds']:.1f} s"
        if status == _CLIENT_LEFT:
            yield self._paint("the client has left", "yellow")
        if "error" in event:
            yield self._paint(
                join_lines(": ".join(str(event[name]) for name in ("error", "cause") if name in event)), "red"
            )
        yield from _describe_run(event)
        for cause, models in _group_by_cause(event.get("failed", {})).items():
            yield self._paint(join_lines(f"{', '.join(models)}: {cause}"), "red")
        for model, seconds in event.get("slow", {}).items():
            yield self._paint(f"{model} took {seconds:.1f} s", "yellow")
        if "client" in event:
            yield self._paint(f"client {join_lines(str(event['client']))}", "dim")

    def _format_other(self, event: EventDict) -> Iterator[str]:
        level = event["level"]
        text = join_lines(str(event["event"]))
        yield self._paint(text if level == "info" else f"{level}: {text}", _LEVELS.get(level, ""))
        for name, value in event.items():
            if name not in _NOT_SHOWN and value is not None:
                yield f"{self._paint(name, 'dim')}={_describe(value)}"

    def _paint(self, text: str, colour: Colour) -> str:
        return paint(text, colour, colours=self._colours)


def _local_time(timestamp: str) -> str:
    return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S")


def _group_by_cause(failed: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the models that failed for each cause: samples of one model often fail alike."""
    models: dict[str, list[str]] = {}
    for model, cause in failed.items():
        models.setdefault(cause, []).append(model)
    return models


def _colour_of_status(status: int) -> Colour:
    if status >= 500:  # noqa: PLR2004
        return "red"
    return "yellow" if status >= 400 else "green"  # noqa: PLR2004


def _describe_run(event: EventDict) -> Iterator[str]:
    """Yield the models asked, the author and the reason, and the cost, as far as they are known."""
    if event.get("candidates", "0/0") != "0/0":
        yield f"{event['candidates']} answered"
    if "decided_by" in event:
        why = str(event.get("bypass") or event["decided_by"]).replace("_", " ")
        yield join_lines(f"{event['author']} ({why})")
    if event.get("calls"):
        calls = "1 call" if event["calls"] == 1 else f"{event['calls']} calls"
        cached = f" ({event['cached_tokens']} cached)" if event.get("cached_tokens") else ""
        tokens = f"{event['prompt_tokens']}{cached} + {event['completion_tokens']} tokens"
        yield f"{calls}, {tokens}"
    if event.get("cost"):
        yield f"{event['cost']:.4f} {event['currency']}"


def _describe(value: object) -> str:
    if isinstance(value, Mapping):
        return join_lines("; ".join(f"{name}: {each}" for name, each in value.items()))
    return join_lines(value if isinstance(value, str) else repr(value))
