"""Which hosts are loopback; the forms of hosts and origins are tested with `server`."""

import pytest

from config.sections.addresses import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "LocalHost.", "::1"])
def test_loopback_addresses_are_recognised(host: str) -> None:
    """They can be reached from this machine only."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", ""])
def test_other_addresses_are_not_loopback(host: str) -> None:
    """A server that listens on these can be reached from elsewhere."""
    assert not is_loopback(host)
