"""From a template and what it shows to a page: one document with nothing from elsewhere, under a strict policy.

Templates escape every text that they show. Style and script stand in the page itself, and the content security policy
names them by their hash, so that nothing that a model wrote can be either.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from handlers.context import CONTEXT
from handlers.errors import ApiError
from handlers.traces.store import TraceStore
from handlers.ui.diffs import MAX_LINES
from handlers.ui.words import FILTERS

if TYPE_CHECKING:
    from minijinja import Environment

_TEMPLATES = Path(__file__).parent / "templates"

Context = Mapping[str, Any]

_T = TypeVar("_T")
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pages")

_CONSTANTS: Context = {"max_lines": MAX_LINES}
_DEFAULTS: Context = {"nav": "", "file": False, "live": False}
"""`nav` is the page's entry among the links at the top, `live` whether it has the script that fetches its list again,
`file` whether it is for a file of its own, without links."""


def traces_of(request: web.Request) -> TraceStore:
    """Return the traces that the pages show; ApiError (404) where the pages are off."""
    traces = request[CONTEXT].snapshot.traces
    if traces is None:
        message = "the trace pages are off: start the gateway with --debug-requests, or set server.ui"
        raise ApiError(404, message, code="not_found")
    return traces


async def page(
    template: str, build: Callable[[], Context], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return the page of a template that shows what `build` returns; both run in the pages' thread."""
    html, safe = await aside(lambda: (rendered(template, build()), safety()))
    headers = {**safe, **(headers or {})}
    return web.Response(body=html, status=status, content_type="text/html", charset="utf-8", headers=headers)


async def aside(work: Callable[[], _T]) -> _T:
    """Do what takes its time in the pages' own thread: however many are open, no answer waits for them."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work)


def rendered(template: str, context: Context) -> bytes:
    """Return a page as bytes. Blocks: call it in a thread.

    The engine holds the interpreter's lock but for the filters, which are Python: a long list has one in each row.
    """
    return _environment().render_template(template, **{**_DEFAULTS, **context}).encode()


@cache
def safety() -> Mapping[str, str]:
    """Return the headers that every page has: nothing but the page itself is loaded, shown around it, or kept."""
    return {
        "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def policy() -> str:
    """Return the content security policy as far as a page can state it about itself, in a file too."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hashed(_style())}'",
            f"script-src '{_hashed(_script())}'",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
        ]
    )


@cache
def _environment() -> "Environment":
    from minijinja import Environment  # noqa: PLC0415 -- a gateway whose pages nobody opens starts without

    sources = {path.name: path.read_text(encoding="utf-8") for path in _TEMPLATES.glob("*.html")}
    return Environment(
        templates=sources,
        filters=FILTERS,
        globals={**_CONSTANTS, "style": _style(), "script": _script(), "policy": policy()},
        undefined_behavior="strict",
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    return "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "charts.css"))


@cache
def _script() -> str:
    return (_TEMPLATES / "live.js").read_text(encoding="utf-8")


def _hashed(text: str) -> str:
    """Return a text's hash as a policy has it (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
