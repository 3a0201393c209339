"""The fault matrix as a table: each fault of a model, its place, and the client's expected reply. Pure.

A mixture of three proposers, a critic and its fallback; every model may try twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.fakes import (
    Step,
    answer,
    context_length,
    drip,
    drop_mid_body,
    drop_mid_stream,
    empty,
    error_in_200,
    from_request,
    garbage,
    gzip_bomb,
    hang,
    header_bomb,
    html,
    oversized,
    redirect,
    stall_mid_stream,
    status,
    wrong_shape,
)
from tests.running import KEY

PANEL = ("a", "b", "c")
AUTHORS = ("critic", "fallback")
EVERYONE = PANEL + AUTHORS
SLOW_TEXT = "slow"
MAX_REPLY_BYTES, MAX_EVENT_BYTES = 2**20, 2**18  # the matrix sets these, so that what is too large is soon sent
_TOO_LARGE = MAX_REPLY_BYTES + 1
_SHORT_S, _LONG_S = 0.2, 60.0

Ending = tuple[int, str]  # status and code of the error reply
FAILED: Ending = (502, "upstream_error")
TIMED_OUT: Ending = (504, "upstream_timeout")
LIMITED: Ending = (429, "rate_limit_exceeded")
REJECTED: Ending = (400, "rejected_by_upstreams")
TOO_LONG: Ending = (400, "context_length_exceeded")


@dataclass(frozen=True, slots=True)
class Fault:
    """A model's behaviour in place of an answer.

    `at` is a step of the fake upstream, or an address at which nobody answers. `tries` is how often a faulty model is
    asked, `error` the reply if every model has this fault. `streamed` is what becomes of a stream whose author has
    it: the same as in JSON, or it breaks off behind some words, or it is no fault there.
    """

    name: str
    at: Step | Literal["refusing", "unanswering"]
    tries: int
    error: Ending
    streamed: Literal["same", "breaks", "answers"] = "same"
    limits: Mapping[str, float] = field(default_factory=dict)
    retry_after: str | None = None

    def __str__(self) -> str:
        return self.name


def _with_key(step_of: Callable[[str], Step]) -> Step:
    """Return a step whose message repeats the key that was sent."""
    return from_request(lambda request: step_of(f"The key is {key_of(str(request['model']))}."))


def _says(
    code: int, *, retry_after: int | None = None, headers: Mapping[str, str] | None = None, more: str = ""
) -> Step:
    return _with_key(
        lambda message: status(
            code, body={"error": {"message": f"{message}{more}"}}, retry_after=retry_after, headers=headers
        )
    )


def key_of(model: str) -> str:
    """Return the key of a model: each has its own, and with it its own retry budget."""
    return f"{KEY}-{model}"


_DRIP = {"timeout_s": _SHORT_S, "first_byte_timeout_s": _LONG_S, "idle_timeout_s": _LONG_S}
_STALL = {"timeout_s": _LONG_S, "idle_timeout_s": _SHORT_S}

FAULTS = (
    Fault("connection refused", "refusing", 2, FAILED),
    Fault("connect hangs", "unanswering", 2, TIMED_OUT, limits={"connect_timeout_s": _SHORT_S}),
    Fault("no first byte", hang(), 2, TIMED_OUT, limits={"first_byte_timeout_s": _SHORT_S}),
    Fault("dropped in mid-body", drop_mid_body(), 2, FAILED, "breaks"),
    Fault("dropped in mid-stream", drop_mid_stream(3), 2, FAILED, "breaks"),
    Fault("stalled half-way", stall_mid_stream(3), 2, TIMED_OUT, "breaks", _STALL),
    Fault("slow drip", drip(answer(SLOW_TEXT), n_bytes=16, pause_s=0.02), 2, TIMED_OUT, "answers", _DRIP),
    Fault("not JSON", garbage(), 2, FAILED),
    Fault("a web page", html(), 2, FAILED),
    Fault("JSON of another shape", wrong_shape({"hello": 1}), 2, FAILED),
    Fault("empty answer", empty(), 1, FAILED),
    Fault("error in a 200", _with_key(lambda message: error_in_200(message=message)), 2, FAILED),
    Fault("400", _says(400), 1, REJECTED),
    Fault("401", _says(401), 1, FAILED),
    Fault("403", _says(403), 1, FAILED),
    Fault("404", _says(404), 1, FAILED),
    Fault("408", _says(408), 2, TIMED_OUT),
    Fault("413", _says(413), 1, FAILED),
    Fault("422", _says(422), 1, REJECTED),
    Fault("429", _says(429), 2, LIMITED),
    Fault("429, Retry-After within the deadline", _says(429, retry_after=7), 2, LIMITED, retry_after="7"),
    Fault("429, Retry-After past the deadline", _says(429, retry_after=3600), 1, LIMITED, retry_after="60"),
    Fault("429, quota used up", _says(429, more="You exceeded your current quota."), 1, LIMITED),
    Fault("500", _says(500), 2, FAILED),
    Fault("500, x-should-retry: false", _says(500, headers={"x-should-retry": "false"}), 1, FAILED),
    Fault("501", _says(501), 2, FAILED),
    Fault("502", _says(502), 2, FAILED),
    Fault("503", _says(503), 2, FAILED),
    Fault("524", _says(524), 2, TIMED_OUT),
    Fault("529", _says(529), 2, FAILED),
    Fault("oversized body", oversized(_TOO_LARGE), 1, FAILED),
    Fault("gzip bomb", gzip_bomb(4 * _TOO_LARGE), 1, FAILED),
    Fault("header bomb", header_bomb(), 2, FAILED),
    Fault("redirect", redirect("http://127.0.0.1:1/"), 1, FAILED),
    Fault("conversation too long", context_length(), 1, TOO_LONG),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The models with the fault, the models that are asked, and the author of the client's answer (None: an error)."""

    name: str
    faulty: tuple[str, ...]
    asked: tuple[str, ...]
    answer_of: str | None
    decided_by: str | None

    def __str__(self) -> str:
        return self.name


