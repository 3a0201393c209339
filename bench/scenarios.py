"""The scenarios: each compares two subjects, round by round, and has targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.conversations import COMPLAINT, KB, TASK
from bench.measures import Measure, added_latency, burst, instructions, memory, start_up, streams, throughput
from bench.scripts import TIMES_FASTER
from bench.stand import (
    ALONE,
    DIRECT,
    FLOOR,
    GATEWAY,
    MESSAGES,
    ON_REDIS,
    ON_SQLITE,
    ON_UVLOOP,
    PUBLIC_API,
    RESPONSES,
    TRACING,
    WITHOUT_EVIDENCE,
    WITHOUT_LEARNING,
)
from bench.waiting import crowd, experience


@dataclass(frozen=True, slots=True)
class Target:
    """The limit of a figure: as a ratio to the baseline, as a value, or as a difference `over` the baseline.

    A ratio far above its target means that something is broken, unless it is `unsteady`: a ratio of wall-clock times,
    which vary with the load of the machine.
    """

    ratio: float | None = None
    value: float | None = None
    over: float | None = None
    unsteady: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """One comparison of two subjects.

    `rounds` limits the number of rounds; the short form runs `short` scenarios only. Subjects that mostly wait are
    measured `together`. A scenario with further requirements runs only `on_request`.
    """

    name: str
    says: str
    measure: Measure
    subject: str = GATEWAY
    baseline: str = FLOOR
    rounds: int | None = None
    together: bool = False
    short: bool = True
    on_request: bool = False
    targets: Mapping[str, Target] = field(default_factory=dict)


_CPU, _P50, _P99 = "CPU a request, ms", "added p50, ms", "added p99, ms"
_WHOLE = "whole answer p50, ms"
_LESS = {_WHOLE: Target(ratio=1.0)}
_FASTER = f"; {TIMES_FASTER} times faster than life"
_ALONE = "one request at a time"

SCENARIOS = (
    Scenario(
        "cpu-2k",
        "2 KB conversations, 32 at once, an upstream that answers at once",
        throughput("instant", 2 * KB, 32, 600),
        targets={_CPU: Target(ratio=1.5)},
    ),
    Scenario(
        "cpu-2k-128",
        "the same, 128 at once",
        throughput("instant", 2 * KB, 128, 600),
        short=False,
        targets={_CPU: Target(ratio=1.5)},
    ),
    Scenario(
        "cpu-100k",
        "100 KB conversations, 32 at once",
        throughput("instant", 100 * KB, 32, 200),
        targets={_CPU: Target(ratio=1.25)},
    ),
    Scenario(
        "cpu-100k-128",
        "the same, 128 at once",
        throughput("instant", 100 * KB, 128, 256),
        short=False,
        targets={_CPU: Target(ratio=1.25)},
    ),
    Scenario(
        "passthrough",
        "a single model by its name, 2 KB, 32 at once",
        throughput("instant-a", 2 * KB, 32, 1000),
        subject=ALONE,  # a fresh process, like the 1:1 floor
        baseline=DIRECT,
        targets={_CPU: Target(ratio=1.5)},
    ),
    Scenario(
        "debug-requests",
        "cpu-2k with --debug-requests, against the gateway without",
        throughput("instant", 2 * KB, 32, 400),
        subject=TRACING,
        baseline=GATEWAY,
        targets={_CPU: Target(ratio=1.3)},
    ),
    Scenario(
        "public-api",
        "cpu-2k with MOM_HTTP_EXCHANGE=session, against the gateway without",
        throughput("instant", 2 * KB, 32, 400),
        subject=PUBLIC_API,
        baseline=GATEWAY,
        targets={_CPU: Target(ratio=1.6)},
    ),
    Scenario(
        "latency",
        f"{_ALONE}, models that take 50 ms",
        added_latency("wait50", 2 * KB, 40),
        targets={_P50: Target(ratio=1.5, unsteady=True), _P99: Target(ratio=2.0, unsteady=True)},
    ),
    Scenario(
        "evidence",
        f"{_ALONE}: code with examples, three candidates that arrive together and are run, against none run",
        added_latency("code", 2 * KB, 40, ask=TASK),
        baseline=WITHOUT_EVIDENCE,
        targets={_P50: Target(over=5.0)},
    ),
    Scenario(
        "no-evidence",
        f"{_ALONE}: a question without code, to the same two",
        added_latency("code", 2 * KB, 40),
        baseline=WITHOUT_EVIDENCE,
        targets={_P50: Target(over=0.5)},
    ),
    Scenario(
        "stream",
        f"{_ALONE}, a critic that streams 200 chunks a second",
        streams("calm", 12),
        targets={"first content p50, ms": Target(over=0.8)},  # 1 ms of our own: the floor has 0.2 ms of it as well
    ),
    Scenario(
        "streams",
        "32 streams at once, 50 chunks a second each",
        streams("paced", 48, over_s=1.5),
        short=False,
    ),
    Scenario("stream-burst", "8 streams at once, a critic that writes as fast as it is read", burst("burst", 8, 32)),
    *(
        Scenario(
            f"{name}-2k",
            f"as cpu-2k, asked by {name.title()} instead of Chat Completions",
            throughput("instant", 2 * KB, 32, 400),
            subject=subject,
            baseline=GATEWAY,
            targets={_CPU: Target(ratio=1.3)},
        )
        for name, subject in (("messages", MESSAGES), ("responses", RESPONSES))
    ),
    *(
        Scenario(
            f"{name}-stream",
            f"as stream, asked by {name.title()} instead of Chat Completions",
            streams("calm", 12),
            subject=subject,
            baseline=GATEWAY,
            short=False,
            targets={"first content p50, ms": Target(over=1.0)},
        )
        for name, subject in (("messages", MESSAGES), ("responses", RESPONSES))
    ),
    *(
        scenario
        for name, subject in (("sqlite", ON_SQLITE), ("redis", ON_REDIS))
        for scenario in (
            Scenario(
                f"{name}-2k",
                f"cpu-2k with a budget of the day in {name}, against the gateway without",
                throughput("instant", 2 * KB, 32, 400),
                subject=subject,
                baseline=GATEWAY,
                short=False,
                on_request=name == "redis",  # needs a server
                targets={_CPU: Target(ratio=1.5)},
            ),
            Scenario(
                f"{name}-latency",
                f"{_ALONE}: the same two, models that take 50 ms",
                added_latency("wait50", 2 * KB, 40),
                subject=subject,
                baseline=GATEWAY,
                short=False,
                on_request=name == "redis",
                targets={_P50: Target(over=2.0)},
            ),
        )
    ),
    Scenario(
        "feedback-2k",
        "cpu-2k with a complaint about an earlier answer, against a gateway that learns nothing",
        throughput("instant", 2 * KB, 32, 400, ask=COMPLAINT),
        baseline=WITHOUT_LEARNING,
        short=False,
        targets={_CPU: Target(ratio=1.2)},
    ),
    Scenario(
        "feedback-latency",
        f"{_ALONE}: the same two, models that take 50 ms",
        added_latency("wait50", 2 * KB, 40, ask=COMPLAINT),
        baseline=WITHOUT_LEARNING,
        short=False,
        targets={_P50: Target(over=1.0)},
    ),
    Scenario("start", "from the start of the process to its first answer", start_up("instant")),
    Scenario(
        "memory",
        "a fresh process: at the start, after 300 requests, and after 1,500 more",
        memory("instant", 300, 1500),
        rounds=1,
        targets={"RSS at start, MB": Target(value=70), "grown, times": Target(value=1.05)},
    ),
    Scenario(
        "select",
        f"a critic that names the best of three pieces of code, against one that rewrites{_FASTER}",
        experience("select", 4 * KB, 20),
        together=True,
        targets=_LESS,
    ),
    Scenario(
        "equal",
        f"three equal candidates, which need no critic{_FASTER}",
        experience("equal", 4 * KB, 20),
        together=True,
        targets=_LESS,
    ),
    Scenario(
        "quorum",
        f"two of three candidates are enough, with a grace of a quarter of their time{_FASTER}",
        experience("quorum", 4 * KB, 20),
        together=True,
        short=False,
        targets=_LESS,
    ),
    Scenario(
        "prefix",
        f"20 KB conversations, short answers, an upstream that caches prompt prefixes{_FASTER}",
        experience("prefix", 20 * KB, 20),
        together=True,
        targets={"first word p50, ms": Target(ratio=1.0), **_LESS},
    ),
    Scenario(
        "crowd",
        "1,000 requests of 30 s at once, arriving over 25 s (in short, 100 of 3 s)",
        crowd("long", "brief", 1000),
        rounds=1,
        targets={_P99: Target(value=50)},
    ),
    Scenario(
        "count-2k",
        "cpu-2k in instructions, which no other load disturbs, 8 at once, under valgrind",
        instructions("instant", 2 * KB, 200),
        rounds=1,
        on_request=True,
    ),
    Scenario(
        "count-passthrough",
        "passthrough in instructions",
        instructions("instant-a", 2 * KB, 200),
        baseline=DIRECT,
        rounds=1,
        on_request=True,
    ),
    Scenario(
        "uvloop-2k",
        "cpu-2k on uvloop, against the gateway on asyncio",
        throughput("instant", 2 * KB, 32, 600),
        subject=ON_UVLOOP,
        baseline=GATEWAY,
        on_request=True,
    ),
    Scenario(
        "uvloop-latency",
        "latency on uvloop, against the gateway on asyncio",
        added_latency("wait50", 2 * KB, 50),
        subject=ON_UVLOOP,
        baseline=GATEWAY,
        on_request=True,
    ),
)
