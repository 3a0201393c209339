"""The field `mom` of a request: accepted values, and refusals with their path."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.api.intake.steering import read_steering
from handlers.errors import ApiError
from synth.request import UNSTEERED, Steering

WHOLE = {
    "mode": "select",
    "panel": ["a", "b"],
    "critic": "c",
    "stages": [1, 1],
    "max_cost": 0.05,
    "show": ["candidates", "verdict"],
}


def refusal(mom: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_steering({"mom": mom})
    assert (caught.value.status, caught.value.code) == (400, "invalid_value")
    return caught.value


def test_every_key_of_the_field_is_read() -> None:
    """Each key arrives, money with exactly the digits that were sent."""
    show: Any = frozenset({"candidates", "verdict"})
    assert read_steering({"mom": WHOLE}) == Steering("select", ("a", "b"), "c", (1, 1), Decimal("0.05"), show)


def test_a_field_round_trips() -> None:
    """A trace and the curl command of its page repeat the field."""
    assert read_steering({"mom": WHOLE}).as_json() == WHOLE
    assert read_steering({"mom": {"panel": False, "critic": False}}).as_json() == {"panel": False, "critic": False}
    assert UNSTEERED.as_json() == {}


@pytest.mark.parametrize("body", [{}, {"mom": None}, {"mom": {}}, {"mom": dict.fromkeys(WHOLE)}, {"mom": {"show": []}}])
def test_a_null_is_unset(body: dict[str, Any]) -> None:
    """SDKs send null for what was left out."""
    assert read_steering(body) == UNSTEERED


def test_a_key_that_clients_sent_before_has_no_meaning() -> None:
    """Such a request was answered before, and still is, whatever the key holds."""
    assert read_steering({"mom": {"models": ["a", 1], "mode": "first"}}) == Steering("first")


@pytest.mark.parametrize(
    ("mom", "path", "words"),
    [
        ("select", "mom", "must be an object, is a string"),
        ([], "mom", "must be an object, is an array"),
        (True, "mom", "must be an object, is a boolean"),
        ({"modus": "first"}, "mom.modus", "is an unknown key: did you mean mode?"),
        ({"Panel": False}, "mom.Panel", "did you mean panel?"),
        ({"": 1}, "mom.", "is an unknown key"),
        ({"mode": "selekt"}, "mom.mode", "did you mean select?"),
        ({"mode": ["select"]}, "mom.mode", "is an array"),
        ({"mode": {}}, "mom.mode", "is an object"),
        ({"panel": True}, "mom.panel", "is true"),
        ({"panel": []}, "mom.panel", "is empty"),
        ({"panel": "a"}, "mom.panel", "is 'a'"),
        ({"panel": ["a", 1]}, "mom.panel[1]", "is 1"),
        ({"panel": ["a", "b", "a"]}, "mom.panel[2]", "is listed twice, first as [0]"),
        ({"panel": [["a"]]}, "mom.panel[0]", "is an array"),
        ({"critic": ""}, "mom.critic", "must be the name of a model"),
        ({"critic": True}, "mom.critic", "is true"),
        ({"stages": 2}, "mom.stages", "is 2"),
        ({"stages": [1, 0]}, "mom.stages[1]", "is 0"),
        ({"stages": [True]}, "mom.stages[0]", "is true"),
        ({"stages": [1.0]}, "mom.stages[0]", "is 1.0"),
        ({"stages": [10**4299]}, "mom.stages[0]", "is an integer"),
        ({"max_cost": 0}, "mom.max_cost", "is 0"),
        ({"max_cost": -1}, "mom.max_cost", "is -1"),
        ({"max_cost": "1"}, "mom.max_cost", "is '1'"),
        ({"max_cost": True}, "mom.max_cost", "is true"),
        ({"max_cost": 10**400}, "mom.max_cost", "is an integer"),
        ({"show": "verdict"}, "mom.show", "must be an array"),
        ({"show": ["candidate"]}, "mom.show[0]", "did you mean candidates?"),
        ({"show": [{}]}, "mom.show[0]", "is an object"),
        ({"mode": "\ud800" * 5000}, "mom.mode", "…"),
    ],
)
def test_an_error_names_its_path(mom: Any, path: str, words: str) -> None:
    """The message says what is expected and what was found, shortened, and suggests the likely word."""
    error = refusal(mom)
    assert error.param == path
    assert words in error.message
    assert len(error.message) < 500
    json.dumps(error.body())


def test_a_long_key_is_shortened() -> None:
    """A client's megabyte is not sent back to it."""
    assert len(refusal({"x" * 10**6: 1}).body()["error"]["message"]) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(JSON | st.dictionaries(st.sampled_from([*WHOLE, "other"]), JSON))
def test_any_value_is_read_or_refused(mom: Any) -> None:
    """Nothing but an ApiError with a path below `mom` leaves the reader."""
    try:
        found = read_steering({"mom": mom})
    except ApiError as error:
        path = error.param
    else:
        path = "mom" if read_steering({"mom": found.as_json()}) == found else None
    assert (path or "").startswith("mom")
