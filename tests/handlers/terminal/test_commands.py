"""The commands, and the command line that chooses one."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from config.version import VERSION
from handlers.terminal.commands import COMMANDS, DOCTOR, SERVE, parse_arguments

ROOT = Path(__file__).parents[3]


def parsed(*arguments: str) -> tuple[str, argparse.Namespace]:
    command, options = parse_arguments(arguments, program="mom-gateway")
    return command.name, options


@pytest.mark.parametrize("command", [each for each in COMMANDS if each is not SERVE], ids=lambda each: each.name)
def test_every_command_can_be_parsed_and_run(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    """Its module has `add_arguments` and `run`, and its help begins with the line of the table."""
    assert isinstance(command, type(DOCTOR))
    assert callable(command.load().run)
    with pytest.raises(SystemExit) as ended:
        parsed(command.name, "--help")
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"usage: mom-gateway {command.name} " in shown
    assert command.help[1:] in shown


def test_without_a_command_it_serves() -> None:
    """With or without its name; the options are the same."""
    name, options = parsed("--port", "9000", "--debug-requests")
    assert name == parsed()[0] == "serve"
    assert vars(parsed("serve", "--port", "9000", "--debug-requests")[1]).items() <= vars(options).items()


def test_the_help_of_serve(capsys: pytest.CaptureFixture[str]) -> None:
    """It has the options of that command alone."""
    with pytest.raises(SystemExit) as ended:
        parsed("serve", "--help")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: mom-gateway serve " in shown
    assert "--debug-requests" in shown
    assert not any(f"  {command.name} " in shown for command in COMMANDS)


def test_the_doctor_as_an_option() -> None:
    """`--doctor` and its former name lead to the command."""
    for arguments in (["doctor", "--offline"], ["--doctor", "--offline"], ["--check", "--offline"]):
        name, options = parsed(*arguments)
        assert (name, options.offline) == ("doctor", True)


def test_the_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, and not the former name of --doctor."""
    with pytest.raises(SystemExit) as ended:
        parsed("--help")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"  {command.name} " in shown and command.help in shown for command in COMMANDS)
    assert "--check" not in shown


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, with exit code 0."""
    with pytest.raises(SystemExit) as ended:
        parsed("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mom-gateway {VERSION}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--offline"], "--offline requires --doctor"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["dcotor"], "'dcotor' is not a command: did you mean doctor?"),
        ([""], "'' is not a command (commands: serve, init"),
        (["doctor", "serve"], "unrecognized arguments: serve"),
    ],
)
def test_invalid_command_lines_are_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, with the reason on stderr."""
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_start_imports_no_other_command() -> None:
    """The gateway pays for none of them."""
    code = (
        "import sys; from handlers.terminal.commands import COMMANDS, parse_arguments; import gateway; "
        "parse_arguments([], program='x'); print([c.name for c in COMMANDS if c.module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
