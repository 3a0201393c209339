"""Describe the results of running a candidate. Pure."""

from collections.abc import Sequence

from runtime.sandbox.trials import Kind, Observation
from synth.evidence.behaviour import Behaviour, Checked, Result
from synth.evidence.examples import Example

_MAX_SHOWN_CHARS = 120


def describe(behaviour: Behaviour, examples: Sequence[Example]) -> str:
    """Return the finding on one candidate, or "" if running it gave no result."""
    parts = [_describe_run(behaviour, examples), _describe_checked(behaviour.checked)]
    return "; ".join(part for part in parts if part)


def _describe_run(behaviour: Behaviour, examples: Sequence[Example]) -> str:
    if behaviour.loaded.kind is Kind.ERROR:
        return f"does not load: {_exception(behaviour.loaded)}"
    if behaviour.loaded.kind is Kind.UNKNOWN and Result.FAILED not in behaviour.results:
        return f"could not be run: {behaviour.loaded.message}" if behaviour.loaded.message else ""
    if not examples:
        return "raises an exception on every input" if behaviour.is_dead else ""
    words = [f"passes {behaviour.n_passed} of {len(examples)} examples"]
    if (failed := describe_failure(behaviour, examples)) is not None:
        words.append(f"fails {failed}")
    if behaviour.n_unknown:
        words.append(f"{behaviour.n_unknown} could not be run")
    return "; ".join(words)


def _describe_checked(checked: Checked | None) -> str:
    if checked is None:
        return ""
    if checked.passed is None:
        return "the checker did not end in time"
    if checked.passed:
        return "passes the checker"
    failed = "" if checked.n_failed is None else f", {checked.n_failed} failing"
    lines = [line for line in checked.output.splitlines() if line.strip()]
    return f"fails the checker{failed}" + (f": {cut(lines[-1])}" if lines else "")


def describe_failure(behaviour: Behaviour, examples: Sequence[Example]) -> str | None:
    """Return the first failed example with the actual outcome, or None if no example failed."""
    for index, result in enumerate(behaviour.results):
        if result is Result.FAILED:
            if not behaviour.observed:
                return f"`{cut(examples[index].shown)}`: {_exception(behaviour.loaded)}"
            return f"`{cut(examples[index].shown)}`: {_instead(behaviour.observed[index])}"
    return None


def cut(text: str) -> str:
    """Return a text on one line, short enough for a log or a page."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SHOWN_CHARS else line[: _MAX_SHOWN_CHARS - 1] + "…"


def _instead(observation: Observation) -> str:
    return _exception(observation) if observation.kind is Kind.ERROR else f"gave {cut(observation.shown)}"


def _exception(observation: Observation) -> str:
    return cut(": ".join(part for part in (observation.error, observation.message) if part))
