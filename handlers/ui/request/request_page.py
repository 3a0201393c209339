"""The page of one request as HTML, from the JSON of its trace. Runs in a worker process if the trace is large.

A trace is foreign text, and its page does the most work on it: edits are applied, texts compared, Markdown parsed, code
coloured. All of that is bounded by counting, but a large trace still takes seconds of Python, during which the event
loop would get the interpreter's lock late. So large traces are rendered in a worker process, which can be killed. If it
dies or takes too long, the page is rendered here without these extras, but with every text.
"""

from functools import partial

import structlog

from handlers.ui.rendering import run_in_thread
from handlers.ui.request.request_view import build_page
from runtime.workers import WorkerError, WorkerPool

_log = structlog.get_logger(__name__)

_MAX_CHARS_HERE = 50_000
_TIMEOUT_S = 15.0


async def render_request(text: str, base_url: str, *, is_file: bool, workers: WorkerPool | None) -> bytes:
    """Return the page of the trace whose JSON is `text`. Raises ValueError if it is not a trace."""
    if workers is None or len(text) <= _MAX_CHARS_HERE:
        return await run_in_thread(partial(build_page, text, base_url, is_file))
    try:
        return await workers.run(build_page, text, base_url, is_file, timeout_s=_TIMEOUT_S)
    except WorkerError as error:
        _log.warning("a trace is shown without differences and Markdown", cause=str(error))
        return await run_in_thread(partial(build_page, text, base_url, is_file, is_plain=True))
