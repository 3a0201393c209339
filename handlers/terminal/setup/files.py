"""Writes config.yaml and .env: whole or not at all, readable by their owner only if they hold keys."""

import os
from pathlib import Path


def replace_file(path: Path, text: str, *, mode: int) -> None:
    """Write a file under another name, with the permissions `mode` from its first byte, and move it into its place.

    An existing file is replaced; a symbolic link is followed. Raises OSError if the folder cannot be written to.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)  # regardless of the umask
            file.write(text)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