PLACES = (
    Place("one proposer", ("a",), (*PANEL, "critic"), "critic", "critic"),
    Place("two proposers", ("a", "b"), PANEL, "c", "only_candidate"),
    Place("all proposers", PANEL, (*PANEL, "critic"), "critic", "critic_alone"),
    Place("critic", ("critic",), EVERYONE, "fallback", "critic"),
    Place("critic and fallback", AUTHORS, EVERYONE, "a", "best_candidate"),
    Place("everyone", EVERYONE, EVERYONE, None, None),
)


@dataclass(frozen=True, slots=True)
class Expected:
    """The client's reply, and the number of requests to each model.

    An `error` with the status 200 is the last event of a stream that broke off.
    """

    status: int
    attempts: Mapping[str, int]
    text: str | None = None
    decided_by: str | None = None
    error: str | None = None

    def __str__(self) -> str:
        if self.error is None:
            return f"{self.status} `{self.decided_by}`"
        return f"{self.status} `{self.error}`" if self.status != 200 else f"broken off, `{self.error}`"


def text_of(model: str) -> str:
    """Return the answer of a model without a fault."""
    return f"The words of {model}."


def expected(fault: Fault, place: Place, *, stream: bool) -> Expected:
    """Return the client's expected reply."""
    attempts = {name: fault.tries if name in place.faulty else 1 for name in place.asked}
    status_, code = fault.error
    if stream and "critic" in place.faulty and fault.streamed != "same":  # it has begun, so nobody may start anew
        attempts = {name: n for name, n in attempts.items() if name != "fallback"} | {"critic": 1}
        if fault.streamed == "breaks":
            return Expected(200, attempts, error=code)
        return Expected(200, attempts, SLOW_TEXT, "critic_alone" if place.faulty == EVERYONE else "critic")
    if place.faulty == AUTHORS and fault.error == TOO_LONG:
        attempts |= dict.fromkeys(AUTHORS, 2)  # the second time with a candidate less
    if place.answer_of is None:
        return Expected(status_, attempts, error=code)
    return Expected(200, attempts, text_of(place.answer_of), place.decided_by)


def markdown() -> str:
    """Return the matrix as a Markdown table; where a stream differs, it stands behind the JSON reply."""
    head = ["fault", "tries", *(place.name for place in PLACES)]
    rows = [head, ["---"] * len(head)]
    rows += [[fault.name, str(fault.tries), *(_cell(fault, place) for place in PLACES)] for fault in FAULTS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(fault: Fault, place: Place) -> str:
    json, stream = (str(expected(fault, place, stream=streamed)) for streamed in (False, True))
    return json if json == stream else f"{json}; stream: {stream}"
