"""Markdown and code of models as safe HTML, with bounded work. Pure, apart from its clock.

The text is hostile until proven otherwise. markdown-it-py parses it with raw HTML off, so every character of it is
escaped; it is linear in practice and bounds nesting. Elements that could load or style anything are replaced here:
images and links become text with their address beside it, alignment becomes a class instead of a style attribute (the
content security policy allows none), headings become paragraphs, so that the outline of the page stays its own.

Pygments colours code by regular expressions, and some of its lexers take time with the square of a hostile text. So
only short blocks in common languages are coloured, and all texts of a page share a time budget: the lexer is stopped
between two tokens, and the rest is shown without colours.
"""

import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.token import Token as CodeToken

MAX_CHARS = 60_000
"""A longer text is shown as it is."""

MAX_CODE_CHARS = 6_000
"""A longer block of code is shown without colours."""

_PAGE_SECONDS = 1.0
_MAX_LANGUAGE_CHARS = 24
_LANGUAGES = frozenset(
    {"bash", "c", "c#", "c++", "cpp", "csharp", "css", "diff", "docker", "go", "html", "ini", "java", "javascript"}
    | {"js", "json", "jsx", "kotlin", "php", "py", "python", "rb", "ruby", "rs", "rust", "sh", "shell", "sql", "swift"}
    | {"toml", "ts", "tsx", "typescript", "xml", "yaml", "yml"}
)


@dataclass(slots=True)
class RenderBudget:
    """The processor time that all texts of a page may take together, in seconds, so that load does not count."""

    seconds: float = _PAGE_SECONDS
    clock: Callable[[], float] = time.thread_time
    _spent: float = field(default=0.0, init=False)

    def find_deadline(self) -> float:
        """Return the instant at which the budget is spent, if a text is rendered from now on."""
        return self.clock() + self.seconds - self._spent

    @property
    def is_spent(self) -> bool:
        """Whether no time is left."""
        return self._spent >= self.seconds

    def spend(self, seconds: float) -> None:
        """Count time that a text took."""
        self._spent += seconds


def render_markdown(text: str, budget: RenderBudget) -> Markup | None:
    """Return a text as HTML, or None if it is too long or the budget is spent, so that it has to be shown as it is."""
    if len(text) > MAX_CHARS or budget.is_spent or not text.strip():
        return None
    started, deadline = budget.clock(), budget.find_deadline()
    html = _parser().render(text, {"is_over": lambda: budget.clock() > deadline})
    budget.spend(budget.clock() - started)
    return Markup(html)  # noqa: S704 -- every rule of the parser escapes  # noqa: S704 -- built by the escaping renderer below


def highlight_code(code: str, language: str, is_over: Callable[[], bool]) -> Markup:
    """Return code as HTML, with classes for its colours if the language is known and `is_over` stays false."""
    lexer = _find_lexer(language) if len(code) <= MAX_CODE_CHARS else None
    if lexer is None:
        return escape(code)
    pieces: list[Markup] = []
    for kind, value in lexer.get_tokens(code):
        if is_over():
            return escape(code)
        css = _css_class(kind)
        pieces.append(Markup('<span class="{}">{}</span>').format(css, value) if css else escape(value))
    return Markup().join(pieces)


@cache
def _find_lexer(language: str) -> Lexer | None:
    name = language.lower()
    return get_lexer_by_name(name, ensurenl=False, stripnl=False) if name in _LANGUAGES else None


def _css_class(kind: Any) -> str:
    """Return the class of a token's nearest ancestor that code.css colours, "" for plain text."""
    while kind is not CodeToken:
        if kind in _COLOURS:
            return f"hl-{_COLOURS[kind]}"
        kind = kind.parent
    return ""


_COLOURED = {
    "k": "k",
    "s": "s",
    "c": "c",
    "m": "m",
    "nf": "n",
    "nc": "n",
    "nd": "n",
    "gi": "i",
    "gd": "d",
    "nt": "k",
    "na": "n",
}
_COLOURS = {kind: _COLOURED[short] for kind, short in STANDARD_TYPES.items() if short in _COLOURED}


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    rules: dict[str, Callable[..., str]] = {
        "fence": _render_fence,
        "code_block": _render_fence,
        "image": _render_image,
        "link_open": _render_link_open,
        "link_close": _render_link_close,
        "heading_open": _render_heading_open,
        "heading_close": _render_heading_close,
        "th_open": _render_cell_open,
        "td_open": _render_cell_open,
        "hardbreak": _render_break,
    }
    for name, rule in rules.items():
        parser.add_render_rule(name, rule)
    return parser


def _render_fence(
    _self: Any, tokens: Sequence[Token], index: int, _options: Any, environment: MutableMapping[str, Any]
) -> str:
    token = tokens[index]
    words = token.info.split()
    language = words[0][:_MAX_LANGUAGE_CHARS] if words else ""
    code = highlight_code(token.content, language, environment["is_over"])
    label = Markup('<p class="language">{}</p>').format(language) if language else Markup()
    return Markup('<div class="code">{}<pre tabindex="0"><code>{}</code></pre></div>\n').format(label, code)


def _render_image(_self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    token = tokens[index]
    address = token.attrGet("src")
    return Markup('[picture: {} <span class="address">{}</span>]').format(token.content, address)


def _render_link_open(_self: Any, _tokens: Sequence[Token], _index: int, *_: Any) -> str:
    return '<span class="link">'


def _render_link_close(_self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    address = _find_address(tokens, index)
    return Markup('</span> <span class="address">({})</span>').format(address)


def _find_address(tokens: Sequence[Token], index: int) -> str:
    """Return the address of the link that ends at a token; links do not nest."""
    while index and tokens[index].type != "link_open":
        index -= 1
    return str(tokens[index].attrGet("href") or "")


def _render_heading_open(_self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    return f'<p class="heading level-{tokens[index].tag[1:]}">'


def _render_heading_close(*_: Any) -> str:
    return "</p>\n"


def _render_cell_open(_self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    token = tokens[index]
    is_right = "right" in str(token.attrGet("style") or "")
    return f'<{token.tag} class="num">' if is_right else f"<{token.tag}>"


def _render_break(*_: Any) -> str:
    return "<br>\n"
