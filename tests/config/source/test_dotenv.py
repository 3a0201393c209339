"""Reading .env: common forms, and one sentence for each problem."""

import os
import threading
from pathlib import Path

import pytest

from config import ConfigError, read_dotenv


def variables(folder: Path, content: bytes) -> dict[str, str]:
    path = folder / ".env"
    path.write_bytes(content)
    return read_dotenv(path)


def problems(folder: Path, content: bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        variables(folder, content)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    "content",
    [
        b"KEY=sk-1",
        b"export KEY=sk-1\n",
        b'KEY="sk-1"\n',
        b"KEY='sk-1'\n",
        b"\xef\xbb\xbfKEY=sk-1\n",
        b"# keys\r\nKEY=sk-1\r\n",
        b"  KEY = sk-1  \n",
        b"KEY=sk-1 # mine\n",
        b"\n\nOTHER\nKEY=sk-1\n",
    ],
)
def test_every_form_of_a_variable_is_read(tmp_path: Path, content: bytes) -> None:
    """Quotes, `export`, blanks, comments, a byte order mark, Windows line ends."""
    assert variables(tmp_path, content)["KEY"] == "sk-1"


def test_a_missing_file_has_no_variables(tmp_path: Path) -> None:
    """Without a .env there are no variables, and no problem."""
    assert read_dotenv(tmp_path / ".env") == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("KEY=s3cret\n".encode("utf-16"), ".env:1: is UTF-16, not UTF-8: save the file with the encoding UTF-8"),
        ("A=1\nKEY=s3crét\n".encode("latin-1"), ".env:2: is not UTF-8: save the file with the encoding UTF-8"),
        (b"A=1\nKEY: s3cret\nB=2\n", ".env:2: is not a variable: write NAME=value"),
        (b"\n\nset KEY=s3cret\r\n", ".env:3: is not a variable: write NAME=value"),
        (b"s3cret key\n", ".env:1: is not a variable: write NAME=value"),
        (b'KEY="s3cret\nB=2\n', ".env:1: is not a variable: write NAME=value"),
        (b"A=1\nKEY=s3\0cret\n", ".env:2: has a NUL character, which no variable can hold"),
        (b"A=" + b"x" * 2**20, ".env: is larger than 1024 KiB: is it a configuration file?"),
    ],
)
def test_problems_have_a_line_and_show_no_value(tmp_path: Path, content: bytes, expected: str) -> None:
    """Encodings of Windows editors, YAML and cmd.exe syntax, an open quote, a NUL."""
    found = problems(tmp_path, content)
    assert expected in found[0]
    assert "s3cret" not in "".join(found)


def test_a_folder_is_reported(tmp_path: Path) -> None:
    """A container runtime creates a folder if the file to mount does not exist."""
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigError, match=r"\.env: is a folder, not a file"):
        read_dotenv(tmp_path / ".env")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_reported(tmp_path: Path) -> None:
    """The sentence names the cause and the remedy."""
    path = tmp_path / ".env"
    path.touch(mode=0)
    with pytest.raises(ConfigError, match=r"\.env: cannot be read \(Permission denied\): check its permissions"):
        read_dotenv(path)


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    """Secret managers feed .env through a pipe, which can be read only once."""
    path = tmp_path / ".env"
    os.mkfifo(path)
    manager = threading.Thread(target=path.write_bytes, args=(b"KEY=sk-1\n",))
    manager.start()
    assert read_dotenv(path) == {"KEY": "sk-1"}
    manager.join()
