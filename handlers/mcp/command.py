"""The command `mcp`: an MCP server on standard input and output, started by an agent."""

import argparse
from pathlib import Path

from config.extras import format_install_command
from handlers.errors import StartError
from handlers.mcp.consult import Consultant
from handlers.terminal import running_gateway
from handlers.terminal.commands import EXIT_OK, Invocation
from upstream.gateway_client import GatewayError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mcp`."""
    running_gateway.add_arguments(parser)


def run(invocation: Invocation) -> int:
    """Serve until the client leaves. Raises StartError if the SDK is missing or the gateway's address is unusable.

    A gateway that does not run yet is not an error here: each tool call reports it until it runs.
    """
    try:
        from handlers.mcp.server import serve  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        package = (error.name or "mcp").partition(".")[0]
        raise StartError(f"mcp: {package} is not installed: run {format_install_command('mcp')}") from error
    try:
        client = running_gateway.open_client(invocation)
    except GatewayError as error:
        raise StartError(f"mcp: {error}") from error
    serve(client, Consultant(client, Path.cwd()))
    return EXIT_OK
