"""The list of requests: filter and pages."""

from typing import Any

import pytest

from handlers.traces.schema import Summary
from handlers.ui.listing import PER_PAGE, ListQuery, build_listing, build_menus, sum_day


def line(number: int = 1, **fields: Any) -> Summary:
    defaults = {
        "id": f"chatcmpl-{number:03}",
        "time": "2026-01-01T00:00:00Z",
        "client": None,
        "mixture": "mom",
        "mode": "fuse",
        "decided_by": "critic",
        "outcome": "ok",
        "status": 200,
        "total_s": 1.0,
        "cost": None,
        "currency": "USD",
        "n_tokens": 3,
        "author": "a",
        "preview": "Why?",
        "searched": "chatcmpl-001 why?",
    }
    return Summary(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, [1, 2, 3]),
        ({"mixture": "mom"}, [1, 2]),
        ({"mode": "select"}, [3]),
        ({"outcome": "failed"}, [2]),
        ({"q": "  WHY "}, [1]),
        ({"q": "chatcmpl-002"}, [2]),
        ({"q": "two words"}, [3]),
        ({"q": "words two"}, [3]),
        ({"q": "two why"}, []),
        ({"client": "laptop"}, [3]),
        ({"status": "500"}, [2]),
        ({"mixture": "mom", "outcome": "cancelled"}, []),
    ],
)
def test_a_filter_narrows(query: dict[str, str], shown: list[int]) -> None:
    """By every field that is set."""
    lines = [
        line(1),
        line(2, outcome="failed", status=500, searched="chatcmpl-002 how?"),
        line(3, mixture="code", mode="select", searched="mend two lines of words", client="laptop"),
    ]
    listing = build_listing(lines, ListQuery.parse(query))
    assert [each.id for each in listing.rows] == [f"chatcmpl-{number:03}" for number in shown]
    assert (listing.n_all, listing.n_matching) == (3, len(shown))


def test_pages_keep_the_filter() -> None:
    """And link to each other."""
    lines = [line(number) for number in range(2 * PER_PAGE + 1)]
    first = build_listing(lines, ListQuery.parse({"q": "a b&c", "page": "1"}))
    assert first.n_pages == 1
    second = build_listing(lines, ListQuery.parse({"mode": "fuse", "page": "2"}))
    assert (second.page, second.n_pages, len(second.rows)) == (2, 3, PER_PAGE)
    assert (second.newer, second.older) == ("/ui?mode=fuse&page=1", "/ui?mode=fuse&page=3")
    assert ListQuery(q="a b&c").address(2) == "/ui?q=a+b%26c&page=2"


@pytest.mark.parametrize(
    ("page", "shown"), [("0", 1), ("-1", 1), ("x", 1), ("²", 1), ("9" * 50, 1), ("99", 2), ("", 1)]
)
def test_an_invalid_page_becomes_the_nearest(page: str, shown: int) -> None:
    """For any text in the address."""
    assert (
        build_listing([line(number) for number in range(PER_PAGE + 1)], ListQuery.parse({"page": page})).page == shown
    )


def test_the_chosen_value_stays_an_option() -> None:
    """Even if no request has it any more; a menu without a choice is left out."""
    menus = build_menus([line(), line(mixture=None)], ListQuery(mixture="gone", mode="select"))
    assert [(menu.name, menu.values, menu.chosen) for menu in menus] == [
        ("mixture", ["", "gone", "mom"], "gone"),
        ("mode", ["", "fuse", "select"], "select"),
        ("outcome", ["", "ok"], ""),
        ("status", ["", "200"], ""),
    ]


def test_the_totals_are_those_of_one_day() -> None:
    """By outcome, with tokens and money; a request without a price makes the sum a lower bound."""
    rows = [
        line(cost=0.25),
        line(cost=1.0, outcome="failed"),
        line(cost=0.5, currency="EUR", outcome="cancelled"),
        line(cost=7.0, time="2025-12-31T23:59:59Z"),
    ]
    day = sum_day(rows, "2026-01-01")
    assert (day.n_requests, day.n_ok, day.n_failed, day.n_cancelled, day.n_tokens) == (3, 1, 1, 1, 9)
    assert day.cost == "1.25 USD + 0.50 EUR"
    assert sum_day([*rows, line(cost=None)], "2026-01-01").cost == "at least 1.25 USD + 0.50 EUR"
    assert sum_day([line(cost=None)], "2026-01-01").cost == "unknown"
    assert sum_day([], "2026-01-01").cost == "0"
