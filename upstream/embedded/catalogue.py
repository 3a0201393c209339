"""The weights that config.yaml may name: content, licence, and the sources of their bytes, from catalogue.toml.

A weight is defined by its SHA-256; nothing from a source is used before the whole file has that hash.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class HubSource:
    """The GGUF as one file at a URL of a model hub."""

    url: str

    @property
    def label(self) -> str:
        """The name of the source in messages."""
        return self.url


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel of the package index: `name==version` and the SHA-256 of the wheel file."""

    requirement: str
    sha256: str


@dataclass(frozen=True, slots=True)
class WheelSource:
    """The GGUF inside wheels: whole as the only `*.gguf`, or in pieces as `data/partNN.bin`, joined by number."""

    wheels: tuple[Wheel, ...]

    @property
    def label(self) -> str:
        """The name of the source in messages. The wheels' own names say nothing about their content."""
        return "the package index"


Source = HubSource | WheelSource


@dataclass(frozen=True, slots=True)
class Weight:
    """One GGUF by content: size in bytes, SHA-256, the model's licence, and its sources in the order of trying."""

    name: str
    size: int
    sha256: str
    licence: str
    sources: tuple[Source, ...]

    @property
    def file_name(self) -> str:
        """The file name in the cache folder; different contents have different names."""
        return f"{self.name}-{self.sha256[:12]}.gguf"


def read_catalogue(path: Path) -> Mapping[str, Weight]:
    """Return the weights of a catalogue file by name, in file order. Raises OSError or ValueError if it is damaged."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["weights"]
    return MappingProxyType({entry["name"]: _build_weight(entry) for entry in entries})


def _build_weight(entry: Mapping[str, Any]) -> Weight:
    wheels = tuple(Wheel(wheel["requirement"], wheel["sha256"]) for wheel in entry["wheels"])
    sources = (HubSource(entry["hub"]), WheelSource(wheels))
    return Weight(entry["name"], entry["size"], entry["sha256"], entry["licence"], sources)


CATALOGUE = read_catalogue(Path(__file__).with_name("catalogue.toml"))
