"""The circuit breaker: its states, and the attempts that each admits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.upstream.clocks import Clock
from upstream.breaker import (
    COUNTED,
    FAILURES_IN_A_ROW,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    WINDOW_S,
    Breaker,
    State,
    Status,
    Ticket,
)
from upstream.errors import CallError, Kind

NEUTRAL = frozenset(Kind) - COUNTED - {Kind.AUTH}


def fail(breaker: Breaker, times: int = 1, kind: Kind = Kind.SERVER_ERROR) -> None:
    for _ in range(times):
        breaker.failed(breaker.admit(), kind, "HTTP 500")


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    fail(breaker, FAILURES_IN_A_ROW)
    return breaker


@pytest.mark.parametrize("kind", sorted(COUNTED))
def test_failures_in_a_row_open_it(kind: Kind) -> None:
    """The fifth does, the fourth does not. The reason says how many failed, and the last cause."""
    breaker = Breaker(Clock())
    fail(breaker, 4, kind)
    assert breaker.status() == Status(State.CLOSED)
    fail(breaker, 1, kind)
    assert breaker.status() == Status(State.OPEN, "5 failures in a row, the last: HTTP 500", FIRST_PAUSE_S)


def test_a_success_ends_the_row() -> None:
    """Four failures and a success, repeated, are too few attempts for the error rate to count."""
    breaker = Breaker(Clock())
    for _ in range(3):
        fail(breaker, 4)
        breaker.succeeded(breaker.admit())
    assert breaker.status().state is State.CLOSED


@given(st.lists(st.booleans(), min_size=20, max_size=60), st.floats(min_value=0, max_value=2))
def test_a_high_error_rate_opens_it(outcomes: list[bool], pause_s: float) -> None:
    """It opens at the first failure after which half of at least 20 attempts in the window have failed, or five ran."""
    clock = Clock()
    breaker = Breaker(clock)
    past: list[tuple[float, bool]] = []
    for failed in outcomes:
        clock.now += pause_s
        ticket = breaker.admit()
        if failed:
            breaker.failed(ticket, Kind.TIMEOUT, "too slow")
        else:
            breaker.succeeded(ticket)
        past.append((clock.now, failed))
        recent = [bad for at, bad in past if at > clock.now - WINDOW_S]
        too_many = failed and len(recent) >= 20 and sum(recent) * 2 >= len(recent)
        in_a_row = len(past) >= 5 and all(bad for _, bad in past[-5:])
        assert (breaker.status().state is State.OPEN) == (too_many or in_a_row)
        if breaker.status().state is State.OPEN:
            return


@pytest.mark.parametrize("kind", sorted(NEUTRAL))
def test_failures_that_say_nothing_about_health_never_open_it(kind: Kind) -> None:
    """Rate limits, refused requests, long conversations, and clients that leave."""
    breaker = Breaker(Clock())
    fail(breaker, 100, kind)
    for _ in range(100):
        breaker.abandoned(breaker.admit())
    assert breaker.status() == Status(State.CLOSED)


def test_a_refused_key_opens_it_at_once() -> None:
    """The reason is the message, which names the key's source."""
    breaker = Breaker(Clock())
    breaker.failed(breaker.admit(), Kind.AUTH, "the key from OPENAI_API_KEY was refused")
    assert breaker.status().reason == "the key from OPENAI_API_KEY was refused"
    with pytest.raises(CallError, match=r"^not asked for another 15 s: the key from OPENAI_API_KEY was") as caught:
        breaker.check()
    assert (caught.value.kind, caught.value.retry_after_s) == (Kind.BREAKER_OPEN, 15)
    assert not caught.value.retryable


def test_one_probe_decides() -> None:
    """After the pause one attempt is admitted and no second one; its success closes the breaker."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += FIRST_PAUSE_S
    assert breaker.status().state is State.HALF_OPEN
    probe = breaker.admit()
    with pytest.raises(CallError, match="while another call tests whether it works again: 5 failures"):
        breaker.admit()
    breaker.succeeded(probe)
    assert breaker.status() == Status(State.CLOSED)
    fail(breaker, 4)
    assert breaker.status().state is State.CLOSED


def test_a_cancelled_probe_makes_room_for_the_next_one() -> None:
    """Neither a client that leaves nor a rate limit keeps the breaker half-open for ever."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += FIRST_PAUSE_S
    breaker.abandoned(breaker.admit())
    breaker.failed(breaker.admit(), Kind.RATE_LIMITED, "slow down")
    breaker.succeeded(breaker.admit())
    assert breaker.status().state is State.CLOSED


