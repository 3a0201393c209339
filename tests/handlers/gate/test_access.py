"""Admission as a function of the headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from config.settings import ApiKey, Secret, Server
from handlers.errors import ApiError
from handlers.gate import access

KEYS = tuple(ApiKey(name, Secret(f"sk-{name}-0123456789", name)) for name in ("laptop", "ci"))


def passes_host(host: str, server: Server) -> bool:
    try:
        access.check_host(CIMultiDict(Host=host), server)
    except ApiError as error:
        return (error.status, error.code) != (403, "host_not_allowed")
    return True


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8000", "127.0.0.1:1", "127.8.8.8", "[::1]:8000", "localhost."]
)
def test_loopback_has_these_names(host: str) -> None:
    """With any port: it may have been mapped."""
    assert passes_host(host, Server())


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "evil.example#localhost",
        "evil.example/localhost",
        "localhost:80:80",
        "[::1",
        "0.0.0.0",
        "10.0.0.1:8000",
        "",
    ],
)
def test_loopback_has_no_other_names(host: str) -> None:
    """A page whose name was rebound to 127.0.0.1 still says its own."""
    assert not passes_host(host, Server())


def test_names_may_be_added() -> None:
    """Beside those of loopback, which stay."""
    server = Server(allowed_hosts=("box.local",))
    assert passes_host("BOX.local:8000", server)
    assert passes_host("localhost", server)
    assert not passes_host("evil.example", server)


def test_elsewhere_only_named_hosts_count() -> None:
    """At another address the gateway cannot know its own names, so the configuration has to list them."""
    assert passes_host("anything.example", Server(host="0.0.0.0"))
    assert not passes_host("anything.example", Server(host="0.0.0.0", allowed_hosts=("box.local",)))


def test_every_host_header_counts() -> None:
    """A second one does not hide behind the first."""
    headers = CIMultiDict([("Host", "localhost"), ("Host", "evil.example")])
    with pytest.raises(ApiError):
        access.check_host(headers, Server())


@given(st.text(st.characters(codec="latin-1")))
def test_any_host_header_is_decided(host: str) -> None:
    """Any value is accepted or refused, and only loopback's names are accepted."""
    if passes_host(host, Server()):
        assert host.lower().startswith(("localhost", "127.", "[::1]", "[0", "[:"))


@given(st.text(st.characters(codec="latin-1")))
def test_any_credential_is_decided(credential: str) -> None:
    """Any value that is not a configured key is refused."""
    with pytest.raises(ApiError) as caught:
        access.authenticate(CIMultiDict(Authorization=f"Bearer {credential}"), KEYS)
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_each_key_is_known_by_its_name(scheme: str) -> None:
    """Each of several keys has its own name."""
    for key in KEYS:
        assert access.authenticate(CIMultiDict(Authorization=f"{scheme} {key.key.value}"), KEYS) == key


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer ", "Basic sk-ci-0123456789", "sk-ci-0123456789"])
def test_other_ways_to_show_a_key_are_none(shown: str | None) -> None:
    """The refusal says how to send a key."""
    headers: CIMultiDict[str] = CIMultiDict({} if shown is None else {"Authorization": shown})
    with pytest.raises(ApiError, match="Authorization: Bearer"):
        access.authenticate(headers, KEYS)


@pytest.mark.parametrize("headers", [{"x-api-key": "sk-ci-0123456789"}, {"Authorization": "Bearer sk-ci-0123456789"}])
def test_a_key_may_come_in_either_header(headers: dict[str, str]) -> None:
    """Anthropic's clients send `x-api-key`, most others a bearer token."""
    assert access.authenticate(CIMultiDict(headers), KEYS).name == "ci"


def test_a_valid_x_api_key_does_not_excuse_a_wrong_bearer_token() -> None:
    """`Authorization` decides if it is there."""
    headers = CIMultiDict({"Authorization": "Bearer wrong", "x-api-key": "sk-ci-0123456789"})
    with pytest.raises(ApiError):
        access.authenticate(headers, KEYS)
