"""Render templates to self-contained pages under a strict policy. No aiohttp: worker processes use it.

Templates escape every text that they show. Style and script are part of the page, and the content security policy
names them by their hash, so that no text of a model can be either.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlers.ui.diffs import MAX_LINES
from handlers.ui.formats import FILTERS

if TYPE_CHECKING:
    from minijinja import Environment

_TEMPLATES = Path(__file__).parent / "templates"

Context = Mapping[str, Any]

_CONSTANTS: Context = {"max_lines": MAX_LINES}
_DEFAULTS: Context = {"nav": "", "file": False, "script": ""}
"""`nav` is the page's entry in the navigation, `script` names the script that it has beside page.js, `file` says
whether it is rendered as a file for sharing, without links and scripts."""


def render(template: str, context: Context) -> bytes:
    """Return a page as bytes. Blocks: call it in a thread.

    The engine holds the interpreter's lock, except while it calls filters, which are Python: a long list calls some in
    each row.
    """
    return _environment().render_template(template, **{**_DEFAULTS, **context}).encode()


@cache
def security_headers() -> Mapping[str, str]:
    """Return the headers of every page: it loads nothing, cannot be framed, and is not cached."""
    return {
        "Content-Security-Policy": f"{content_security_policy()}; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def content_security_policy() -> str:
    """Return the policy as a page can state it in itself, so that it holds for a saved file too."""
    scripts = " ".join(f"'{_hash_source(script)}'" for script in _scripts().values())
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash_source(_style())}'",
            f"script-src {scripts}",
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
        globals={**_CONSTANTS, "style": _style(), "scripts": _scripts(), "policy": content_security_policy()},
        undefined_behavior="strict",
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    return "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "charts.css", "code.css"))


@cache
def _scripts() -> Mapping[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_TEMPLATES.glob("*.js"))}


def _hash_source(text: str) -> str:
    """Return a text's hash as a policy names it (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
