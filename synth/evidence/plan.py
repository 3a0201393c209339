"""The plan of one candidate's trials, and the behaviour read from their reports. Pure."""

from collections.abc import Sequence

from runtime.frozen import frozen
from runtime.sandbox.trials import LOADED, Kind, Observation, Report, Trial, unknown
from synth.evidence.behaviour import Behaviour, Result, judge
from synth.evidence.examples import Example


@frozen
class Part:
    """One module of a candidate to run.

    The trial's first checks are `examples`, whose results have the places `places` among all of the request's. With
    `folded`, all of them make the one result at the first place. Further checks are inputs to compare values on.
    A part `of_tests` that does not load says nothing of the candidate: the tests may need what the sandbox lacks.
    """

    trial: Trial
    examples: tuple[Example, ...]
    places: tuple[int, ...]
    folded: bool = False
    of_tests: bool = False


@frozen
class Plan:
    """The parts of one candidate to run, and the results known without running: place, result and reason."""

    parts: tuple[Part, ...]
    known: tuple[tuple[int, Result, str], ...] = ()


def read_reports(plan: Plan, reports: Sequence[Report], n_examples: int) -> Behaviour:
    """Return a candidate's behaviour from the reports on the parts of its plan, in order.

    It is dead if a part of its own does not load, or raises an exception on all inputs. Checks that were not reached
    are unknown.
    """
    results = [Result.UNKNOWN] * n_examples
    observed = [Observation(Kind.UNKNOWN)] * n_examples
    for place, result, reason in plan.known:
        results[place], observed[place] = result, Observation(Kind.ERROR, message=reason)
    values: list[str | None] = []
    reports = list(map(_excuse_tests, plan.parts, reports))
    for part, report in zip(plan.parts, reports, strict=True):
        if report.loaded.kind is Kind.ERROR:
            return Behaviour(report.loaded, (Result.FAILED,) * n_examples, is_dead=True)
        if report.loaded.kind is Kind.VALUE:
            values += _read_part(part, report, results, observed)
    loaded = next((each.loaded for each in reports if each.loaded.kind is Kind.VALUE), LOADED)
    if reports and loaded is LOADED:
        loaded = reports[0].loaded
    is_dead = bool(plan.parts) and all(map(_is_dead, plan.parts, reports))
    return Behaviour(loaded, tuple(results), tuple(observed), tuple(values), is_dead)


def _excuse_tests(part: Part, report: Report) -> Report:
    if part.of_tests and report.loaded.kind is Kind.ERROR:
        return Report(unknown(f"the tests do not load: {report.loaded.message}"))
    return report


def _read_part(part: Part, report: Report, results: list[Result], observed: list[Observation]) -> list[str | None]:
    """Enter the results of a part that has loaded at their places; return its values."""
    checks = report.checks[: len(part.examples)]
    judged = [judge(example, each) for example, each in zip(part.examples, checks, strict=True)]
    if part.folded:
        worst = next((result for result in (Result.FAILED, Result.UNKNOWN) if result in judged), Result.PASSED)
        results[part.places[0]] = worst
        if worst in judged:
            observed[part.places[0]] = checks[judged.index(worst)]
    else:
        for place, result, each in zip(part.places, judged, checks, strict=True):
            results[place], observed[place] = result, each
    return [each.shown if each.kind is Kind.VALUE else None for each in report.checks[len(part.examples) :]]


def _is_dead(part: Part, report: Report) -> bool:
    """Whether a part raises an exception wherever none is expected; a part without such checks is not dead."""
    expects = [bool(example.raises) for example in part.examples]
    expects += [False] * (len(report.checks) - len(expects))
    tried = [each for each, raises in zip(report.checks, expects, strict=False) if not raises]
    return bool(tried) and not part.folded and all(each.kind is Kind.ERROR for each in tried)
