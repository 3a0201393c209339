"""The commands of `mom-gateway`: their table, and the parser of the command line.

A new command is one entry in COMMANDS and a module with `add_arguments` and `run` (see `CommandModule`). The module is
imported only if its command is chosen, so that starting the gateway does not pay for them.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from config.command_line import add_config, add_serving
from config.reader import suggest
from config.settings import Settings
from config.version import VERSION

EXIT_OK, EXIT_FAILED, EXIT_BAD_CONFIG, EXIT_INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, slots=True)
class Invocation:
    """The input of a command: its options, and the process around it.

    `config` is the file of `--config`, or the one found without it. `read_settings` reads it with the variables of the
    `.env` beside it, and raises ConfigError if it has mistakes. `environ` is the environment of the process, from then
    on with those variables. `models_dir` is the folder of weights. `is_shipped`: `config` is the file inside an
    installed package.
    """

    options: argparse.Namespace
    config: Path
    environ: Mapping[str, str]
    read_settings: Callable[[], Settings]
    models_dir: Path
    is_shipped: bool


class CommandModule(Protocol):
    """A module with a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's options; `--config` is there already."""

    def run(self, invocation: Invocation) -> int:
        """Run the command and return the exit code. ConfigError and StartError are printed by the caller."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command by its name: one line of help, and the module that runs it."""

    name: str
    help: str
    module: str

    def load(self) -> CommandModule:
        """Import the module."""
        return cast("CommandModule", import_module(self.module))


SERVE = Command("serve", "serve the API; the default", "")
"""The gateway itself, which gateway.py runs."""

DOCTOR = Command("doctor", "check the configuration and ask every model", "handlers.terminal.doctor")

ASK = Command("ask", "ask a running gateway a question", "handlers.terminal.ask")

INIT = Command("init", "write config.yaml and .env for the keys and servers that are found", "handlers.terminal.init")

MCP = Command("mcp", "offer a running gateway's panels to an agent as MCP tools", "handlers.mcp.command")

TRUST = Command("trust", "report feedback on the members of each mixture", "handlers.terminal.trust")

USAGE = Command("usage", "print the usage by day, client, mixture and model", "handlers.terminal.usage")

COMMANDS: tuple[Command, ...] = (SERVE, INIT, DOCTOR, ASK, MCP, USAGE, TRUST)
_BY_NAME = {command.name: command for command in COMMANDS}


def parse_arguments(arguments: Sequence[str] | None, *, program: str) -> tuple[Command, argparse.Namespace]:
    """Return the command of a command line and its options (None: those of the process).

    Without the name of a command it is `serve`; `--doctor`, its former name `--check`, and `--offline` with it are
    accepted then. SystemExit with status 2 and the usage on stderr if the options are invalid, with
    status 0 after --help and --version.
    """
    rest = list(sys.argv[1:] if arguments is None else arguments)
    if not rest or rest[0].startswith("-"):
        return _parse_without_command(rest, program)
    command = _find_command(rest[0], program)
    parser = argparse.ArgumentParser(prog=f"{program} {command.name}", description=_sentence(command.help))
    add_config(parser)
    if command is SERVE:
        add_serving(parser)
    else:
        command.load().add_arguments(parser)
    return command, parser.parse_args(rest[1:])


def _find_command(name: str, program: str) -> Command:
    if name not in _BY_NAME:
        argparse.ArgumentParser(prog=program).error(
            f"{name!r} is not a command{suggest(name, _BY_NAME)} (commands: {', '.join(_BY_NAME)})"
        )
    return _BY_NAME[name]


def _parse_without_command(rest: Sequence[str], program: str) -> tuple[Command, argparse.Namespace]:
    width = max(map(len, _BY_NAME))
    commands = "\n".join(f"  {each.name:{width}}  {each.help}" for each in COMMANDS)
    parser = argparse.ArgumentParser(
        prog=program,
        description="Mixture-of-Models Gateway",
        epilog=f"commands, each with a --help of its own:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    add_serving(parser)
    parser.add_argument("--version", action="version", version=f"mom-gateway {VERSION}")
    parser.add_argument("--doctor", action="store_true", help="same as the command `doctor`")
    parser.add_argument("--check", dest="doctor", action="store_true", help=argparse.SUPPRESS)  # the former name
    parser.add_argument("--offline", action="store_true", help="with --doctor: ask no model")
    options = parser.parse_args(rest)
    if options.offline and not options.doctor:
        parser.error("--offline requires --doctor")
    return (DOCTOR if options.doctor else SERVE), options


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
