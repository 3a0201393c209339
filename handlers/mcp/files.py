"""Reads the files that an agent wants to show to a panel.

The agent names them, and an agent may follow instructions in texts that it has read. So this process must not be a way
around the agent's own rules for reading files: only files below the working folder are read, and no hidden ones, which
hold keys and tokens (`.env`, `.git/config`, `.npmrc`). Other files that the agent may read it can put into `context`.
"""

from collections.abc import Iterable
from pathlib import Path

MAX_FILE_BYTES = 256 * 2**10
MAX_TOTAL_BYTES = 2**20


class FileProblem(ValueError):  # noqa: N818 -- it is the agent's to solve
    """A file cannot be shown to the panel; the message is the reason."""


def read_files(folder: Path, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return name and text of each file. Raises FileProblem for the first bad one.

    Names are relative to `folder` or absolute. Invalid UTF-8 is replaced.
    """
    found: list[tuple[str, str]] = []
    left = MAX_TOTAL_BYTES
    for name in dict.fromkeys(names):
        data = _read(folder, name)
        left -= len(data)
        if left < 0:
            raise FileProblem(f"the files have more than {MAX_TOTAL_BYTES // 2**10} KB together: name fewer")
        found.append((name, data.decode("utf-8", "replace")))
    return found


def _read(folder: Path, name: str) -> bytes:
    root = folder.resolve()
    try:
        path = (root / name).resolve()  # follows symbolic links, so that none leads out
    except (OSError, ValueError, RuntimeError):  # a NUL, a loop of links
        raise FileProblem(f"{name!r} is not the name of a file") from None
    if not path.is_relative_to(root):
        raise FileProblem(f"{name} is outside {root}: only files below it are read; put its text into `context`")
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        raise FileProblem(f"{name} is hidden, and hidden files are not read; put what matters into `context`")
    try:
        if not path.is_file():  # a pipe or a device would block
            raise FileProblem(f"{name} is not a file in {root}")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FileProblem(f"{name} cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > MAX_FILE_BYTES:
        raise FileProblem(f"{name} has more than {MAX_FILE_BYTES // 2**10} KB; put what matters into `context`")
    if b"\0" in data:
        raise FileProblem(f"{name} is not a text file")
    return data
