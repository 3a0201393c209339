"""Installing weights: from the first source that gives the right bytes, into a cache folder, once.

The cache folder holds for each weight the GGUF, a `.verified` stamp of its last check, and a `.lock`; `.part` and
`.wheels` while it is being fetched; and `.wrong`, a file that had other content than its name says.
"""

import asyncio
import errno
from pathlib import Path

import structlog

from upstream.embedded.catalogue import CATALOGUE, Weight
from upstream.embedded.files import exclusive, in_thread, is_intact
from upstream.embedded.sources import Progress, SourceError, discard, fetch

_log = structlog.get_logger(__name__)

__all__ = ["CATALOGUE", "Weight", "WeightsError", "check_gguf", "install", "installed"]

_MAGIC = b"GGUF"


class WeightsError(Exception):
    """Weights cannot be had; the message lists each cause, and what to do."""


async def installed(weight: Weight, models_dir: Path) -> Path | None:
    """Return the path of the weight's GGUF where it is there and its SHA-256 is right; WeightsError as `install`."""
    path = models_dir / weight.file_name
    try:
        return path if await in_thread(is_intact, path, weight.sha256) else None
    except OSError as error:
        raise WeightsError(f"{weight.name}: {_of_the_disk(error, weight, models_dir)}") from error


async def install(weight: Weight, models_dir: Path, *, on_progress: Progress) -> Path:
    """Return the path of the weight's GGUF, installed where it is not there yet, its SHA-256 checked; WeightsError.

    The check is a full one after every change of the file, and a look at its stamp otherwise. `on_progress` is
    called on the loop. Gateways that install the same weight at once wait for each other. Cancelling it keeps what
    was fetched so far for the next time.
    """
    path = models_dir / weight.file_name
    try:
        if await in_thread(is_intact, path, weight.sha256):  # before a lock that a read-only folder could not hold
            return path
        await asyncio.to_thread(models_dir.mkdir, parents=True, exist_ok=True)
        async with exclusive(models_dir / f"{weight.file_name}.lock"):
            if not await in_thread(is_intact, path, weight.sha256):
                await asyncio.to_thread(_set_aside, path)
                await _fetched(weight, path, on_progress)
                await in_thread(is_intact, path, weight.sha256)
    except OSError as error:
        raise WeightsError(f"{weight.name}: {_of_the_disk(error, weight, models_dir)}") from error
    return path


def check_gguf(path: Path) -> None:
    """Raise WeightsError unless the operator's own file is there, readable, and a GGUF."""
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
        _log.warning("the weights have changed on disk; set aside, and installed anew", path=str(wrong))


async def _fetched(weight: Weight, path: Path, on_progress: Progress) -> None:
    causes = []
    for source in weight.sources:
        try:
            fetched = await fetch(source, weight, path.parent, on_progress)
        except SourceError as error:
            _log.info("a source of weights has none; trying the next", weight=weight.name, reason=str(error))
            causes.append(str(error))
            continue
        await asyncio.to_thread(fetched.replace, path)
        await discard(weight, path.parent)
        return
    raise WeightsError(
        f"{weight.name}: no source gives the weights ({'; '.join(causes)}). Put the GGUF with SHA-256 {weight.sha256} "
        f"at {path} yourself, or give another one as `path:` in config.yaml"
    )


def _of_the_disk(error: OSError, weight: Weight, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left in {folder}: installing takes up to {2 * weight.size // 10**6} MB for a while"
    return f"cannot use {folder}: {error.strerror or error}; set MOM_MODELS_DIR to a folder that can be written to"
