"""The events of a run."""

from typing import get_args

from synth.events import DELTAS, Cause, DecidedBy, Event, SynthesisError
from upstream.errors import CallError, Kind


def test_the_error_of_a_run_names_each_model_s_cause() -> None:
    """In one line, in the order of the causes."""
    causes = [Cause("a", CallError(Kind.TIMEOUT, "too slow")), Cause("b", CallError(Kind.EMPTY, "nothing"))]
    assert str(SynthesisError(causes)) == "a: too slow; b: nothing"


def test_deltas_are_events() -> None:
    """Readers that skip them skip nothing else."""
    assert set(get_args(Event)) > DELTAS


def test_decisions_are_written_as_clients_read_them() -> None:
    """`x-mom-decided-by` is an interface; its words stay."""
    assert {str(each) for each in DecidedBy} >= {"critic", "chosen", "panel_order", "first", "only_candidate", "bypass"}
