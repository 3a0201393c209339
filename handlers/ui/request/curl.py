"""A request as a curl command. Pure."""

import json
import re
import shlex

from handlers.traces.schema import Asked

_MAX_BYTES = 100_000  # a shell takes about as much as one argument
_STEERING = "x-mom-mode"
_CREDENTIALS = frozenset({"authorization", "x-api-key"})
_INVISIBLE = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def to_curl(request: Asked, base_url: str) -> str | None:
    """Return the command that sends a request again, or None if it could not be parsed or is too long for a shell.

    It is the same request whichever API the client spoke; the command speaks Chat Completions. Keys are not in traces:
    the command reads one from $MOM_API_KEY, if the client sent one.
    """
    if request.body is not None:
        return None
    body = {
        **({"model": request.model} if request.model else {}),
        **request.params,
        **({"n": request.n} if request.n > 1 else {}),
        **({"stream": True} if request.stream else {}),
        **({"mom": request.mom} if request.mom else {}),
        "messages": request.messages,
    }
    data = _INVISIBLE.sub(_escape, json.dumps(body, ensure_ascii=False))
    if len(data.encode(errors="replace")) > _MAX_BYTES:
        return None
    headers = {name.lower(): value for name, value in request.headers.items()}
    lines = [
        f"curl {'-N ' if request.stream else ''}{shlex.quote(f'{base_url}/v1/chat/completions')}",
        "-H 'Content-Type: application/json'",
        *(['-H "Authorization: Bearer $MOM_API_KEY"'] if _CREDENTIALS & headers.keys() else []),
        *([f"-H {shlex.quote(f'{_STEERING}: {headers[_STEERING]}')}"] if _STEERING in headers else []),
        f"--data-raw {shlex.quote(data)}",
    ]
    return " \\\n  ".join(lines)


def _escape(match: re.Match[str]) -> str:
    """Return the JSON escape of an invisible or bidirectional control character."""
    return f"\\u{ord(match[0]):04x}"
