"""What a scripted upstream may say to one request: answers, refusals, and bodies that are wrong.

A step is a function from the parsed request to what goes on the wire, so that steps compose with each other and
with breaks.py: `after(gate, status(503))`, `drop_mid_stream(2, step=answer("lost"))`. Where the request has
`stream: true` a step answers with server-sent events, as an upstream that speaks OpenAI would. No I/O in here.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.fakes.completions import DONE, Completion, Request, compact, error_body, event
from tests.fakes.wire import Ending, Head, Piece, Step, Wire

TEXT = "An answer of the fake upstream."
_BLOCK = b"a" * 65_536
_MARK = "@filler@"


def answer(text: Any = TEXT, *, delay_s: float = 0.0, **fields: Any) -> Step:
    """Answer well: a completion, or a stream of one event for each chunk. `fields` are those of Completion."""
    completion = Completion(text=text, **fields)

    def step(request: Request) -> Wire:
        if request.get("stream"):
            wire = _sse(*map(event, completion.chunks(request)), DONE)
        else:
            wire = _whole(compact(completion.whole(request)))
        return wire.after(delay_s) if delay_s else wire

    return step


def from_request(respond: Callable[[Request], Step | str]) -> Step:
    """Answer with `respond(request)`: a text, or any other step."""

    def step(request: Request) -> Wire:
        response = respond(request)
        return (answer(response) if isinstance(response, str) else response)(request)

    return step


def reply(
    body: bytes,
    *,
    code: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Step:
    """Send exactly this body, also where a stream was asked for."""
    wire = _whole(body, code=code, content_type=content_type, headers=headers)
    return lambda _request: wire


def status(
    code: int,
    *,
    body: Any = None,
    retry_after: float | str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Step:
    """Refuse with a status. `body` is bytes, or a value sent as JSON; left out, an error in OpenAI's shape.

    `retry_after` goes out as it is written: seconds, an HTTP date, or nonsense.
    """
    if body is None:
        body = error_body(f"The fake upstream says {code}.", kind="server_error" if code >= 500 else "api_error")
    late = {} if retry_after is None else {"retry-after": str(retry_after)}
    content = body if isinstance(body, bytes) else compact(body)
    return reply(content, code=code, headers={**late, **(headers or {})})


def context_length(limit: int = 8192, asked: int = 9001) -> Step:
    """Refuse as OpenAI does when the conversation does not fit the model."""
    message = (
        f"This model's maximum context length is {limit} tokens. However, your messages resulted in "
        f"{asked} tokens. Please reduce the length of the messages."
    )
    kind, code = "invalid_request_error", "context_length_exceeded"
    return status(400, body=error_body(message, kind=kind, param="messages", code=code))


def redirect(to: str, *, code: int = 307) -> Step:
    """Point elsewhere."""
    return reply(b"", code=code, headers={"location": to})


def empty() -> Step:
    """Answer with a completion that has nothing in it."""
    return answer("")


def stream_without_finish(text: str = TEXT, *, done: bool = False) -> Step:
    """Answer without a finish reason; a stream then ends without one, and with `[DONE]` only where `done`."""
    step = answer(text, without=("finish_reason",))

    def unfinished(request: Request) -> Wire:
        wire = step(request)
        return replace(wire, body=tuple(piece for piece in wire.body if done or piece != DONE))

    return unfinished


def unstreamed(step: Step) -> Step:
    """Take `step` in JSON even where a stream was asked for."""
    return lambda request: step({**request, "stream": False})


def error_in_200(code: Any = "overloaded", message: str = "Overloaded.", *, after_chunks: int = 0) -> Step:
    """Succeed with an error: as the body, or as the last event of a stream, behind some chunks of an answer."""
    error = error_body(message, kind="server_error", code=code)

    def step(request: Request) -> Wire:
        if not request.get("stream"):
            return _whole(compact(error))
        return _sse(*answer()(request).body[:after_chunks], event(error))

    return step


def garbage() -> Step:
    """Succeed with a body that is not JSON; a stream has it as its one event before `[DONE]`."""
    return _body_or_event(b'{"id": "chatcmpl-fake", "choices": [{"mess')


def wrong_shape(value: Any) -> Step:
    """Succeed with JSON of another shape; a stream has it as its one event before `[DONE]`."""
    return _body_or_event(compact(value))


def html(code: int = 200) -> Step:
    """Show a web page, as a captive portal or a proxy in between does."""
    page = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"
    return reply(page, code=code, content_type="text/html; charset=utf-8")


def oversized(n_bytes: int, *, delta_bytes: int | None = None) -> Step:
    """Answer with a text of `n_bytes`; a stream has it in one delta, or in many of `delta_bytes`."""
    size = delta_bytes or n_bytes

    def step(request: Request) -> Wire:
        if not request.get("stream"):
            return _whole(*_inflated(answer(_MARK)(request).body[0], n_bytes))
        role, delta, *rest = answer(_MARK, piece_chars=len(_MARK))(request).body
        deltas = (_inflated(delta, min(size, n_bytes - start)) for start in range(0, n_bytes, size))
        return _sse(role, *(piece for pieces in deltas for piece in pieces), *rest)

    return step


def gzip_bomb(n_bytes: int = 32 << 20) -> Step:
    """Answer with some kilobytes of gzip that unpack to a text of `n_bytes`."""

    def packed(*, stream: bool) -> Wire:
        wire = oversized(n_bytes)({"model": "fake", "stream": stream})
        body = _gzip(wire)
        headers = {**_headers(wire), "content-encoding": "gzip", "content-length": str(len(body))}
        return Wire(Head(headers=headers), (body,))

    json, sse = packed(stream=False), packed(stream=True)
    return lambda request: sse if request.get("stream") else json


def header_bomb(n_bytes: int = 1 << 20) -> Step:
    """Answer under one header of `n_bytes`."""

    def step(request: Request) -> Wire:
        wire = answer()(request)
        return replace(wire, head=Head(headers={"x-bomb": "a" * n_bytes, **_headers(wire)}))

    return step


def raw(*pieces: Piece, ending: Ending = Ending.CLOSE) -> Step:
    """Send exactly these bytes, status line and headers among them."""
    return lambda _request: Wire(None, pieces, ending)


def raw_stream(pieces: Iterable[Piece], *, ending: Ending = Ending.COMPLETE) -> Step:
    """Send an event stream of exactly these bytes, each piece in an HTTP chunk of its own."""
    wire = replace(_sse(*pieces), ending=ending)
    return lambda _request: wire


def _whole(
    *pieces: Piece,
    code: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Wire:
    n_bytes = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
    framing = {"content-type": content_type, "content-length": str(n_bytes)}
    return Wire(Head(code, {**framing, **(headers or {})}), pieces)


def _sse(*pieces: Piece) -> Wire:
    return Wire(Head(headers={"content-type": "text/event-stream", "cache-control": "no-cache"}), pieces)


def _body_or_event(data: bytes) -> Step:
    body, stream = _whole(data), _sse(b"data: " + data + b"\n\n", DONE)
    return lambda request: stream if request.get("stream") else body


def _inflated(rendered: Piece, n_bytes: int) -> tuple[bytes, ...]:
    """Put `n_bytes` in the place of the mark; the blocks share their memory, so that any size is cheap."""
    assert isinstance(rendered, bytes)
    before, _, behind = rendered.partition(_MARK.encode())
    blocks, rest = divmod(n_bytes, len(_BLOCK))
    return before, *[_BLOCK] * blocks, _BLOCK[:rest], behind


def _gzip(wire: Wire) -> bytes:
    packer = zlib.compressobj(wbits=31)  # 31: gzip, the largest window
    packed = [packer.compress(piece) for piece in wire.body if isinstance(piece, bytes)]
    return b"".join(packed) + packer.flush()


def _headers(wire: Wire) -> Mapping[str, str]:
    return wire.head.headers if wire.head else {}
