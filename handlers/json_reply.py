"""A reply that is one line of JSON."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from runtime.json_codec import encode_line


def respond_json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the reply with a JSON value as its body."""
    return web.Response(
        body=encode_line(value), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )
