"""The command `mcp`."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from config.extras import format_install_command
from handlers.errors import StartError
from handlers.mcp.command import add_arguments, run
from handlers.terminal.commands import Invocation
from tests.processes import ROOT
from tests.running import model, settings


def test_without_the_sdk_one_sentence_names_the_remedy() -> None:
    """Exit code 1, and nothing else is written."""
    code = "import sys; sys.modules['mcp'] = None; import gateway; sys.exit(gateway.main(['mcp']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"mcp: mcp is not installed: run {format_install_command('mcp')}\n"


def test_serving_does_not_import_the_sdk() -> None:
    """A gateway that serves does not import it."""
    code = "import sys, gateway; print([name for name in sys.modules if name.split('.')[0] in ('mcp', 'pydantic')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_unusable_address_is_a_start_error() -> None:
    """Before anything is served."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = parser.parse_args(["--url", "mailto:me"])
    configured = settings([model("a", "http://127.0.0.1:9")])
    invocation = Invocation(options, Path("config.yaml"), {}, lambda: configured, Path("models"), is_shipped=False)
    with pytest.raises(StartError, match="mcp: 'mailto:me' is not the address of a gateway"):
        run(invocation)
