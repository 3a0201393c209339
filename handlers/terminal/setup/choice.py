"""Proposes a panel of up to three models from the lists of models of the upstreams that were found. Pure."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from config.settings import Price

Preset = Literal["coding", "cheap", "local"]
PRESETS: tuple[Preset, ...] = ("coding", "cheap", "local")
MEMBERS = 3
_ROUTERS = frozenset({"openrouter", "huggingface"})  # they resell others' models: the vendor itself comes first
_USABLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")  # as the name of a model in config.yaml
_NO_CHAT = re.compile(
    r"embed|whisper|tts|audio|image|imagine|moderation|rerank|transcri|realtime|dall-e|sora|veo|guard|ocr|speech|lyria"
    r"|bge-|clip|davinci|babbage|search|deep-research|computer-use|live|robotics|aqa|diffusion|flux"
)
_VERSION = r"(?P<v>\d+(?:[.p-]\d{1,2})?)"
_SIZE = r"(?P<size>\d+(?:\.\d+)?)"
_TAIL = (
    r"(?:-(?:\d{8}|\d{4}-\d\d-\d\d|\d{4}|\d\d-\d\d|latest|preview|exp|instruct|versatile|it|chat|(?:non-)?reasoning))*"
)
_LOCAL_SIZE = re.compile(rf"[:-]{_SIZE}b\b")


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that an upstream lists: `provider` is the upstream's name in the configuration.

    `is_local`: the upstream runs on this machine.
    """

    provider: str
    model_id: str
    is_local: bool = False
    price: Price | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The provider and the id, which identify the offer."""
        return self.provider, self.model_id


def propose(offers: Sequence[Offer], preset: Preset) -> tuple[Offer, ...]:
    """Return up to three different models, best first; () if no chat model is offered.

    Hosted models by the preferences of the preset, one of each vendor first, then models unknown to the preferences,
    then local ones; for the preset `local` only local ones.
    """
    usable = [offer for offer in offers if _may_chat(offer.model_id)]
    local = sorted((offer for offer in usable if offer.is_local), key=_rank_local)
    if preset == "local":
        return tuple(local[:MEMBERS])
    hosted = [offer for offer in usable if not offer.is_local]
    known = list(_choose_known(hosted, preset))
    ranked = [*_spread(known), *_list_unknown(hosted, [offer for _, offer in known]), *local]
    return tuple(dict.fromkeys(ranked))[:MEMBERS]


def _may_chat(model_id: str) -> bool:
    return bool(_USABLE_ID.fullmatch(model_id)) and not _NO_CHAT.search(model_id.lower())


def _choose_known(offers: Sequence[Offer], preset: Preset) -> Iterator[tuple[str, Offer]]:
    """Yield (vendor, best offer) of each family of the preset that is offered."""
    for vendor, pattern in _read_preferences()[preset]:
        matches = [(match, offer) for offer in offers if (match := pattern.fullmatch(_last_part(offer.model_id)))]
        if matches:
            yield vendor, max(matches, key=lambda each: _rank(*each))[1]


def _rank(match: re.Match[str], offer: Offer) -> tuple[tuple[int, ...], bool, float, int, str]:
    """Rank an offer within its family: version, the vendor's own API, size, the shortest id (an alias, not a date)."""
    groups = match.groupdict()
    version = tuple(int(part) for part in re.split("[.p-]", groups.get("v") or "0"))
    size = float(groups.get("size") or 0)
    return version, offer.provider not in _ROUTERS, size, -len(offer.model_id), offer.model_id


def _spread(known: Iterable[tuple[str, Offer]]) -> list[Offer]:
    """Return the offers with the first one of each vendor before all others."""
    first: dict[str, Offer] = {}
    others = []
    for vendor, offer in known:
        if vendor in first:
            others.append(offer)
        else:
            first[vendor] = offer
    return [*first.values(), *others]


def _list_unknown(hosted: Sequence[Offer], known: Sequence[Offer]) -> list[Offer]:
    """Return offers that no preference knows, if there are too few known ones; their order is the upstream's."""
    return [offer for offer in hosted if offer not in known] if len(known) < MEMBERS else []


def _rank_local(offer: Offer) -> tuple[bool, float, str]:
    """Rank a local model: for code first, then the largest."""
    size = _LOCAL_SIZE.search(offer.model_id.lower())
    return "code" not in offer.model_id.lower(), -float(size["size"]) if size else 0.0, offer.model_id


def _last_part(model_id: str) -> str:
    return model_id.lower().rpartition("/")[2]


@cache
def _read_preferences() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    text = Path(__file__).with_name("preferences.toml").read_text(encoding="utf-8")
    return {
        preset: [(entry["vendor"], _compile(entry["pattern"])) for entry in entries]
        for preset, entries in tomllib.loads(text).items()
    }


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("{v}", _VERSION).replace("{size}", _SIZE) + _TAIL)
