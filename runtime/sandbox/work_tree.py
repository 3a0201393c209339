"""Copy an operator's work tree, with the files that an edit changes in it, and compare a work tree with files shown."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from runtime.sandbox.trials import SandboxError

_MAX_FILES = 20_000
_MAX_TREE_BYTES = 512 * 2**20
_MAX_SUBMODULES = 50  # one inside the other
_GIT_S = 20.0


def matches(workdir: Path, files: Mapping[str, str]) -> bool:
    """Whether every one of these files is in the work tree with the same content, but for spaces at its end."""
    for path, text in files.items():
        try:
            there = _resolve(workdir, path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return False
        if there.rstrip() != text.rstrip():
            return False
    return True


def copy_work_tree(workdir: Path, folder: Path, files: Mapping[str, str | None]) -> Path:
    """Copy the files of a work tree into a folder, write `files` over them, and return the path of the copy.

    A file of `files` that is None is removed. Links that stay inside the tree are kept. A link to a file elsewhere
    becomes a copy of it, so that nothing written to the copy goes there; a link to a folder elsewhere is left out.
    Raises SandboxError if the tree is too large or a file cannot be written.
    """
    n_bytes, copy = 0, folder.resolve() / "tree"
    copy.mkdir()
    for count, path in enumerate(_list_files(workdir)):
        source = workdir / path
        try:
            n_bytes += source.stat().st_size
            if count >= _MAX_FILES or n_bytes > _MAX_TREE_BYTES:
                raise SandboxError(f"{workdir} is too large to be copied for each candidate")
            target = copy / path
            is_kept = _links_inside(workdir, path)
            if source.is_file() or is_kept:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=not is_kept)
        except OSError:
            continue  # deleted or unreadable: missing from the copy, as from a clone
    for name, text in files.items():
        try:
            _write(_resolve(copy, name), text)
        except (OSError, ValueError) as error:
            raise SandboxError(f"{name} cannot be written to the copy: {error}") from error
    return copy


def _links_inside(workdir: Path, path: PurePosixPath) -> bool:
    """Whether a path of the work tree is a relative link that never leaves it, so that it leads to the same in a copy.

    One that leaves the tree and comes back (`../tree/a`) leads from the copy to nowhere, or to the work tree itself.
    """
    link = workdir / path
    return (
        link.is_symlink()
        and not os.path.normpath(path.parent / link.readlink()).startswith(("../", "/"))
        and link.resolve(strict=True).is_relative_to(workdir.resolve())
    )


def _write(target: Path, text: str | None) -> None:
    """Write a file with the line ends of the file that it replaces; None removes it."""
    if text is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    is_crlf = target.is_file() and b"\r\n" in target.read_bytes() and "\r\n" not in text
    target.write_text(text, encoding="utf-8", newline="\r\n" if is_crlf else "")


def _list_files(workdir: Path, n_levels: int = 0) -> Iterator[PurePosixPath]:
    """Yield the files of a work tree and its submodules that git tracks or does not ignore.

    Yields all files if git lists none: the folder is in no repository, or in one that ignores it.
    """
    listed = _list_by_git(workdir)
    if listed:
        for path in listed:
            inner = workdir / path
            if inner.is_dir() and not inner.is_symlink() and n_levels < _MAX_SUBMODULES:
                yield from (path / each for each in _list_files(inner, n_levels + 1))
            else:
                yield path
        return
    for folder, folders, names in os.walk(workdir):
        folders[:] = [name for name in folders if name != ".git"]
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*names, *links):
            yield PurePosixPath(os.path.relpath(os.path.join(folder, name), workdir))  # noqa: PTH118


def _list_by_git(workdir: Path) -> list[PurePosixPath] | None:
    argv = ["git", "-C", str(workdir), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(  # noqa: S603 -- a command of ours
            argv, check=True, capture_output=True, timeout=_GIT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return [PurePosixPath(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]


def _resolve(folder: Path, name: str) -> Path:
    """Return the path of a file below a folder. Raises ValueError if it would be anywhere else."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise ValueError("it is not below the folder")
    return folder / path
