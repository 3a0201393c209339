"""The copy of a work tree has everything that a command needs, and no link leads outside."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from runtime.sandbox import work_tree
from runtime.sandbox.trials import SandboxError
from runtime.sandbox.work_tree import copy_work_tree, matches

needs_git = pytest.mark.skipif(which("git") is None, reason="needs git")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a work tree with two files and a folder."""
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("old a\n")
    (folder / "sub" / "b.txt").write_text("old b\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make the folder for the copy."""
    made = tmp_path / "copies"
    made.mkdir()
    return made


def list_files(copy: Path) -> list[str]:
    return sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file() and not path.is_symlink())


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "", "sub/../../escaped"])
def test_edits_stay_in_the_copy(tree: Path, folder: Path, name: str) -> None:
    """A path that leads elsewhere is refused."""
    with pytest.raises(SandboxError, match="cannot be written"):
        copy_work_tree(tree, folder, {name: "x"})


def test_links_lead_nowhere(tree: Path, folder: Path, tmp_path: Path) -> None:
    """The outside target of a link is copied, and not written through the link."""
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    (tree / "link").symlink_to(outside)
    (tree / "up").symlink_to("../outside")
    (tree / "folder").symlink_to(tmp_path)
    (tree / "second").symlink_to("link")
    copy = copy_work_tree(tree, folder, {"folder/outside": "edited\n", "up": "edited\n", "second": "edited\n"})
    assert (copy / "link").read_text() == "untouched"
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    assert outside.read_text() == "untouched"


def test_a_link_that_leaves_the_tree_and_comes_back_is_copied(tree: Path, folder: Path) -> None:
    """From the copy it would lead to the work tree itself, which is only read."""
    (tree / "back").symlink_to(f"../{tree.name}/a.txt")
    (tree / "far").symlink_to("../" * 40 + str(tree / "a.txt")[1:])
    before = (tree / "a.txt").read_text()
    copy = copy_work_tree(tree, folder, {"far": "changed", "back": "changed"})
    assert (tree / "a.txt").read_text() == before
    assert [(copy / name).read_text() for name in ("far", "back")] == ["changed", "changed"]


def test_links_within_the_tree_are_kept(tree: Path, folder: Path) -> None:
    """To a folder and to a file; an edit of the one is seen through the other."""
    (tree / "link").symlink_to("sub")
    (tree / "file").symlink_to("sub/b.txt")
    (tree / "broken").symlink_to("missing")
    copy = copy_work_tree(tree, folder, {"sub/b.txt": "new b\n"})
    assert (copy / "link" / "b.txt").read_text() == "new b\n"
    assert (copy / "file").read_text() == "new b\n"
    assert not (copy / "broken").is_symlink()


def test_a_removed_file_is_not_in_the_copy(tree: Path, folder: Path) -> None:
    """A rename removes and creates; removing a missing file is no error."""
    copy = copy_work_tree(tree, folder, {"a.txt": None, "c.txt": "old a\n", "none.txt": None})
    assert list_files(copy) == ["c.txt", "sub/b.txt"]
    assert (tree / "a.txt").exists()


def test_line_ends_stay_as_they_are_in_the_file(tree: Path, folder: Path) -> None:
    """A conversation shows and gives lines without carriage returns, whatever the file has."""
    (tree / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    assert matches(tree, {"dos.txt": "one\ntwo\n"})
    copy = copy_work_tree(tree, folder, {"dos.txt": "one\nthree\n", "a.txt": "new\n", "new.txt": "a\r\nb\n"})
    assert (copy / "dos.txt").read_bytes() == b"one\r\nthree\r\n"
    assert (copy / "a.txt").read_bytes() == b"new\n"
    assert (copy / "new.txt").read_bytes() == b"a\r\nb\n"


@needs_git
def test_ignored_files_are_not_copied(tree: Path, folder: Path) -> None:
    """Changes that are not committed, and new files, are."""
    (tree / ".gitignore").write_text("ignored\n")
    commit(tree)
    (tree / "ignored").write_text("x")
    (tree / "untracked").write_text("x")
    (tree / "a.txt").write_text("changed\n")
    (tree / "sub" / "b.txt").unlink()
    copy = copy_work_tree(tree, folder, {})
    assert (copy / "a.txt").read_text() == "changed\n"
    assert list_files(copy) == [".gitignore", "a.txt", "untracked"]


@needs_git
def test_a_tree_that_an_outer_repository_ignores_is_copied_whole(tree: Path, folder: Path) -> None:
    """Git lists nothing in it."""
    commit(tree)
    (tree / ".gitignore").write_text("inner\n")
    inner = tree / "inner"
    inner.mkdir()
    (inner / "a.py").write_text("x = 1\n")
    assert list_files(copy_work_tree(inner, folder, {})) == ["a.py"]


@needs_git
def test_submodules_are_copied(tree: Path, folder: Path, tmp_path: Path) -> None:
    """As they are in the work tree; what they ignore is not."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "lib.py").write_text("x = 1\n")
    (library / ".gitignore").write_text("built\n")
    commit(library)
    commit(tree, ["-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "vendor"])
    (tree / "vendor" / "built").write_text("x")
    (tree / "vendor" / "lib.py").write_text("x = 2\n")
    copy = copy_work_tree(tree, folder, {})
    assert list_files(copy) == [".gitmodules", "a.txt", "sub/b.txt", "vendor/.gitignore", "vendor/lib.py"]
    assert (copy / "vendor" / "lib.py").read_text() == "x = 2\n"


def commit(tree: Path, *first: list[str]) -> None:
    git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for arguments in (["init", "-q"], *first, ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)


def test_a_tree_that_is_too_large_is_not_copied(tree: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_tree, "_MAX_FILES", 1)
    with pytest.raises(SandboxError, match="too large"):
        copy_work_tree(tree, folder, {})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, True),
        ({"a.txt": "old a\n", "sub/b.txt": "old b"}, True),
        ({"a.txt": "other\n"}, False),
        ({"missing.txt": "x"}, False),
        ({"../tree/a.txt": "old a\n"}, False),
        ({"sub": "x"}, False),
    ],
)
def test_a_work_tree_matches_if_every_file_has_the_same_text(
    tree: Path, files: dict[str, str], *, expected: bool
) -> None:
    """Every file is there with the same text, spaces at its end aside."""
    assert matches(tree, files) is expected
