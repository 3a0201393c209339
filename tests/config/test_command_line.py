"""The options that commands share."""

import argparse
from pathlib import Path

import pytest

from config.command_line import add_address, add_config, add_serving


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_config(parser)
    add_serving(parser)
    return parser.parse_args(arguments)


def test_options_have_defaults() -> None:
    """The file is looked up, the host and port are those of the file, nothing is traced."""
    assert vars(parsed()) == {"config": None, "host": None, "port": None, "debug": False, "debug_requests": None}


@pytest.mark.parametrize(("arguments", "folder"), [([], "debug-requests"), (["traces"], "traces")])
def test_debug_requests_has_a_default_folder(arguments: list[str], folder: str) -> None:
    """The folder is optional."""
    assert parsed("--debug-requests", *arguments).debug_requests == Path(folder)


@pytest.mark.parametrize("port", ["65536", "http", "-1", "1.5", ""])
def test_invalid_ports_are_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, with the range on stderr."""
    parser = argparse.ArgumentParser()
    add_address(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([f"--port={port}"])
    assert ended.value.code == 2
    assert f"must be a whole number from 0 to 65535, is '{port}'" in capsys.readouterr().err
