"""aioresponses 0.7.9, mended for aiohttp 3.14, whose ClientResponse wants a `stream_writer`."""

from types import SimpleNamespace
from typing import Any, Self
from unittest.mock import patch

from aiohttp import ClientResponse
from aioresponses import aioresponses
from yarl import URL


class _MendedResponse(ClientResponse):
    """A response to a request of which nothing was written."""

    def __init__(self, method: str, url: URL, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(method, url, **kwargs)


class MendedResponses(aioresponses):
    """Answers the requests of every aiohttp ClientSession inside its `with` block; used like `aioresponses`.

    Timeouts, drops and streams need tests/fakes/upstream.py: `ClientTimeout` and middlewares do nothing in here.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._response_class = patch("aioresponses.core.ClientResponse", _MendedResponse)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def start(self) -> None:
        self._response_class.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._response_class.stop()
