"""Questions of developers, written for this project, whose answers a pattern recognises."""

import re
import tomllib
from functools import partial
from pathlib import Path

from eval.items import Item
from runtime.sandbox.programs import Program

SUITE = "prose"
_QUESTIONS = Path(__file__).with_name("questions.toml")


def items() -> list[Item]:
    """Return all questions in the order of the file."""
    return [
        Item(
            SUITE,
            row["name"],
            [{"role": "user", "content": row["text"]}],
            partial(_program, row["answer"], row.get("wrong")),
        )
        for row in tomllib.loads(_QUESTIONS.read_text(encoding="utf-8"))["question"]
    ]


def is_right(answer: str, wrong: str | None, text: str) -> bool:
    """Whether a reply has the answer, and not the wrong one."""
    return bool(re.search(answer, text, re.IGNORECASE)) and not (wrong and re.search(wrong, text, re.IGNORECASE))


def _program(answer: str, wrong: str | None, text: str) -> Program:
    """Return a program that runs to its end if the reply is right: all suites are graded by running something."""
    return Program({"main.py": f"assert {is_right(answer, wrong, text)}\n"}, "main.py")
