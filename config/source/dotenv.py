"""Reads `.env`, the file of variables beside config.yaml."""

import io
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from config.source.problems import ConfigError
from config.source.text_file import read_text


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file, or {} if it does not exist.

    Raises ConfigError with one line for each problem; no line shows a value. The file is read once, so it may be a
    named pipe that a secret manager feeds.
    """
    if not path.exists():
        return {}
    text = read_text(path, missing="it was removed while it was read")
    problems = [f"{path}:{line}: {problem}" for line, problem in _find_problems(text)]
    if problems:
        raise ConfigError(*problems)
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def _find_problems(text: str) -> list[tuple[int, str]]:
    """Return (line, problem) of each statement that cannot become a variable."""
    found = []
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.line + len(binding.original.string) - len(binding.original.string.lstrip("\r\n"))
        if binding.error or (binding.key and not binding.key.replace(".", "_").replace("-", "_").isidentifier()):
            found.append((line, "is not a variable: write NAME=value, with quotes around a value that has blanks"))
        elif "\0" in (binding.value or ""):
            found.append((line, "has a NUL character, which no variable can hold"))
    return found