def test_the_pauses_double_up_to_a_limit_and_start_again() -> None:
    """15, 30, 60, 120, 120 seconds, and 15 again after it was closed."""
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for _ in range(5):
        pauses.append(breaker.status().wait_s)
        clock.now += pauses[-1]
        fail(breaker)
    assert pauses == [15, 30, 60, 120, 120]
    clock.now += LONGEST_PAUSE_S
    breaker.succeeded(breaker.admit())
    fail(breaker, FAILURES_IN_A_ROW)
    assert breaker.status().wait_s == 15


def test_outcomes_of_an_earlier_state_are_ignored() -> None:
    """Attempts from before it opened neither close it nor make its pause longer."""
    clock = Clock()
    breaker = Breaker(clock)
    good, bad, gone = breaker.admit(), breaker.admit(), breaker.admit()
    fail(breaker, FAILURES_IN_A_ROW)
    clock.now += FIRST_PAUSE_S
    probe = breaker.admit()
    breaker.succeeded(good)
    breaker.failed(bad, Kind.AUTH, "late")
    breaker.abandoned(gone)
    assert breaker.status().state is State.HALF_OPEN
    with pytest.raises(CallError):
        breaker.check()
    breaker.succeeded(probe)
    assert breaker.status().state is State.CLOSED


def test_every_change_is_reported() -> None:
    """Once each, with the new state."""
    clock = Clock()
    reported: list[Status] = []
    breaker = Breaker(clock, reported.append)
    fail(breaker, FAILURES_IN_A_ROW)
    clock.now += FIRST_PAUSE_S
    breaker.status()
    breaker.status()
    breaker.succeeded(breaker.admit())
    assert [status.state for status in reported] == [State.OPEN, State.HALF_OPEN, State.CLOSED]


class AnyTraffic(RuleBasedStateMachine):
    """Attempts that start, overlap and end in any order while time passes."""

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.changes: list[tuple[float, Status]] = []
        self.breaker = Breaker(self.clock, lambda status: self.changes.append((self.clock.now, status)))
        self.running: list[tuple[Ticket, int]] = []  # with the number of changes before it
        self.probes = 0

    @rule(seconds=st.sampled_from([0.0, 1.0, 14.0, 16.0, 121.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def start(self) -> None:
        status = self.breaker.status()
        if status.state is State.OPEN or self.probes:
            with pytest.raises(CallError):
                self.breaker.admit()
            return
        self.running.append((self.breaker.admit(), len(self.changes)))
        self.probes += status.state is State.HALF_OPEN

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(["good", "bad", "auth", "neutral", "gone"]))
    def end(self, data: st.DataObject, outcome: str) -> None:
        ticket, born = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.breaker.status()
        before = len(self.changes)
        match outcome:
            case "good":
                self.breaker.succeeded(ticket)
            case "gone":
                self.breaker.abandoned(ticket)
            case _:
                kinds = {"bad": Kind.TIMEOUT, "auth": Kind.AUTH, "neutral": Kind.RATE_LIMITED}
                self.breaker.failed(ticket, kinds[outcome], "why")
        if len(self.changes) > before:
            assert born == before, "only an attempt of the present state changes it"
            assert outcome not in {"neutral", "gone"}
        if born == before and self.probes:
            self.probes = 0

    @invariant()
    def the_states_follow_one_another(self) -> None:
        state, since = State.CLOSED, 0.0
        pause_s = FIRST_PAUSE_S
        for at, change in self.changes:
            assert (state, change.state) in {
                (State.CLOSED, State.OPEN),
                (State.OPEN, State.HALF_OPEN),
                (State.HALF_OPEN, State.OPEN),
                (State.HALF_OPEN, State.CLOSED),
            }
            if change.state is State.HALF_OPEN:
                assert at >= since + pause_s, "no probe before the pause is over"
            if change.state is State.OPEN:
                again = state is State.HALF_OPEN
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2) if again else FIRST_PAUSE_S
                assert change.wait_s == pytest.approx(pause_s)
            state, since = change.state, at


TestAnyTraffic = AnyTraffic.TestCase
