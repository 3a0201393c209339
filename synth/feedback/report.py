"""A report on each mixture from feedback: how often its members were right, what the panel adds, what to change. Pure.

Verdicts are known for some answers only, and for members mostly if they agreed with the answer. Unknown verdicts are
not guessed: a figure that depends on them is a range, from the worst to the best case.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from runtime.frozen import frozen
from synth.feedback.answer_record import PANEL
from synth.feedback.beta import Beta
from synth.feedback.trust import CREDIBLE, Count, Trust, split_scope

MIN_JUDGED = 20.0
"""Below this number of judged answers the report makes no recommendation."""

NOTICEABLE = 0.03
"""A share of the answers too small to justify the price of a panel or of a member."""

_SURE = 0.995
_ONE = 0.5  # of an observation: a single one is still reported until half of it has faded

Advice = Literal["keep", "collapse", "drop", "open", "too few"]
_Sums = Mapping[tuple[str, str], float]  # by member and name


@frozen
class Rate:
    """A rate with its credible interval (90 %); `n` is over how many observations it is, older ones counting less."""

    share: float
    low: float
    high: float
    n: float


@frozen
class MemberReport:
    """One member of a mixture: its `name` in config.yaml, and the `upstream_id` of the model behind it.

    `right` is its known rate, None without any; in `n_open` judged answers it is unknown. `added` is the range of the
    share of answers that were right only because of the panel, minus those that the panel spoilt, compared with this
    member alone. `only` is how often it alone had the right answer.
    """

    name: str
    upstream_id: str
    right: Rate | None
    n_open: float
    added: tuple[float, float]
    only: Rate | None


@frozen
class OrderReport:
    """A panel's order by trust at a kind of task, if it differs from the panel's own; `why` is a sentence."""

    kind: str
    order: tuple[str, ...]
    why: str


@frozen
class Recommendation:
    """A recommendation: `advice`, and the sentence with its reason."""

    advice: Advice
    sentence: str


@frozen
class MixtureReport:
    """The report on a mixture. `together` is the range of the share of answers that all members got wrong."""

    name: str
    right: Rate
    together: tuple[float, float]
    members: tuple[MemberReport, ...]
    orders: tuple[OrderReport, ...]
    recommendations: tuple[Recommendation, ...]
    kinds: tuple[tuple[str, Rate], ...]

    def describe(self, price: Mapping[str, float] | None = None) -> list[str]:
        """Return sentences. `price` is how many times the price of each member alone the mixture costs, if known."""
        judged = f"{_percent(self.right)} of the answers that were judged were right."
        if all(member.right is None and member.n_open < _ONE for member in self.members):
            return [judged, "A critic wrote them, as it does all of an agent's work: they show nothing of the members."]
        lines = [
            judged,
            f"All members failed together (\u03b2) in {_range(*self.together)} of them: there no choice could help.",
            *(_describe_member(member) for member in self.members),
        ]
        best = find_best(self.members)
        if best is not None:
            times = (price or {}).get(best.name)
            cost = "" if times is None else f", at {times:.1f} times its price"
            added = f"{_range(*best.added, signed=True)} of the answers"
            lines.append(f"Over {best.name}, its best member, the panel adds {added}{cost}.")
        lines += [f"At {order.kind}: {order.why}." for order in self.orders]
        return lines


def report_mixtures(counts: Sequence[Count], panels: Mapping[str, Sequence[str]] | None = None) -> list[MixtureReport]:
    """Return a report on each mixture with judged answers, the one with most first.

    `panels` are the members of the mixtures in their order, as by `identify_member`; others are no longer on the panel,
    and are left out. None: every member that was counted.
    """
    trust = Trust(counts)
    by_mixture: dict[str, list[Count]] = defaultdict(list)
    for count in counts:
        by_mixture[split_scope(count.scope)[0]].append(count)
    reports = [
        _report_mixture(name, found, trust, None if panels is None else panels.get(name, ()))
        for name, found in by_mixture.items()
        if panels is None or name in panels
    ]
    return sorted(filter(None, reports), key=lambda report: -report.right.n)


def describe_rate(rate: Rate) -> str:
    """Return a rate with its interval: `81 % (76 % to 86 %)`."""
    return f"{_part(rate.share)} ({_part(rate.low)} to {_part(rate.high)})"


def find_best(members: Iterable[MemberReport]) -> MemberReport | None:
    """Return the member to which the panel adds least, by the middle of the range, or None without any."""
    return min(members, key=lambda member: sum(member.added), default=None)


def _report_mixture(
    name: str, counts: Sequence[Count], trust: Trust, panel: Sequence[str] | None
) -> MixtureReport | None:
    sums = _sum(counts)
    right = _rate(sums, PANEL, "right", "wrong")
    if right is None:
        return None
    names = panel if panel is not None else sorted({member for member, _ in sums if member != PANEL})
    members = tuple(_report_member(member, sums, right.n) for member in names)
    all_wrong, wrong = sums.get((PANEL, "all_wrong"), 0.0), sums.get((PANEL, "wrong"), 0.0)
    some_right = sums.get((PANEL, "some_right"), 0.0)
    together = _low(all_wrong, right.n), _high(max(all_wrong, wrong - some_right), right.n)
    by_scope: dict[str, list[Count]] = defaultdict(list)
    for count in counts:
        by_scope[count.scope].append(count)
    kinds = [(split_scope(scope)[1], _rate(_sum(found), PANEL, "right", "wrong")) for scope, found in by_scope.items()]
    return MixtureReport(
        name,
        right,
        together,
        members,
        tuple(filter(None, (_report_order(scope, trust, panel) for scope in sorted(by_scope)))) if panel else (),
        tuple(_recommend(members, right, sums.get((PANEL, "picked"), 0.0))),
        tuple(sorted(((kind, rate) for kind, rate in kinds if rate is not None), key=lambda each: -each[1].n)),
    )


def _report_member(member: str, sums: _Sums, n_judged: float) -> MemberReport:
    def get(name: str) -> float:
        return max(0.0, sums.get((member, name), 0.0))

    name, _, upstream_id = member.partition("=")
    low = _low(get("saved"), n_judged) - _high(get("lost") + get("open_wrong"), n_judged)
    high = _high(get("saved") + get("open_right"), n_judged) - _low(get("lost"), n_judged)
    n_picked = sums.get((PANEL, "picked"), 0.0)
    only = _posterior(get("only_right"), n_picked - get("only_right")) if n_picked >= _ONE else None
    n_open = get("open_right") + get("open_wrong")
    return MemberReport(name, upstream_id, _rate(sums, member, "right", "wrong"), n_open, (low, high), only)


def _report_order(scope: str, trust: Trust, panel: Sequence[str]) -> OrderReport | None:
    order = trust.order(scope, panel)
    if order == tuple(panel):
        return None
    short = [member.partition("=")[0] for member in order]
    overtaken = next(member for member in panel if order.index(member) > panel.index(member))
    certainty = trust.compare(scope, order[0], overtaken) if order[0] != overtaken else CREDIBLE
    why = f"{short[0]} is better than {overtaken.partition('=')[0]} with {_certain(certainty)} probability"
    return OrderReport(split_scope(scope)[1], tuple(short), f"the order would be {', '.join(short)}, since {why}")


def _recommend(members: Sequence[MemberReport], right: Rate, n_picked: float) -> Iterable[Recommendation]:
    """Yield recommendations about the mixture, then about single members."""
    if right.n < MIN_JUDGED:
        sentence = f"Too few answers were judged to tell: {right.n:.0f} of at least {MIN_JUDGED:.0f}."
        yield Recommendation("too few", sentence)
        return
    best = find_best(members)
    if best is None or len(members) == 1:
        return
    low, high = best.added
    if high <= NOTICEABLE:
        worse = f"at most {_part(max(0.0, high))} of the answers would be worse"
        yield Recommendation("collapse", f"Collapse to one model: with {best.name} alone {worse}.")
        return
    if low > 0:
        yield Recommendation(
            "keep", f"Keep the panel: without it at least {_part(low)} more of the answers would be wrong."
        )
    else:
        added = _range(low, high, signed=True)
        yield Recommendation("open", f"Open whether the panel pays: over {best.name} it adds {added}.")
    for member in members if n_picked >= MIN_JUDGED else ():
        if member.only is not None and member.only.high < NOTICEABLE:
            alone = f"it alone had the right one of those that were picked in at most {_part(member.only.high)}"
            yield Recommendation("drop", f"Drop {member.name}, or a member like it: {alone}.")


def _describe_member(member: MemberReport) -> str:
    others = (
        f"; in {member.n_open:.0f} more it gave another answer, whose result is open" if member.n_open >= _ONE else ""
    )
    if member.right is None:
        return f"{member.name}: none of its results is known{others.replace(' more', '')}."
    return f"{member.name} was right in {_percent(member.right)} of its known results{others}."


def _sum(counts: Iterable[Count]) -> _Sums:
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for count in counts:
        sums[count.member, count.name] += count.weight
    return sums


def _rate(sums: _Sums, member: str, good: str, bad: str) -> Rate | None:
    right, wrong = (max(0.0, sums.get((member, name), 0.0)) for name in (good, bad))
    return _posterior(right, wrong) if right + wrong >= _ONE else None


def _posterior(right: float, wrong: float) -> Rate:
    """Return a rate. Its interval has the share in it: if all or none were right, it ends there."""
    right, wrong = max(0.0, right), max(0.0, wrong)
    n = right + wrong
    low, high = Beta(right, wrong).interval(CREDIBLE)
    return Rate(right / n if n else 0.0, low if right else 0.0, high if wrong else 1.0, n)


def _low(part: float, n: float) -> float:
    """Return the lower credible bound of a share of n observations; 0 stays 0."""
    return Beta(part, n - part).quantile((1 - CREDIBLE) / 2) if part > 0 else 0.0


def _high(part: float, n: float) -> float:
    return Beta(part, n - part).quantile((1 + CREDIBLE) / 2)


def _percent(rate: Rate) -> str:
    return f"{_part(rate.share)} ({_part(rate.low)} to {_part(rate.high)}, of {rate.n:.0f})"


def _range(low: float, high: float, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{low * 100:{sign}.0f} % to {high * 100:{sign}.0f} %"


def _part(share: float) -> str:
    return f"{share * 100:.0f} %"


def _certain(probability: float) -> str:
    return _part(probability) if probability < _SURE else "over 99 %"
