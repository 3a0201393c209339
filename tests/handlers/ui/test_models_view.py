"""Numbers put into words and charts."""

from decimal import Decimal
from typing import Any

import pytest

from handlers.ui.digest import digest_trace
from handlers.ui.models_view import build_models_view, describe_cost
from handlers.ui.statistics import Usage
from tests.handlers.ui.documents import answer, as_trace, call, candidate, document, failure


def seen(*traces: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the only mixture."""
    (mixture,) = build_models_view([digest_trace(as_trace(each)) for each in traces], mixture="", span="all")[
        "mixtures"
    ]
    found: dict[str, Any] = mixture
    return found


@pytest.mark.parametrize(
    ("cost", "n_unpriced", "told"),
    [
        ({}, 0, "0"),
        ({"USD": "0"}, 0, "0"),
        ({}, 3, "unknown"),
        ({"USD": "0"}, 1, "unknown"),
        ({"USD": "0.0269"}, 0, "0.0269 USD"),
        ({"USD": "1.5"}, 2, "at least 1.50 USD"),
        ({"EUR": "12", "USD": "0.1"}, 0, "12.00 EUR + 0.10 USD"),
        ({"": "0.25"}, 0, "0.25"),
        ({"USD": "0.0000000001"}, 0, "under 0.000001 USD"),
    ],
)
def test_money_is_never_less_than_it_is(cost: dict[str, str], n_unpriced: int, told: str) -> None:
    """An unknown price is not none, and a small one neither."""
    known = {currency: Decimal(amount) for currency, amount in cost.items()}
    assert describe_cost(Usage(n_calls=5, cost=known, n_unpriced=n_unpriced)) == told


def test_members_of_whom_the_same_is_said_share_a_line() -> None:
    """In the panel's order."""
    trace = document(candidates=[candidate("a"), candidate("b"), candidate("c")], answers=[answer("a", "some words")])
    (said,) = seen(trace)["recommendations"]
    assert said["names"] == "a, b, c"
    assert said["sentence"] == "Too few requests to tell: 1 of at least 20."


def test_what_the_gateway_ended_itself_is_no_fault() -> None:
    """Cancelled and left out have the colour of rest, other failures one of alarm; the words name all of them."""
    failures = [failure("a"), failure("a", "straggler"), failure("a", "left_out"), failure("a", "empty")]
    (member,) = seen(document(failures=failures))["members"]
    assert member["outcome_counts"] == "ok 0, empty 1, left out 1, straggler 1, timeout 1"
    for kind, tone in (("empty", "bad"), ("left out", "idle"), ("straggler", "idle"), ("timeout", "bad-2")):
        assert f"chart-{tone}" in next(
            rect for rect in member["outcomes"].split("<rect") if f"{kind}: 1</title>" in rect
        )


def test_what_is_unknown_is_said_to_be() -> None:
    """A member that gave nothing has no validity, and one of which no answer was made no part in it."""
    mixture = seen(document(failures=[failure("a")], outcome="failed", calls=[call("a", None, outcome="timeout")]))
    assert (mixture["members"][0]["validity"], mixture["members"][0]["text"]) == ("unknown", None)
    assert (mixture["latency"], mixture["decided_by"], mixture["outcome_counts"]) == (
        None,
        "no answer",
        "ok 0, failed 1",
    )


def test_a_bar_says_all_that_it_shows() -> None:
    """To who cannot see it."""
    mixture = seen(document(), document(outcome="cancelled"), document(outcome="failed", error={"code": "timeout"}))
    assert 'aria-label="Outcomes of mom: ok: 1; cancelled: 1; timeout: 1"' in mixture["outcomes"]
