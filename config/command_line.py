"""The command line of gateway.py."""

import argparse
from collections.abc import Sequence
from pathlib import Path

_MAX_PORT = 65535


def parse_options(arguments: Sequence[str] | None, *, config: Path) -> argparse.Namespace:
    """Return the options of the command line (None: those of the process); `config` is the default of --config.

    SystemExit with status 2 and the usage on stderr if the options are invalid, with status 0 after --help.
    """
    parser = argparse.ArgumentParser(prog="gateway.py", description="Mixture-of-Models Gateway")
    parser.add_argument("--config", type=Path, default=config, metavar="FILE")
    parser.add_argument("--host", metavar="HOST", help="address to listen on, instead of server.host")
    parser.add_argument("--port", type=_port, metavar="PORT", help="port to listen on, instead of server.port; 0: any")
    parser.add_argument("--debug", action="store_true", help="log each attempt and the output of embedded models")
    parser.add_argument(
        "--debug-requests",
        type=Path,
        nargs="?",
        const=Path("debug-requests"),
        metavar="DIR",
        help="write a trace of each request to DIR (default: debug-requests)",
    )
    parser.add_argument("--doctor", action="store_true", help="check the configuration, ask every model, and exit")
    parser.add_argument("--check", dest="doctor", action="store_true", help=argparse.SUPPRESS)  # the former name
    parser.add_argument("--offline", action="store_true", help="with --doctor: ask no model")
    found = parser.parse_args(arguments)
    if found.offline and not found.doctor:
        parser.error("--offline requires --doctor")
    return found


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {_MAX_PORT}, is {text!r}")
    return int(text)
