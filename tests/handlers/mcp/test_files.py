"""The files that an agent shows to a panel."""

import os
from pathlib import Path

import pytest

from handlers.mcp.files import MAX_FILE_BYTES, FileProblem, read_files


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project's folder beside a file that is not its own."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("a = 1\n")
    (folder / "b.txt").write_bytes(b"caf\xe9\r\n")
    return folder


def test_files_below_the_folder_are_read(project: Path) -> None:
    """By relative and by absolute name, each once; what is not UTF-8 is replaced."""
    inside = str(project / "b.txt")
    assert read_files(project, ["src/a.py", inside, "src/a.py"]) == [("src/a.py", "a = 1\n"), (inside, "caf\ufffd\r\n")]
    assert read_files(project, []) == []


def test_a_link_inside_is_followed_and_one_that_leads_out_is_not(project: Path) -> None:
    """The place of the file counts, not that of its name."""
    (project / "inside.py").symlink_to("src/a.py")
    (project / "outside.txt").symlink_to("../secret.txt")
    (project / "up").symlink_to("..")
    assert read_files(project, ["inside.py"])[0][1] == "a = 1\n"
    for name in ("outside.txt", "up/secret.txt", "../secret.txt", "src/../../secret.txt", "/etc/passwd"):
        with pytest.raises(FileProblem, match="is outside"):
            read_files(project, [name])


@pytest.mark.parametrize("name", [".env", ".git/config", "src/.npmrc", "link"])
def test_hidden_files_stay_hidden(project: Path, name: str) -> None:
    """They hold keys; also through a link with a harmless name."""
    for hidden in (".env", ".git/config", "src/.npmrc"):
        (project / hidden).parent.mkdir(exist_ok=True)
        (project / hidden).write_text("KEY=1")
    (project / "link").symlink_to(".env")
    with pytest.raises(FileProblem, match="is hidden"):
        read_files(project, [name])


def test_a_file_that_is_not_text_is_refused(project: Path) -> None:
    """Nothing blocks, nothing is cut silently, and the message says what is wrong."""
    (project / "binary").write_bytes(b"\x7fELF\0\0")
    (project / "large.txt").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (project / "loop").symlink_to("loop")
    os.mkfifo(project / "pipe")
    for name, words in {
        "binary": "not a text file",
        "large.txt": "more than 256 KB",
        "pipe": "not a file",
        "src": "not a file",
        "missing.py": "not a file",
        "loop": "not",
        "a\0b": "not the name of a file",
        "x" * 5000: "cannot be read",
    }.items():
        with pytest.raises(FileProblem, match=words):
            read_files(project, [name])


def test_all_files_together_are_bounded(project: Path) -> None:
    """Many files may be named, not many megabytes."""
    for number in range(5):
        (project / f"{number}.txt").write_bytes(b"x" * MAX_FILE_BYTES)
    assert len(read_files(project, [f"{number}.txt" for number in range(4)])) == 4
    with pytest.raises(FileProblem, match="together"):
        read_files(project, [f"{number}.txt" for number in range(5)])
