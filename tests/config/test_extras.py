"""The command that installs an extra."""

import sys
from pathlib import Path

import pytest

from config.extras import format_install_command

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("extra", ["mcp", "otel", "redis"])
def test_a_checkout_installs_its_own_pins(extra: str) -> None:
    """By the file of requirements, which exists."""
    requirements = ROOT / f"requirements-{extra}.txt"
    assert requirements.is_file()
    assert format_install_command(extra) == f"{sys.executable} -m pip install -r {requirements}"


def test_an_installed_gateway_names_its_extra(tmp_path: Path) -> None:
    """It is installed already in this environment, so pip takes the extra from its metadata."""
    assert format_install_command("mcp", tmp_path) == f"{sys.executable} -m pip install 'mom-gateway[mcp]'"
