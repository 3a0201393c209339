"""Paths of files and folders that config.yaml names."""

from collections.abc import Callable
from pathlib import Path

from config.reader import Section


def find_path(section: Section, key: str, folder: Path, is_wanted: Callable[[Path], bool], kind: str) -> Path | None:
    """Return the absolute path that a key names, from `folder` if it is relative; without the key, `folder` itself.

    None if it is not what is wanted, a `kind` ("file", "folder"), which is reported.
    """
    place = section.place_of(key)
    try:
        path = (folder / Path(section.values.get(key, ".")).expanduser()).resolve()
        is_found = is_wanted(path)
    except (OSError, RuntimeError, ValueError):  # an unknown home, an unreadable folder, a NUL
        place.report("cannot be looked up")
        return None
    if not is_found:
        place.report(f"is not a {kind}; a relative path starts from the folder of the configuration file")
        return None
    return path
