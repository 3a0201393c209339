"""Reading the text files of a configuration."""

from pathlib import Path

import pytest

from config import ConfigError
from config.source.text_file import read_text


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_text(path, missing="make one")
    (problem,) = caught.value.problems
    return problem.removeprefix(str(path))


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\n")
    assert read_text(path, missing="") == "a: \u00e9\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a".encode("utf-16-le"), ""),
        ("a".encode("utf-16"), ":1: is UTF-16, not UTF-8: save the file with the encoding UTF-8"),
        (b"\xfe\xff\0a", ":1: is UTF-16, not UTF-8: save the file with the encoding UTF-8"),
        (b"a\nb\n\xe9", ":3: is not UTF-8: save the file with the encoding UTF-8"),
    ],
)
def test_other_encodings_are_reported(tmp_path: Path, content: bytes, problem: str) -> None:
    """With the line; UTF-16 without a mark is valid UTF-8 with NULs, which the readers of the text report."""
    path = tmp_path / "file"
    path.write_bytes(content)
    if problem:
        assert refused(path) == problem
    else:
        assert read_text(path, missing="") == "a\0"


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    """The cause and the remedy."""
    assert refused(tmp_path / "none") == ": file not found: make one"
    assert refused(tmp_path) == ": is a folder, not a file"
    assert refused(tmp_path / ("x" * 300)) == ": cannot be read (File name too long)"
