"""Sentences for what cannot be had on this machine, and guesses at base URLs."""

import errno
import socket
import ssl
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from tests.running import model
from upstream.doctor.diagnosis import Circumstances, explain, guess_base_urls
from upstream.doctor.model_list import parse_model_ids
from upstream.errors import CallError, Kind

HOSTED = model("a", "https://api.example.com/v1")


def failed_by(cause: Exception) -> CallError:
    error = CallError(Kind.CONNECT, "cannot connect")
    error.__cause__ = cause
    return error


def test_an_unknown_host_name() -> None:
    """A DNS failure names the host and an unused proxy."""
    cause = aiohttp.ClientConnectorDNSError(Mock(spec=ConnectionKey), socket.gaierror(-2, "Name or service not known"))
    assert explain(failed_by(cause), HOSTED, Circumstances(proxies=["HTTPS_PROXY"])) == (
        "the name api.example.com cannot be resolved: check base_url; "
        "HTTPS_PROXY is set, but the gateway connects directly, without a proxy"
    )


def test_an_invalid_certificate() -> None:
    """The sentence quotes OpenSSL's reason."""
    wrong = ssl.SSLCertVerificationError(1, "certificate verify failed")
    wrong.verify_message = "self-signed certificate"
    cause = aiohttp.ClientConnectorCertificateError(Mock(spec=ConnectionKey), wrong)
    assert explain(failed_by(cause), HOSTED, Circumstances()) == (
        "the certificate of api.example.com is not accepted (self-signed certificate): "
        "check base_url and the certificate's issuer"
    )


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (
            aiohttp.ClientConnectorError(Mock(spec=ConnectionKey), OSError(errno.EHOSTUNREACH, "No route to host")),
            "cannot connect to api.example.com (No route to host)",
        ),
        (aiohttp.ClientError(), "cannot connect to api.example.com"),
    ],
)
def test_a_failed_connection(cause: Exception, told: str) -> None:
    """The sentence quotes the system's reason, if there is one."""
    assert explain(failed_by(cause), HOSTED, Circumstances()) == told


def test_a_server_without_the_method() -> None:
    """501 from a file server, for example, is not worth a retry."""
    error = CallError(Kind.SERVER_ERROR, "Unsupported method ('POST')", status=501)
    assert explain(error, HOSTED, Circumstances()).startswith("api.example.com has no chat API here")
    error = CallError(Kind.SERVER_ERROR, "overloaded", status=503)
    assert explain(error, HOSTED, Circumstances()).endswith("try again later")


def test_the_first_listed_ids_if_none_is_similar() -> None:
    """The sentence lists the first few in order."""
    error = CallError(Kind.REJECTED, "HTTP 404", status=404)
    around = Circumstances(frozenset({"delta", "charlie", "bravo", "alpha"}))
    wanted = model("x", "http://h/v1", model="zzz")
    assert explain(error, wanted, around) == "h has no model 'zzz'; it lists alpha, bravo, charlie …"


@pytest.mark.parametrize(
    ("base_url", "meant"),
    [
        ("https://openrouter.ai/v1", "https://openrouter.ai/api/v1"),
        ("https://openrouter.ai/api", "https://openrouter.ai/api/v1"),
        ("https://api.groq.com/v1", "https://api.groq.com/openai/v1"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/api", "http://127.0.0.1:11434/v1"),
        ("https://api.openai.com/v1/v1", "https://api.openai.com/v1"),
        ("https://generativelanguage.googleapis.com/v1beta", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ],
)
def test_guesses(base_url: str, meant: str) -> None:
    """Common mistakes are among the few guesses, which are on the same host and differ from the URL."""
    found = guess_base_urls(base_url)
    assert meant in found
    assert base_url not in found
    assert len(found) <= 6
    assert {url.split("/")[2] for url in found} == {base_url.split("/")[2]}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 100_000, b"{}", b'{"data": [{"id": 3}, 4, {"id": "a\\u001b"}]}']
)
def test_bodies_that_are_no_list(body: bytes) -> None:
    """Ids with control characters are ignored as well."""
    assert parse_model_ids(body) is None
