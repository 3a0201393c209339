"""The report from feedback on the mixtures, for the page of statistics and for the terminal. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from config.settings import Settings
from handlers.ui.digest import RequestDigest
from handlers.ui.models.statistics import MixtureStatistics, compute_statistics
from synth.feedback.answer_record import identify_member
from synth.feedback.report import Advice, describe_rate, report_mixtures
from synth.feedback.trust import Count

_TONES: Mapping[Advice, str] = {"keep": "good", "collapse": "warn", "drop": "warn"}


def list_panels(settings: Settings) -> dict[str, list[str]]:
    """Return the members of each mixture that compares several, in the panel's order."""
    upstream_ids = {model.name: model.model for model in settings.models}
    panels = {mixture.name: mixture.panel_models for mixture in settings.mixtures}
    return {
        mixture: [identify_member(name, upstream_ids.get(name, "")) for name in names]
        for mixture, names in panels.items()
        if len(names) > 1
    }


def build_trust_view(
    counts: Sequence[Count], panels: Mapping[str, Sequence[str]], requests: Sequence[RequestDigest]
) -> list[dict[str, Any]]:
    """Return the template context of each mixture with judged answers.

    The prices are those of the kept requests.
    """
    known = {each.name: each for each in compute_statistics(requests).mixtures} if counts else {}
    return [
        {
            "name": report.name,
            "lines": [
                *report.describe(_compare_prices(known.get(report.name))),
                *_describe_shadow(known.get(report.name)),
            ],
            "recommendations": [
                {"advice": each.advice, "tone": _TONES.get(each.advice, ""), "sentence": each.sentence}
                for each in report.recommendations
            ],
            "kinds": [
                {"name": kind, "n": f"{rate.n:.0f}", "right": describe_rate(rate)} for kind, rate in report.kinds
            ],
        }
        for report in report_mixtures(counts, panels)
    ]


def _compare_prices(mixture: MixtureStatistics | None) -> dict[str, float]:
    """Return the cost of the mixture as a multiple of each member's own calls, if every call has a price."""
    if mixture is None or mixture.usage.n_unpriced or len(mixture.usage.cost) != 1:
        return {}
    (total,) = mixture.usage.cost.values()
    own: dict[str, float] = {}
    for member in mixture.members:  # of several samples of a model the first: alone it would be asked once
        own.setdefault(member.name.partition("#")[0], float(sum(member.usage.cost.values())))
    return {name: float(total) / cost for name, cost in own.items() if cost > 0}


def _describe_shadow(mixture: MixtureStatistics | None) -> list[str]:
    """Return a sentence about the effect that trust would have had on the kept requests, or [] without any effect."""
    if mixture is None or not mixture.preferred:
        return []
    first = ", ".join(f"{name} in {count}" for name, count in mixture.preferred.most_common())
    changed = f"the answer would have changed in {mixture.n_would_change}"
    kept = f"in some of {mixture.n_requests} kept requests ({first})"
    return [f"With learn: on, another member would have gone first {kept}; {changed}."]
