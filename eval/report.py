"""A measurement as a Markdown table. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.measuring import Result
from eval.statistics import bootstrap, mcnemar, percentile, wilson

_SMALL_P = 0.01
_MAX_NAMED = 12
_HEAD = (
    "arm",
    "passed",
    "rate, 95 %",
    "against best member, 95 %",
    "p",
    "well-formed",
    "calls",
    "tokens in + out",
    "cost",
    "p50 / p95 s",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One arm's figures; those of an item are means over all items. `rate`, `low` and `high` are shares of 1."""

    arm: str
    passed: int
    n: int
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    p: float
    well_formed: float
    calls: float
    prompt_tokens: float
    completion_tokens: float
    cost: float | None
    p50_s: float
    p95_s: float

    @property
    def rate(self) -> float:
        """The share of items that passed."""
        return self.passed / self.n if self.n else 0.0

    @property
    def tokens(self) -> float:
        """Tokens an item, read and written."""
        return self.prompt_tokens + self.completion_tokens


def make_lines(results: Sequence[Result], members: Sequence[str], *, seed: int) -> list[Line]:
    """Return one line for each arm, in order of appearance.

    The best member is the one that passed most, the better-ranked of two; chosen after the fact, which is the
    severest measure. Raises ValueError if the arms did not all answer the same items, or if no arm is a member.
    """
    by_arm: dict[str, list[Result]] = {}
    for result in results:
        by_arm.setdefault(result.arm, []).append(result)
    if len({tuple(result.item for result in found) for found in by_arm.values()}) > 1:
        raise ValueError("the arms did not answer the same items")
    best = best_member(by_arm, members)
    return [_line(arm, found, by_arm[best], seed) for arm, found in by_arm.items()]


def best_member(by_arm: Mapping[str, Sequence[Result]], members: Sequence[str]) -> str:
    """Return the member that passed most, the better-ranked of two. Raises ValueError if none was measured."""
    measured = [member for member in members if member in by_arm]
    return max(measured, key=lambda member: sum(result.passed for result in by_arm[member]))


def _line(arm: str, found: Sequence[Result], best: Sequence[Result], seed: int) -> Line:
    mine, theirs = [result.passed for result in found], [result.passed for result in best]
    n, passed = len(mine), sum(mine)
    low, high = wilson(passed, n)
    difference_low, difference_high = bootstrap(mine, theirs, seed=seed)
    answers = [result.answer for result in found]
    costs = [answer.cost for answer in answers if answer.cost is not None]
    seconds = [answer.seconds for answer in answers]
    return Line(
        arm=arm,
        passed=passed,
        n=n,
        low=low,
        high=high,
        difference=(passed - sum(theirs)) / n,
        difference_low=difference_low,
        difference_high=difference_high,
        p=mcnemar(mine, theirs),
        well_formed=sum(answer.well_formed for answer in answers) / n,
        calls=sum(answer.n_calls for answer in answers) / n,
        prompt_tokens=sum(answer.prompt_tokens for answer in answers) / n,
        completion_tokens=sum(answer.completion_tokens for answer in answers) / n,
        cost=sum(costs) / n if len(costs) == n else None,
        p50_s=percentile(seconds, 0.5),
        p95_s=percentile(seconds, 0.95),
    )


def table(found: Sequence[Line]) -> str:
    """Return the lines as a Markdown table."""
    rows = [_HEAD, ["---"] * len(_HEAD), *map(_cells, found)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def deciders(results: Sequence[Result]) -> str:
    """Return how the answers of each arm with a choice were decided, as a Markdown list."""
    by_arm: dict[str, Counter[str]] = {}
    for result in results:
        by_arm.setdefault(result.arm, Counter())[result.answer.decided_by] += 1
    told = {arm: ", ".join(f"{how} {n}" for how, n in counts.most_common()) for arm, counts in by_arm.items()}
    return "\n".join(f"- {arm}: {how}" for arm, how in told.items() if set(by_arm[arm]) != {"model"})


def signals(results: Sequence[Result]) -> list[str]:
    """Return, for each arm that used evidence, how often each signal separated its candidates, and was right then."""
    rows = []
    for arm in dict.fromkeys(result.arm for result in results):
        mine = [result for result in results if result.arm == arm and result.answer.signal]
        counted = Counter(result.answer.signal for result in mine)
        right = Counter(result.answer.signal for result in mine if result.passed)
        if counted:
            rows.append(
                f"- {arm}: " + ", ".join(f"{name} {n} ({right[name]} right)" for name, n in counted.most_common())
            )
    return ["Evidence separated the candidates by:", "", *rows, ""] if rows else []


def losses(results: Sequence[Result], members: Sequence[str]) -> list[str]:
    """Return, for each arm that lost an item which the best member solved, how many it won and which it lost."""
    by_arm: dict[str, list[Result]] = {}
    for result in results:
        by_arm.setdefault(result.arm, []).append(result)
    best = {result.item: result.passed for result in by_arm[best_member(by_arm, members)]}
    rows = []
    for arm, found in by_arm.items():
        won = [result.item for result in found if result.passed and not best[result.item]]
        lost = [result.item for result in found if not result.passed and best[result.item]]
        if won or lost:
            names = f": {', '.join(lost)}" if 0 < len(lost) <= _MAX_NAMED else ""
            rows.append(f"- {arm}: {len(won)}-{len(lost)}{names}")
    return ["Won and lost against the best member:", "", *rows, ""] if rows else []


def _cells(line: Line) -> list[str]:
    return [
        line.arm,
        f"{line.passed}/{line.n}",
        f"{line.rate:.0%} ({line.low:.0%}-{line.high:.0%})",
        f"{_points(line.difference)} ({_points(line.difference_low)} to {_points(line.difference_high)})",
        f"{line.p:.2f}" if line.p >= _SMALL_P else f"{line.p:.0e}",
        f"{line.well_formed:.0%}",
        f"{line.calls:.1f}",
        f"{line.prompt_tokens:.0f} + {line.completion_tokens:.0f}",
        "unknown" if line.cost is None else f"{line.cost:.6f}".rstrip("0").rstrip("."),
        f"{line.p50_s:.1f} / {line.p95_s:.1f}",
    ]


def _points(share: float) -> str:
    return f"{100 * share:+.0f}" if round(100 * share) else "0"
