"""A request as a curl command. Pure."""

import json
import shlex

from handlers.traces.schema import Asked

_MAX_BYTES = 100_000  # a shell takes about as much as one argument


def to_curl(request: Asked, base_url: str) -> str | None:
    """Return the command that sends a request again, None if it could not be parsed or is too long for a shell.

    Keys are not in traces: the command reads one from $MOM_API_KEY, if the client sent one.
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
    data = json.dumps(body, ensure_ascii=False)
    if len(data.encode(errors="replace")) > _MAX_BYTES:
        return None
    has_key = any(name.lower() == "authorization" for name in request.headers)
    lines = [
        f"curl {shlex.quote(f'{base_url}/v1/chat/completions')}",
        "-H 'Content-Type: application/json'",
        *(['-H "Authorization: Bearer $MOM_API_KEY"'] if has_key else []),
        f"--data-raw {shlex.quote(data)}",
    ]
    return " \\\n  ".join(lines)
