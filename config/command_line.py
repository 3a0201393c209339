"""The command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path

_LAST_PORT = 65535


def options(arguments: Sequence[str] | None, *, config: Path) -> argparse.Namespace:
    """Return what the command line says (None: the process's own); `config` is the file where it names none.

    SystemExit with status 2 and the usage on stderr where it cannot be read, and with 0 after --help.
    """
    parser = argparse.ArgumentParser(prog="gateway.py", description="Mixture-of-Models Gateway")
    parser.add_argument("--config", type=Path, default=config, metavar="F")
    parser.add_argument("--host", metavar="H", help="address to listen on, instead of server.host")
    parser.add_argument("--port", type=_port, metavar="P", help="port to listen on, instead of server.port; 0: any")
    parser.add_argument("--debug", action="store_true", help="log attempts, and what the embedded models say")
    parser.add_argument(
        "--debug-requests",
        type=Path,
        nargs="?",
        const=Path("debug-requests"),
        metavar="DIR",
        help="write one trace for each request to DIR (default: debug-requests)",
    )
    parser.add_argument("--check", action="store_true", help="check the configuration, ask every model, and exit")
    parser.add_argument("--offline", action="store_true", help="with --check: ask nobody")
    found = parser.parse_args(arguments)
    if found.offline and not found.check:
        parser.error("--offline is for --check")
    return found


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {_LAST_PORT}, is {text!r}")
    return int(text)
