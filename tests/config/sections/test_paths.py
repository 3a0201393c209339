"""Paths in config.yaml are found from its folder, and anything else is reported with the key and the remedy."""

from pathlib import Path

import pytest

from config import ConfigError
from tests.config.loading import settings_of

MODELS = "models: [{name: a, base_url: 'http://h'}, {name: b, base_url: 'http://h'}]"


def checker_of(workdir: str) -> str:
    """Return the configuration of a mixture whose checker has this work tree."""
    return f"{MODELS}\nmixtures: [{{name: m, checker: {{workdir: {workdir}, command: [a]}}}}]"


@pytest.mark.parametrize("workdir", ["src", "./src", "src/../src", '"{folder}/src"'])
def test_a_path_starts_from_the_configuration_file(tmp_path: Path, workdir: str) -> None:
    """A relative path and an absolute one lead to the same folder."""
    (tmp_path / "src").mkdir()
    (mixture,) = settings_of(tmp_path, checker_of(workdir.replace("{folder}", str(tmp_path)))).mixtures
    assert mixture.checker is not None
    assert mixture.checker.workdir == (tmp_path / "src").resolve()


@pytest.mark.parametrize(
    ("workdir", "problem"),
    [
        ("nowhere", "is not a folder; a relative path starts from the folder of the configuration file"),
        ("file", "is not a folder"),
        ("file/below", "is not a folder"),
        ('"a\\0b"', "cannot be looked up"),
        ("~no-such-user/src", "cannot be looked up"),
    ],
)
def test_a_path_that_is_no_folder_is_reported(tmp_path: Path, workdir: str, problem: str) -> None:
    """With the key that names it; nothing that a path can hold ends the check of the rest."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        settings_of(tmp_path, checker_of(workdir))
    assert f"checker.workdir: {problem}" in str(error.value)
