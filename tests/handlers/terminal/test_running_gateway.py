"""The gateway that a command asks."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config import ConfigError
from config.settings import Server, Settings
from handlers.terminal.commands import Invocation
from handlers.terminal.running_gateway import add_arguments, open_client
from tests.running import model, settings
from upstream.gateway_client import GatewayError

HERE = "http://127.0.0.1:8000"


def configured(**server: Any) -> Callable[[], Settings]:
    return lambda: settings([model("a", HERE)], server=Server(**server))


def unreadable() -> Settings:
    raise ConfigError("config.yaml: missing")


def client_url(*arguments: str, read: Callable[[], Settings] = unreadable, **environ: str) -> str:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = parser.parse_args(arguments)
    invocation = Invocation(options, Path("config.yaml"), environ, read, Path("models"), is_shipped=False)
    return open_client(invocation).url


def test_the_address_is_the_options_or_the_environments_or_the_configurations() -> None:
    """In this order."""
    at_9000 = configured(port=9000)
    assert client_url("--url", "http://h:1", read=at_9000, MOM_URL="http://h:2") == "http://h:1"
    assert client_url(read=at_9000, MOM_URL="http://h:2") == "http://h:2"
    assert client_url(read=at_9000) == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("host", "url"), [("0.0.0.0", HERE), ("::", "http://[::1]:8000"), ("10.0.0.7", "http://10.0.0.7:8000")]
)
def test_an_address_to_listen_on_is_not_one_to_ask(host: str, url: str) -> None:
    """A gateway that listens on all addresses is reached on this machine's own."""
    assert client_url(read=configured(host=host)) == url


def test_without_a_usable_configuration_it_is_the_default() -> None:
    """The gateway may run elsewhere; one at a random port is not found by its configuration."""
    assert client_url() == HERE
    assert client_url(read=configured(port=0)) == HERE


def test_an_unusable_address_is_an_error() -> None:
    """Before anything is sent."""
    with pytest.raises(GatewayError, match="not the address"):
        client_url("--url", "mailto:me")
