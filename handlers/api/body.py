"""Decode the JSON body of a request, with bounds and errors that name the remedy."""

import json
import re
from typing import Any, NoReturn

from handlers.errors import ApiError
from synth.contract.json_schema import parse_json

MAX_DEPTH = 200  # upstreams refuse deeper nesting; near a thousand levels it could be decoded but not encoded
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


def decode_body(body: bytes, content_type: str | None) -> dict[str, Any]:
    """Return the JSON object in a body; ApiError (400, 415) if it is not a valid one.

    `content_type` is the value of the header, or None if the client sent none, which is accepted.
    """
    if content_type and content_type != "application/json":
        _check_media_type(content_type)
    return _decode_object(body)


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


def _decode_object(body: bytes) -> dict[str, Any]:
    if not body or body.isspace():
        raise ApiError(400, "the body is empty; it must be a JSON object with `messages`", code="invalid_json")
    try:
        value = parse_json(body)
    except json.JSONDecodeError as error:
        message = f"the body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}"
        raise ApiError(400, message, code="invalid_json") from None
    except ValueError as error:  # not UTF-8, a number of thousands of digits, NaN
        raise ApiError(400, f"the body is not valid JSON: {error}"[:200], code="invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError(400, f"the body must be a JSON object, not {type_name(value)}", code="invalid_json")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise ApiError(400, f"the body is nested more than {MAX_DEPTH} levels deep", code="invalid_json")
    return value


def _is_deeper(value: Any, n_levels: int) -> bool:
    level = [value]
    for _ in range(n_levels):
        level = [
            each
            for node in level
            for each in (node.values() if isinstance(node, dict) else node)
            if isinstance(each, (dict, list))
        ]
        if not level:
            return False
    return True


def type_name(value: Any) -> str:
    """Return what a JSON value is, with its article: "a string"."""
    return TYPE_NAMES.get(type(value), type(value).__name__)


def refuse(path: str, problem: str, *, code: str = "invalid_value") -> NoReturn:
    """Raise the ApiError (400) for a field."""
    raise ApiError(400, f"{path}: {problem}", param=path, code=code)
