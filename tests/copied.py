"""A copy of the product's sources that a test may change."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.layering import LAYERS
from tests.processes import ROOT

_IGNORED = shutil.ignore_patterns("__pycache__", "*.png")


@dataclass(frozen=True, slots=True)
class SourceCopy:
    """A copy of the product's sources in `root`; `changed` are the files that were edited or added."""

    root: Path
    changed: list[str] = field(default_factory=list)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that occurs once in a file."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")
        self.changed.append(name)

    def add(self, name: str, text: str) -> None:
        """Write a new file."""
        path = self.root / name
        assert not path.exists(), f"{name} is there already"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.changed.append(name)


def copy_sources(folder: Path, *more: str) -> SourceCopy:
    """Copy the product's sources, and further files or folders by name, to a new folder."""
    root = folder / "sources"
    root.mkdir()
    for name in (*LAYERS, "gateway.py", "config.yaml", "Makefile", *more):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=_IGNORED)
        elif source.is_file():
            shutil.copy(source, root / name)
    return SourceCopy(root)
