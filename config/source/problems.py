"""The problems of a configuration file, collected while it is read and reported together."""

from pathlib import Path
from typing import NamedTuple

MAX_MESSAGES = 50


class Problem(NamedTuple):
    """One message: the line (from 1), the path in the document (`models[1].timeout_s`, or ""), the text."""

    line: int
    path: str
    message: str


class Problems:
    """Collects the problems of one file, in any order."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._found: list[Problem] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, line: int, path: str, message: str) -> None:
        """Add one problem."""
        self._found.append(Problem(line, path, message))

    def messages(self) -> tuple[str, ...]:
        """Return one line for each problem, `config.yaml:14: models[1].timeout_s: …`, in file order.

        At most MAX_MESSAGES, and then how many more there are: a reload writes them all into the log.
        """
        ordered = sorted(self._found, key=lambda problem: problem.line)
        shown = [
            f"{self.file}:{line}: {path}: {message}" if path else f"{self.file}:{line}: {message}"
            for line, path, message in ordered[:MAX_MESSAGES]
        ]
        n_more = len(ordered) - len(shown)
        return (*shown, *([f"{self.file}: {n_more:,} more problems are not shown"] if n_more else []))


class ConfigError(Exception):
    """The configuration is invalid or cannot be read. `problems` has one line for each reason, in file order."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
