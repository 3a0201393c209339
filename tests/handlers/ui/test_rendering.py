"""Templates to pages, and the content security policy."""

import base64
import hashlib
import re

from handlers.ui.rendering import content_security_policy, render, security_headers


def test_the_policy_names_the_style_and_the_script_of_a_page_by_hash() -> None:
    """A change of either changes the policy; nothing else may run."""
    page = render("missing.html", {"nav": "requests", "live": True}).decode()
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in content_security_policy()


def test_a_page_escapes_its_texts() -> None:
    """In every context of a template: text and attributes."""
    view = {"rows": [], "n_all": 0}
    query = {"text": '"><script>', "mixture": "", "mode": "", "outcome": "", "narrows": True}
    options: dict[str, list[str]] = {"mixtures": [], "modes": [], "outcomes": []}
    page = render("list.html", {"tag": '"t"', "query": query, "options": options, "listing": view}).decode()
    assert "&quot;&gt;&lt;script&gt;" in page
    assert page.count("<script") == 0


def test_pages_are_neither_framed_nor_cached() -> None:
    """Each reply says so."""
    headers = security_headers()
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert (headers["X-Frame-Options"], headers["Cache-Control"]) == ("DENY", "no-store")
