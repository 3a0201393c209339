"""Templates to pages, and the content security policy."""

import base64
import hashlib
import re

from handlers.ui.listing import sum_day
from handlers.ui.templating import content_security_policy, render, security_headers


def test_the_policy_names_the_style_and_the_script_of_a_page_by_hash() -> None:
    """A change of either changes the policy; nothing else may run."""
    view = {"heading": "No", "message": "No.", "request_id": "req-1", "has_pages": False}
    page = render("error.html", {**view, "script": "live"}).decode()
    rules = {name: sources for name, *sources in map(str.split, content_security_policy().split(";"))}
    for tag, n_texts in (("style", 1), ("script", 2)):
        texts = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(texts) == n_texts
        for text in texts:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rules[f"{tag}-src"]


def test_a_page_escapes_its_texts() -> None:
    """In every context of a template: text and attributes."""
    view = {"rows": [], "n_all": 0}
    query = {"q": '"><script>', "narrows": True}
    context = {"tag": '"t"', "query": query, "menus": [], "listing": view, "running": [], "day": sum_day([], "")}
    page = render("list.html", context).decode()
    assert "&quot;&gt;&lt;script&gt;" in page
    assert page.count("<script") == 1


def test_pages_are_neither_framed_nor_cached() -> None:
    """Each reply says so."""
    headers = security_headers()
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert (headers["X-Frame-Options"], headers["Cache-Control"]) == ("DENY", "no-store")
