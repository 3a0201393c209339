"""The report from feedback on mixtures, as figures and sentences."""

from collections import Counter
from collections.abc import Mapping

import pytest

from synth.feedback.answer_record import AnswerRecord, count_verdict
from synth.feedback.report import MixtureReport, find_best, report_mixtures
from synth.feedback.trust import Count, name_scope
from synth.feedback.verdict import Verdict

A, B, C = "a=a-1", "b=b-1", "c=c-1"
KIND = "edits python chat"


def record(authors: str, agreed: str = "", differed: str = "", known: Mapping[str, bool] | None = None) -> AnswerRecord:
    """Return a record of members that are given by their letters."""
    groups = [tuple(f"{letter}={letter}-1" for letter in letters) for letters in (authors, agreed, differed)]
    return AnswerRecord("r", "mom", KIND, groups[0], agreed=groups[1], differed=groups[2], known=known or {})


def report(*judged: tuple[int, AnswerRecord, Verdict], panel: tuple[str, ...] = (A, B, C)) -> MixtureReport:
    """Return the report on a mixture after so many verdicts of each kind."""
    sums: Counter[tuple[str, str]] = Counter()
    for times, judged_record, verdict in judged:
        for key, amount in count_verdict(judged_record, verdict).items():
            sums[key] += amount * times
    counts = [Count(name_scope("mom", KIND), member, name, amount) for (member, name), amount in sums.items()]
    (found,) = report_mixtures(counts, {"mom": panel})
    return found


def advice(found: MixtureReport) -> list[str]:
    return [each.advice for each in found.recommendations]


def test_without_a_verdict_there_is_no_report() -> None:
    """Without a verdict there is nothing to report, and a mixture that is gone is left out."""
    assert report_mixtures([]) == []
    assert report_mixtures([Count(name_scope("old", KIND), "", "right", 5)], {"mom": [A]}) == []


def test_rates_have_intervals() -> None:
    """Ninety of a hundred answers were right: the interval holds the share, and narrows with the count."""
    found = report((90, record("a", "bc"), Verdict.RIGHT), (10, record("a", "bc"), Verdict.WRONG))
    assert (found.right.share, found.right.n) == (0.9, 100)
    assert found.right.low < 0.9 < found.right.high
    few = report((9, record("a", "bc"), Verdict.RIGHT), (1, record("a", "bc"), Verdict.WRONG))
    assert few.right.high - few.right.low > found.right.high - found.right.low


def test_answers_of_a_critic_say_nothing_of_members() -> None:
    """An agent's steps are the critic's, so no figure about members or the panel's worth can be given."""
    step = AnswerRecord("r", "mom", KIND, (A,), is_by_critic=True)
    found = report((3, step, Verdict.RIGHT), (4, step, Verdict.WRONG))
    assert found.describe() == [
        "43 % (19 % to 71 %, of 7) of the answers that were judged were right.",
        "A critic wrote them, as it does all of an agent's work: they show nothing of the members.",
    ]


@pytest.mark.parametrize(("verdict", "share"), [(Verdict.RIGHT, 1.0), (Verdict.WRONG, 0.0)])
def test_an_interval_has_the_share_in_it(verdict: Verdict, share: float) -> None:
    """Also at the ends: all or nothing right is within what is credible."""
    (rate,) = [rate for _, rate in report((9, record("a"), verdict)).kinds]
    assert rate.share == share
    assert rate.low <= rate.share <= rate.high
    assert 0.1 < rate.high - rate.low < 0.5


def test_a_panel_that_always_agrees_collapses() -> None:
    """If every member gives the same answers, one of them is enough, and all fail together whenever one does."""
    found = report((90, record("a", "bc"), Verdict.RIGHT), (10, record("a", "bc"), Verdict.WRONG))
    assert advice(found) == ["collapse"]
    assert found.together[0] > 0.03
    assert found.together[0] < 0.1 < found.together[1]


def test_a_panel_that_saves_answers_is_kept() -> None:
    """If evidence shows that the best member alone would often have been wrong, the panel is worth it."""
    by_b = record("b", "", "a", {A: False, B: True})
    by_a = record("a", "", "b", {A: True, B: False})
    found = report((50, by_a, Verdict.RIGHT), (50, by_b, Verdict.RIGHT), panel=(A, B))
    best = find_best(found.members)
    assert best is not None
    assert best.added[0] > 0.3
    assert advice(found)[0] == "keep"


def test_unknown_results_stay_open() -> None:
    """Members that differed from the answer may have been right or wrong: the range says so."""
    found = report(
        (30, record("a", "", "b"), Verdict.RIGHT), (30, record("b", "", "a"), Verdict.RIGHT),
        (40, record("b", "", "a"), Verdict.WRONG), panel=(A, B),
    )  # fmt: skip
    a, _ = found.members
    assert a.n_open == 70
    assert a.added[0] < -0.3
    assert a.added[1] > 0.3
    assert found.together[0] == 0
    assert found.together[1] == pytest.approx(0.48, abs=0.01)
    assert advice(found)[0] == "open"


def test_a_member_that_is_never_the_only_one_can_go() -> None:
    """Without it no right answer would be missing; with members that sometimes stand alone that is not so."""
    found = report(
        (60, record("a", "c"), Verdict.RIGHT), (60, record("b", "c"), Verdict.RIGHT),
        (30, record("a", "", "bc", {B: False, C: False}), Verdict.RIGHT),
        (30, record("b", "", "ac", {A: False, C: False}), Verdict.RIGHT),
    )  # fmt: skip
    assert [each.sentence.split()[1].strip(",") for each in found.recommendations if each.advice == "drop"] == ["c"]


def test_too_few_verdicts_recommend_nothing() -> None:
    """Five verdicts are no reason to change a configuration."""
    assert advice(report((5, record("a", "bc"), Verdict.RIGHT))) == ["too few"]


def test_a_changed_order_is_explained() -> None:
    """The order by trust is reported with its kind of task and its reason."""
    scope = name_scope("mom", KIND)
    fronts = [Count(scope, A, "front_wrong", 40), Count(scope, B, "front_right", 40), Count(scope, "", "right", 40)]
    (found,) = report_mixtures(fronts, {"mom": [A, B]})
    (order,) = found.orders
    assert (order.kind, order.order) == (KIND, ("b", "a"))
    assert "b is better than a with over 99 % probability" in order.why


def test_the_report_is_in_sentences() -> None:
    """Everything is said in sentences, with the price where it is known."""
    found = report((90, record("a", "b", "c"), Verdict.RIGHT), (10, record("a", "b", "c"), Verdict.WRONG))
    text = "\n".join(found.describe({"a": 3.04}))
    assert "90 % (" in text
    assert "All members failed together (\u03b2) in" in text
    assert "Over a, its best member, the panel adds" in text
    assert "at 3.0 times its price" in text
    assert "c: none of its results is known; in 100 it gave another answer, whose result is open." in text
    assert "times its price" not in "\n".join(found.describe())
