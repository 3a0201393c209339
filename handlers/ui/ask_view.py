"""The page on which a question is asked: what can be asked, and in which mode. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from config.settings import Mode, Settings


@dataclass(frozen=True, slots=True)
class Target:
    """A mixture or a model that can be asked; `panel` names the members whose answers the page shows side by side."""

    name: str
    panel: Sequence[str]


@dataclass(frozen=True, slots=True)
class AskView:
    """The choices of the page: mixtures, then models asked alone, and modes for a mixture."""

    mixtures: Sequence[Target]
    models: Sequence[Target]
    modes: Sequence[str]


def build_ask_view(settings: Settings) -> AskView:
    """Return what can be asked under these settings."""
    return AskView(
        mixtures=[Target(each.name, [member.name for member in each.panel]) for each in settings.mixtures],
        models=[Target(each.name, ()) for each in settings.models],
        modes=get_args(Mode),
    )
