"""Markdown and code of models as safe HTML."""

import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from handlers.ui.request.markdown import MAX_CHARS, MAX_CODE_CHARS, RenderBudget, highlight_code, render_markdown

TAGS = frozenset(
    "p ul ol li blockquote code pre em strong s table thead tbody tr th td hr br div span".split()  # noqa: SIM905
)
CLASSES = frozenset({"heading", "code", "language", "link", "address", "num", *(f"level-{n}" for n in range(1, 7))})
MARKS = [
    "*",
    "_",
    "`",
    "```",
    "[",
    "](",
    ")",
    "![",
    "<",
    ">",
    "|",
    "\n",
    "\n\n",
    "# ",
    "- ",
    "1. ",
    "a",
    " ",
    "&",
    '"',
    "~",
]
EVIL = ["<script>alert(1)</script>", "[x](javascript:alert(1))", "[x](data:text/html,x)", "![x](http://evil/x.png)"]


class Elements(HTMLParser):
    """The elements of a text of HTML, each with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add the next element."""
        self.found.append((tag, dict(attrs)))


def rendered(text: str) -> str:
    html = render_markdown(text, RenderBudget())
    assert html is not None
    return html


@given(st.lists(st.sampled_from([*MARKS, *EVIL]), max_size=30).map("".join))
def test_no_text_becomes_more_than_harmless_elements(text: str) -> None:
    """Known elements with known classes: no script, link, picture, style or event handler, whatever the text."""
    html = render_markdown(text, RenderBudget())
    if html is None:
        assert not text.strip()
        return
    for tag, attributes in Elements(html).found:
        assert tag in TAGS
        assert set(attributes) <= {"class", "tabindex", "start"}
        for name in (attributes.get("class") or "").split():
            assert name in CLASSES or name.startswith("hl-")


def test_common_markdown_is_rendered() -> None:
    """Emphasis, lists, tables, code; headings do not enter the outline of the page."""
    html = rendered("# Title\n\n**bold** and `code`\n\n- one\n\n| a |\n|--:|\n| 1 |\n")
    for part in (
        '<p class="heading level-1">Title</p>',
        "<strong>bold</strong>",
        "<code>code</code>",
        "<li>one</li>",
        '<td class="num">1</td>',
    ):
        assert part in html


def test_addresses_are_shown_and_not_linked() -> None:
    """Of links and pictures: nothing is loaded, and nothing can be clicked by mistake."""
    html = rendered('[docs](https://example.org/a?b=1&c=2) ![a cat](https://example.org/cat.png "cat")')
    assert '<span class="link">docs</span> <span class="address">(https://example.org/a?b=1&amp;c=2)</span>' in html
    assert '[picture: a cat <span class="address">https://example.org/cat.png</span>]' in html


def test_code_is_coloured_by_its_language() -> None:
    """Its text stays exactly the same."""
    code = "def f(x):  # note\n    return '<s>'\n"
    html = rendered(f"```python\n{code}```\n")
    assert '<span class="hl-k">def</span>' in html
    assert '<p class="language">python</p>' in html
    shown = ET.fromstring(html).find("pre")
    assert shown is not None
    assert "".join(shown.itertext()) == code


@pytest.mark.parametrize("language", ["brainfuck", "", "../../python", '"><script>'])
def test_code_in_other_languages_is_shown_plain(language: str) -> None:
    """Only lexers of common languages are used."""
    assert highlight_code("a < b", language, lambda: False) == "a &lt; b"


def test_long_texts_are_shown_as_they_are() -> None:
    """Long code without colours, long texts without Markdown."""
    assert highlight_code("x = 1\n" * MAX_CODE_CHARS, "python", lambda: False).count("<span") == 0
    assert render_markdown("a" * (MAX_CHARS + 1), RenderBudget()) is None


def test_the_time_of_a_page_is_limited() -> None:
    """A lexer is stopped when the budget is spent; later texts are shown as they are."""
    ticks = count()
    budget = RenderBudget(seconds=50.0, clock=lambda: float(next(ticks)))
    code = "a + " * 100
    html = render_markdown(f"```python\n{code}\n```", budget)
    assert html is not None
    assert escape(code) in html
    assert "hl-" not in html
    assert budget.is_spent
    assert render_markdown("more", budget) is None
