"""How a scripted upstream may spoil any step: late, slow, stuck, or cut off. No I/O in here."""

import asyncio

from tests.fakes.completions import Request
from tests.fakes.steps import answer
from tests.fakes.wire import Ending, Step, Wait, Wire


def after(wait: Wait, step: Step) -> Step:
    """Take `step` later: after so many seconds, or when the test sets the event."""
    return lambda request: step(request).after(wait)


def paced(pause_s: float, step: Step | None = None) -> Step:
    """Take `step` with a pause before each piece of the body, at the speed of a real model."""
    return lambda request: _play(step, request).paced(pause_s)


def drip(step: Step | None = None, *, n_bytes: int = 1, pause_s: float = 0.0) -> Step:
    """Send the body of `step` a few bytes at a time."""
    return lambda request: _play(step, request).sliced(n_bytes).paced(pause_s)


def hang() -> Step:
    """Accept the request and send nothing, until the client leaves or the test releases it."""
    return lambda _request: Wire(None, ending=Ending.HOLD)


def hang_body(step: Step | None = None) -> Step:
    """Send the head of `step`, and none of its body."""
    return lambda request: _play(step, request).cut(0, Ending.HOLD)


def drop_before(*, reset: bool = False) -> Step:
    """Close the connection without a byte."""
    return lambda _request: Wire(None, ending=_drop(reset=reset))


def drop_mid_body(step: Step | None = None, *, keep: float = 0.5, reset: bool = False) -> Step:
    """Break off after a share of the body's bytes, all of which the head had promised."""

    def broken(request: Request) -> Wire:
        wire = _play(step, request)
        return wire.cut(int(sum(wire.sizes()) * keep), _drop(reset=reset))

    return broken


def drop_mid_stream(after_chunks: int = 3, *, step: Step | None = None, reset: bool = False) -> Step:
    """Break off after some whole events; in JSON after half of the body."""

    def broken(request: Request) -> Wire:
        wire = _play(step, request)
        return wire.cut(wire.size_of(after_chunks), _drop(reset=reset))

    return broken


def stall_mid_stream(
    after_chunks: int = 3,
    *,
    step: Step | None = None,
    until: asyncio.Event | None = None,
) -> Step:
    """Fall silent after some whole events (in JSON: half of the body); the rest follows when `until` is set."""

    def stalled(request: Request) -> Wire:
        wire = _play(step, request)
        n_bytes = wire.size_of(after_chunks)
        return wire.gated(n_bytes, until) if until else wire.cut(n_bytes, Ending.HOLD)

    return stalled


def _play(step: Step | None, request: Request) -> Wire:
    return (step or answer())(request)


def _drop(*, reset: bool) -> Ending:
    return Ending.RESET if reset else Ending.CLOSE
