"""The record of a call and its attempts."""

from tests.running import model
from upstream.calls import Attempt, Call, Tokens


def make_call(*attempts: Attempt, alias: str | None = None) -> Call:
    return Call(model("a", "http://unused"), "proposer", [], {}, 60.0, alias=alias, attempts=list(attempts))


def test_tokens_are_summed() -> None:
    """A sum is estimated if a part of it is."""
    total = Tokens(10, 5, cached=3) + Tokens(1, 2, estimated=True, cached=1)
    assert total == Tokens(11, 7, estimated=True, cached=4)


def test_a_call_has_the_name_of_its_place_on_the_panel() -> None:
    """The alias if it has one, otherwise the model's name."""
    assert (make_call().name, make_call(alias="a#2").name) == ("a", "a#2")


def test_the_usage_is_that_of_the_successful_attempt() -> None:
    """A failed attempt may have reported one as well."""
    failed = Attempt(0.0, outcome="truncated", usage={"total_tokens": 7})
    good = Attempt(1.0, outcome="ok", usage={"total_tokens": 9})
    assert make_call(failed, good).usage == {"total_tokens": 9}
    assert make_call(failed).usage is None
