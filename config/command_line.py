"""Options of the command line that several commands share, and the checks of their values."""

import argparse
from pathlib import Path

_MAX_PORT = 65535


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config FILE`. Its default is None: see config/locations.py."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration; its folder may have a .env")


def add_serving(parser: argparse.ArgumentParser) -> None:
    """Add the options of a gateway that serves: address, debugging."""
    add_address(parser)
    parser.add_argument("--debug", action="store_true", help="log each attempt and the output of embedded models")
    parser.add_argument(
        "--debug-requests",
        type=Path,
        nargs="?",
        const=Path("debug-requests"),
        metavar="DIR",
        help="write a trace of each request to DIR (default: debug-requests)",
    )


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add `--host` and `--port`, which override the file's. Their default is None."""
    parser.add_argument("--host", metavar="HOST", help="address to listen on, instead of server.host")
    parser.add_argument("--port", type=_port, metavar="PORT", help="port to listen on, instead of server.port; 0: any")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {_MAX_PORT}, is {text!r}")
    return int(text)
