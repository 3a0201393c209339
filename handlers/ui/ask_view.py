"""The page for asking a question: the mixtures and models that can be asked, and the modes. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from config.settings import Mixture, Mode, Settings


@dataclass(frozen=True, slots=True)
class Target:
    """A mixture that can be asked: the models of its panel, in its order, and the names of the proposers of each.

    A proposer's name is that of a card on the page: `qwen#1` and `qwen#2` are samples of one model.
    """

    name: str
    proposers: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class AskView:
    """The choices of the page: mixtures, models (asked alone, as a panel's members, as critic), and modes."""

    mixtures: Sequence[Target]
    models: Sequence[str]
    modes: Sequence[str]


def build_ask_view(settings: Settings, may_name: Callable[[str], bool] = lambda _: True) -> AskView:
    """Return the choices under these settings for a client that may use the names for which `may_name` holds."""
    return AskView(
        mixtures=[_describe(each) for each in settings.mixtures if may_name(each.name)],
        models=[each.name for each in settings.models if may_name(each.name)],
        modes=get_args(Mode),
    )


def _describe(mixture: Mixture) -> Target:
    proposers: dict[str, list[str]] = {}
    for member in mixture.panel:
        proposers.setdefault(member.model, []).append(member.name)
    return Target(mixture.name, proposers)
