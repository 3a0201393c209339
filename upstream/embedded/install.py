"""Installs weights into a cache folder, from the first source that has the right bytes.

For each weight the folder contains the GGUF, a `.verified` stamp of its last check, and a `.lock`; during a download
also `.part` or `.wheels`. A file with the wrong content is renamed to `.wrong`.
"""

import asyncio
import errno
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from upstream.embedded.catalogue import CATALOGUE, HubSource, Source, Weight
from upstream.embedded.files import exclusive, in_thread, is_intact
from upstream.embedded.sources import Progress, SourceError, discard, fetch, measure_partial

_log = structlog.get_logger(__name__)

__all__ = ["CATALOGUE", "Weight", "WeightsError", "check_gguf", "find_installed", "install"]

_MAGIC = b"GGUF"


class WeightsError(Exception):
    """Weights cannot be installed; the message lists each cause and the remedy."""


async def find_installed(weight: Weight, models_dir: Path) -> Path | None:
    """Return the path of the GGUF if it is installed and its SHA-256 is right, else None; WeightsError."""
    path = models_dir / weight.file_name
    try:
        return path if await in_thread(is_intact, path, weight.sha256) else None
    except OSError as error:
        raise WeightsError(f"{weight.name}: {_explain_os_error(error, weight, models_dir)}") from error


async def install(weight: Weight, models_dir: Path, *, on_progress: Progress) -> Path:
    """Install the weight if necessary, and return the path of its verified GGUF. Raises WeightsError if that fails.

    The file is hashed after every change; otherwise its stamp is compared. `on_progress` is called on the event loop.
    Gateways that install the same weight at once wait for each other. A cancellation keeps the partial download.
    """
    path = models_dir / weight.file_name
    try:
        if await in_thread(is_intact, path, weight.sha256):  # before the lock, which a read-only folder cannot hold
            return path
        await asyncio.to_thread(models_dir.mkdir, parents=True, exist_ok=True)
        async with exclusive(models_dir / f"{weight.file_name}.lock"):
            if not await in_thread(is_intact, path, weight.sha256):
                await asyncio.to_thread(_set_aside, path)
                await _download(weight, path, on_progress)
                await in_thread(is_intact, path, weight.sha256)
    except OSError as error:
        raise WeightsError(f"{weight.name}: {_explain_os_error(error, weight, models_dir)}") from error
    return path


def check_gguf(path: Path) -> None:
    """Raise WeightsError unless the operator's own file exists, is readable, and is a GGUF."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}") from error
    if magic != _MAGIC:
        raise WeightsError(f"{path}: is not a GGUF file")


def _set_aside(path: Path) -> None:
    if path.is_file():
        wrong = path.with_name(f"{path.name}.wrong")
        path.replace(wrong)
        _log.warning("the weights have changed on disk; the file is set aside and installed again", path=str(wrong))


async def _download(weight: Weight, path: Path, on_progress: Progress) -> None:
    failures: list[tuple[Source, SourceError]] = []
    for source in weight.sources:
        _log.debug("installing weights", weight=weight.name, source=f"from {source.label}")
        try:
            await asyncio.to_thread(_check_free_space, source, weight, path.parent)
            fetched = await fetch(source, weight, path.parent, on_progress)
        except SourceError as error:
            reason = str(error).removeprefix(f"{source.label}: ")
            _log.debug("weights not available from this source", weight=weight.name, source=source.label, reason=reason)
            failures.append((source, error))
            continue
        await asyncio.to_thread(fetched.replace, path)
        await discard(weight, path.parent)
        return
    raise WeightsError(f"{weight.name}: {_explain_failures(failures)} {_name_other_ways(weight, path)}")


def _explain_failures(failures: Sequence[tuple[Source, SourceError]]) -> str:
    """Return the cause: one sentence if no source could be connected to, else a reason for each source."""
    if all(error.is_unreachable for _, error in failures):
        hosts = dict.fromkeys(_host_of(source) for source, _ in failures)
        return f"cannot connect to {' or '.join(hosts)} for the weights: is this machine online, and does its DNS work?"
    reasons = [f"from {source.label}: {str(error).removeprefix(f'{source.label}: ')}" for source, error in failures]
    return f"no source has the weights ({'; '.join(reasons)})."


def _host_of(source: Source) -> str:
    return (urlsplit(source.url).hostname or source.url) if isinstance(source, HubSource) else source.label


def _name_other_ways(weight: Weight, path: Path) -> str:
    return (
        f"It is tried again later; or put the GGUF with SHA-256 {weight.sha256} at {path} yourself, or give another "
        "one as `path:` in config.yaml"
    )


def _check_free_space(source: Source, weight: Weight, folder: Path) -> None:
    """Raise WeightsError unless the disk has room for what is missing; wheels lie beside the file that they become."""
    copies = 1 if isinstance(source, HubSource) else 2
    needed = copies * weight.size - measure_partial(weight, folder)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WeightsError(
            f"{weight.name}: not enough space in {folder}: {_megabytes(needed)} are needed, {_megabytes(free)} are "
            "free; free some, or set MOM_MODELS_DIR to another folder"
        )


def _megabytes(n_bytes: int) -> str:
    return f"{-(-n_bytes // 10**6)} MB"


def _explain_os_error(error: OSError, weight: Weight, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left in {folder}: installing needs up to {2 * weight.size // 10**6} MB temporarily"
    return f"cannot use {folder}: {error.strerror or error}; set MOM_MODELS_DIR to a writable folder"
