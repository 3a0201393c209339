"""The options of gateway.py."""

from pathlib import Path

import pytest

from config.command_line import parse_options

CONFIG = Path("config.yaml")


def test_defaults() -> None:
    """Serve with the given file, and with the host and port of the file."""
    options = parse_options([], config=CONFIG)
    assert (options.config, options.host, options.port) == (CONFIG, None, None)
    assert (options.doctor, options.offline, options.debug, options.debug_requests) == (False, False, False, None)


@pytest.mark.parametrize(("arguments", "folder"), [([], "debug-requests"), (["traces"], "traces")])
def test_debug_requests_has_a_default_folder(arguments: list[str], folder: str) -> None:
    """The folder is optional."""
    assert parse_options(["--debug-requests", *arguments], config=CONFIG).debug_requests == Path(folder)


def test_check_is_a_hidden_name_of_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    """It works as before."""
    assert parse_options(["--check", "--offline"], config=CONFIG).doctor
    with pytest.raises(SystemExit) as ended:
        parse_options(["--help"], config=CONFIG)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--doctor" in shown
    assert "--check" not in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--offline"], "--offline requires --doctor"),
        (["--port", "65536"], "must be a whole number from 0 to 65535, is '65536'"),
        (["--port", "http"], "must be a whole number from 0 to 65535, is 'http'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_invalid_options(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, with the reason on stderr."""
    with pytest.raises(SystemExit) as ended:
        parse_options(arguments, config=CONFIG)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
