"""Finds the running gateway that a command asks, and the key for it."""

import argparse

from config import ConfigError
from handlers.terminal.banner import find_local_host, join_host_port
from handlers.terminal.commands import Invocation
from upstream.gateway_client import DEFAULT_URL, GatewayClient

URL_VARIABLE = "MOM_URL"
KEY_VARIABLE = "MOM_API_KEY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--url`."""
    parser.add_argument(
        "--url",
        metavar="URL",
        help=f"address of the gateway; default: ${URL_VARIABLE}, else that of the configuration ({DEFAULT_URL})",
    )


def open_client(invocation: Invocation) -> GatewayClient:
    """Return a client of the gateway of `--url`, of $MOM_URL, or of the configuration, with the key in $MOM_API_KEY.

    Raises GatewayError if the address or the key is unusable. An unreadable configuration is ignored: the gateway may
    run elsewhere.
    """
    configured = _find_configured_url(invocation)  # also reads the .env, which may have the variables
    environ = invocation.environ
    url = invocation.options.url or environ.get(URL_VARIABLE) or configured
    return GatewayClient(url, environ.get(KEY_VARIABLE) or None)


def _find_configured_url(invocation: Invocation) -> str:
    try:
        server = invocation.read_settings().server
    except ConfigError:
        return DEFAULT_URL
    return f"http://{join_host_port(find_local_host(server.host), server.port)}" if server.port else DEFAULT_URL
