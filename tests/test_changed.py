"""The selection of tests that are near to a change."""

import pytest

from tests.changed import ALWAYS, ROOT, select

SOURCES = {
    "config/a.py": "",
    "config/b.py": "import config.a",
    "tests/config/test_a.py": "",
    "tests/config/test_b.py": "from config import b",
    "tests/handlers/ui/test_page.py": "import config.a as x",
    "tests/handlers/ui/test_other.py": "from config.b import y",
    "tests/test_deploy.py": "",
    **dict.fromkeys(ALWAYS, ""),
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("config/a.py", ["tests/config/test_a.py", "tests/handlers/ui/test_page.py"]),
        ("config/b.py", ["tests/config/test_b.py", "tests/handlers/ui/test_other.py"]),
        ("tests/config/test_a.py", ["tests/config/test_a.py"]),
        ("handlers/ui/style.css", ["tests/handlers/ui/test_other.py", "tests/handlers/ui/test_page.py"]),
        ("deploy/nginx.conf", ["tests/test_deploy.py"]),
        ("docs/traces.md", []),
        ("config/new.py", []),
    ],
)
def test_related_tests_are_selected(changed: str, expected: list[str]) -> None:
    """The module's own tests, direct importers, neighbours of a data file; and always the few for the whole."""
    assert select([changed], SOURCES) == sorted({*ALWAYS, *expected})


@pytest.mark.parametrize("changed", ["tests/running.py", "tests/conftest.py", "tests/fakes/steps.py"])
def test_a_changed_test_tool_selects_every_test(changed: str) -> None:
    """All tests are run."""
    assert select([changed, "config/a.py"], SOURCES) == ["tests"]


def test_the_files_that_always_run_are_there() -> None:
    """They may have been renamed."""
    assert all((ROOT / path).is_file() for path in ALWAYS)
