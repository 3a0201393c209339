"""Following a row of "Where to add things" (docs/architecture.md) gives a working addition."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.copied import copy_sources
from tests.processes import PATIENCE_S, ROOT
from tests.recipes.checks import CHECKS
from tests.recipes.steps import STEPS

PAGE = ROOT.joinpath("docs", "architecture.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", PAGE.split("\n## Where to add things\n")[1], re.MULTILINE))
NOT_FOLLOWED = {"addition", "---", "a request field with a meaning"}
"""The head of the table, and an addition that needs a design of its own."""


def test_every_recipe_is_followed() -> None:
    """A new row needs steps and a check, or a reason here."""
    assert ROWS.keys() - NOT_FOLLOWED == STEPS.keys() == CHECKS.keys()


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[str], str]]:
    """Follow every recipe in one copy of the sources; return the files that each has changed, and its failure."""
    copy = copy_sources(tmp_path_factory.mktemp("recipes"), "docs", "deploy", "pyproject.toml")
    (copy.root / "tests").symlink_to(ROOT / "tests")
    changed: dict[str, list[str]] = {}
    for recipe, follow in STEPS.items():
        follow(copy)
        changed[recipe] = copy.changed.copy()
        copy.changed.clear()
    code = "import json; from tests.recipes.checks import run_checks; print(json.dumps(run_checks()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=copy.root, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    failures = json.loads(done.stdout.splitlines()[-1])
    return {recipe: (changed[recipe], failures[recipe]) for recipe in STEPS}


@pytest.mark.parametrize("recipe", STEPS)
def test_a_recipe_works(followed: dict[str, tuple[list[str], str]], recipe: str) -> None:
    """It takes the files that its row names, and no others."""
    changed, failure = followed[recipe]
    assert failure == ""
    assert [name for name in changed if not _is_named(name, ROWS[recipe])] == []


def _is_named(path: str, places: str) -> bool:
    """Whether the places of a row name a file: by its path, by its name, or by a folder that holds it."""
    named = re.findall(r"[\w.-]+(?:/[\w.-]+)*/?", places)
    return any(
        each == path or each == Path(path).name or ("/" in each and path.startswith(f"{each.rstrip('/')}/"))
        for each in named
    )
