"""A copy of the house, which a test may change."""

import shutil
from pathlib import Path

from tests.layering import LAYERS
from tests.processes import ROOT

_IGNORED = shutil.ignore_patterns("__pycache__")


def copy_house(folder: Path, *more: str) -> Path:
    """Copy the product's sources, and further files or folders by name, to a new folder; return it."""
    house = folder / "house"
    house.mkdir()
    for name in (*LAYERS, "gateway.py", "config.yaml", "Makefile", *more):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, house / name, ignore=_IGNORED)
        elif source.is_file():
            shutil.copy(source, house / name)
    return house


def edit(house: Path, name: str, old: str, new: str) -> None:
    """Replace a text that occurs once in a file."""
    path = house / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
    path.write_text(text.replace(old, new), encoding="utf-8")
