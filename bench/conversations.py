"""Requests like those of a coding tool, in given sizes. Pure."""

import json
from typing import Any

KB = 1024
OTHER_APIS = ("/messages", "/responses")
_TURN_CHARS = 8 * KB
_LINE = '    for row in rows[{n}:]:  # "{n}" is where the reader stands\n        total += row["price"] * {n}\n'


QUESTION = "Why does the reader stop too early?"
COMPLAINT = "That's wrong."
TASK = "Write a Python function `add_up(rows)`, so that:\n\n>>> add_up([1, 2])\n3\n>>> add_up([])\n0"


def build_body(model: str, n_bytes: int, *, mark: str = "", stream: bool = False, ask: str = QUESTION) -> bytes:
    """Return the JSON of a request whose messages have about `n_bytes` of text, with `mark` at the beginning.

    Long ones have several turns: files that the user shows, and short replies. A complaint follows an answer, which
    the conversation then includes.
    """
    messages: list[dict[str, str]] = [{"role": "system", "content": f"{mark}You help with code. Answer in prose."}]
    left = n_bytes
    while left > _TURN_CHARS:
        messages += [{"role": "user", "content": _listing(_TURN_CHARS)}, {"role": "assistant", "content": "I see."}]
        left -= _TURN_CHARS
    if ask == COMPLAINT:
        messages += [
            {"role": "user", "content": _listing(left)},
            {"role": "assistant", "content": f"{mark}{QUESTION * 4}"},
        ]
        messages.append({"role": "user", "content": COMPLAINT})
    else:
        messages.append({"role": "user", "content": f"{_listing(left)}\n{ask}"})
    request: dict[str, Any] = {"model": model, "messages": messages, "temperature": 0.2}
    return json.dumps({**request, "stream": True} if stream else request).encode()


def _listing(n_chars: int) -> str:
    lines = "".join(_LINE.format(n=number) for number in range(n_chars // len(_LINE) + 1))
    return lines[:n_chars]


def translate(body: bytes, path: str) -> bytes:
    """Return a chat request as a request of Anthropic's Messages or OpenAI's Responses, by the end of the path."""
    request = json.loads(body)
    system, *messages = request.pop("messages")
    if path.endswith("/messages"):
        request |= {"system": system["content"], "messages": messages, "max_tokens": 4096}
    else:
        request |= {"instructions": system["content"], "input": messages}
    return json.dumps(request).encode()
