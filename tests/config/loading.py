"""Settings and problems of a configuration that a test writes down."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from config import ConfigError, load
from config.settings import Settings


def settings_of(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Load a configuration, which must be right."""
    return load(_written(folder, text), environ or {})


def problems_of(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Load a configuration, which must be wrong; return its problems as `config.yaml:…`."""
    path = _written(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    assert str(caught.value) == "\n".join(caught.value.problems)
    assert all("\n" not in problem for problem in caught.value.problems)
    return [problem.replace(str(path), "config.yaml") for problem in caught.value.problems]


def _written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path
