"""Decode the JSON body of a request, with bounds and errors that name the remedy."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from handlers.api.intake.limits import check_fields
from handlers.errors import ApiError
from runtime import json_steps
from runtime.json_steps import LargeTextError, Steps
from runtime.time_slice import TimeSlice
from runtime.workers import WorkerError, WorkerPool
from synth.contract.json_schema import parse_json

MAX_DEPTH = 200  # upstreams refuse deeper nesting; near a thousand levels it could be decoded but not encoded
LARGE_BYTES = 2**20
"""Larger bodies are read in steps, with other requests in between; smaller ones take a few milliseconds at most."""

_NODES_PER_STEP = 2_000
_WORKER_TIMEOUT_S = 5.0
_MAX_ODD_BYTES = 2**23  # the value comes back from a worker in one piece
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")  # RFC 6838, section 4.2

TYPE_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


async def decode_body(
    body: bytes, content_type: str | None, time_slice: TimeSlice, workers: WorkerPool | None = None
) -> dict[str, Any]:
    """Return the JSON object in a body. Raises ApiError (400, 415) if it is not a valid one.

    `content_type` is the value of the header, or None if the client sent none, which is accepted. A large body that
    cannot be read in steps goes to a worker, which finds the error, or accepts oddities such as half an emoji.
    """
    if content_type and content_type != "application/json":
        _check_media_type(content_type)
    value = await _decode(body, time_slice, workers)
    if not isinstance(value, dict):
        raise ApiError(400, f"the body must be a JSON object, not {type_name(value)}", code="invalid_json")
    check_fields(value, "the body")
    may_be_deep = len(body) > LARGE_BYTES or _opens_many(body)
    if may_be_deep and await time_slice.run(_is_deeper(value, MAX_DEPTH)):
        raise ApiError(400, f"the body is nested more than {MAX_DEPTH} levels deep", code="invalid_json")
    return value


def _opens_many(body: bytes) -> bool:
    """Whether a body has more than MAX_DEPTH opening brackets. `split` stops there, and finds the next by `memchr`."""
    n_arrays, n_objects = len(body.split(b"[", MAX_DEPTH + 1)) - 1, len(body.split(b"{", MAX_DEPTH + 1)) - 1
    return n_arrays + n_objects > MAX_DEPTH


def _check_media_type(stated: str) -> None:
    media_type = stated.partition(";")[0].strip().lower()
    if not _MEDIA_TYPE.fullmatch(media_type):
        media_type = "application/octet-stream"  # RFC 9110, section 8.3: the default if the type is unusable
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise ApiError(
            415,
            f"the body must be JSON; send it with the header Content-Type: application/json, not {media_type}",
            code="unsupported_media_type",
        )


async def _decode(body: bytes, time_slice: TimeSlice, workers: WorkerPool | None) -> Any:
    if not body or body.isspace():
        raise ApiError(400, "the body is empty; it must be a JSON object with `messages`", code="invalid_json")
    try:
        if len(body) <= LARGE_BYTES:
            return parse_json(body)
        try:
            return await time_slice.run(json_steps.decode(body))
        except LargeTextError as error:
            raise ApiError(400, f"the body cannot be read: {error}; send less", code="too_large_text") from None
        except (ValueError, RecursionError):
            return await _decode_in_worker(body, workers)
    except json.JSONDecodeError as error:
        message = f"the body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}"
        raise ApiError(400, message, code="invalid_json") from None
    except ValueError as error:  # not UTF-8, a number of thousands of digits, NaN
        raise ApiError(400, f"the body is not valid JSON: {error}"[:200], code="invalid_json") from None


async def _decode_in_worker(body: bytes, workers: WorkerPool | None) -> Any:
    """Return the value of a large body that cannot be decoded in steps. Raises ValueError with the cause."""
    if workers is None:
        return parse_json(body)
    decode = parse_json if len(body) <= _MAX_ODD_BYTES else _refuse_odd
    try:
        return await workers.run(decode, body, timeout_s=_WORKER_TIMEOUT_S)
    except WorkerError as error:
        raise ValueError(str(error)) from None


def _refuse_odd(body: bytes) -> NoReturn:
    parse_json(body)
    raise ValueError("it holds one half of a character in two escapes (a lone surrogate)")


def _is_deeper(value: Any, n_levels: int) -> Steps[bool]:
    level = [value]
    for _ in range(n_levels):
        inner: list[Any] = []
        for at in range(0, len(level), _NODES_PER_STEP):
            inner += _list_containers(level[at : at + _NODES_PER_STEP])
            yield
        level = inner
        if not level:
            return False
    return True


def _list_containers(nodes: list[Any]) -> Iterator[Any]:
    """Yield the objects and arrays that are directly inside these."""
    for node in nodes:
        for each in node.values() if isinstance(node, dict) else node:
            if isinstance(each, (dict, list)):
                yield each


def type_name(value: Any) -> str:
    """Return the type of a JSON value with its article: "a string"."""
    return TYPE_NAMES.get(type(value), type(value).__name__)


def refuse(path: str, problem: str, *, code: str = "invalid_value") -> NoReturn:
    """Raise the ApiError (400) for a field."""
    raise ApiError(400, f"{path}: {problem}", param=path, code=code)
