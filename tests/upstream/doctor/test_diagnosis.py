"""Sentences for failures that these tests cannot cause, and guesses at base URLs."""

import errno
import socket
import ssl
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from config.providers import PROVIDERS
from config.settings import Model, Secret
from tests.running import model
from upstream.doctor.diagnosis import Circumstances, explain, guess_base_urls, is_without_network
from upstream.doctor.model_list import parse_model_list
from upstream.errors import CallError, Kind
from upstream.openai.error_replies import read_error

HOSTED = model("a", "https://api.example.com/v1")


def failed_by(cause: Exception) -> CallError:
    error = CallError(Kind.CONNECT, "cannot connect")
    error.__cause__ = cause
    return error


def test_an_unknown_host_name() -> None:
    """A DNS failure names the host and an unused proxy."""
    cause = aiohttp.ClientConnectorDNSError(Mock(spec=ConnectionKey), socket.gaierror(-2, "Name or service not known"))
    assert explain(failed_by(cause), HOSTED, Circumstances(proxies=["HTTPS_PROXY"])) == (
        "the name api.example.com cannot be resolved: check base_url, and that DNS works; "
        "HTTPS_PROXY is set, but the gateway connects directly, without a proxy"
    )


@pytest.mark.parametrize(("provider", "server"), [("ollama", "ollama"), ("openai", "the server"), (None, "the server")])
def test_nothing_listens(provider: str | None, server: str) -> None:
    """A local server is called by its name; another one behind a hosted provider's API has none."""
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    asked = model("a", "http://127.0.0.1:9/v1", provider=provider)
    assert explain(
        failed_by(aiohttp.ClientConnectorError(Mock(spec=ConnectionKey), refused)), asked, Circumstances()
    ) == (f"nothing listens at 127.0.0.1:9: start {server}, or correct base_url")


def test_a_slow_model() -> None:
    """Only the limit of the whole attempt is one that a slow model needs raised."""
    slow = CallError(Kind.TIMEOUT, "no complete answer within 5 s")
    assert explain(slow, HOSTED, Circumstances()) == (
        "no complete answer within 5 s from api.example.com: raise timeout_s if it is only slow"
    )
    unreached = CallError(Kind.TIMEOUT, "no connection in time")
    assert explain(unreached, HOSTED, Circumstances()) == "no connection in time from api.example.com"


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
            "there is no network route to api.example.com (No route to host): is this machine online?",
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


def provided(provider: str, model_id: str) -> Model:
    """Return a model at a known provider, with its key from the usual variable."""
    known = PROVIDERS[provider]
    key = Secret("sk-0123456789", known.key_variable or "")
    return model("m", known.base_url, provider=provider, model=model_id, api_key=key)


GEMINI_KEY = [
    {
        "error": {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
        }
    }
]
GEMINI_MINUTE = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing details. "
            "Quota exceeded for metric: generate_content_free_tier_requests, limit: 10\nPlease retry in 33.4s.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33s"}],
        }
    }
]
OPENROUTER_WRAPPED = {
    "error": {
        "message": "Provider returned error",
        "code": 429,
        "metadata": {"raw": "google/gemma is temporarily rate-limited upstream.", "provider_name": "Google"},
    }
}
OPENROUTER_JSON = {
    "error": {
        "message": "Provider returned error",
        "code": 400,
        "metadata": {"raw": '{"error": {"message": "top_p must be at most 1", "type": "invalid_request_error"}}'},
    }
}


@pytest.mark.parametrize(
    ("provider", "model_id", "status", "body", "expected"),
    [
        (
            *("anthropic", "claude-sonet-4", 404),
            {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-sonet-4"}},
            "api.anthropic.com has no model 'claude-sonet-4'",
        ),
        (
            *("anthropic", "claude-3", 400),
            {"error": {"message": "Your credit balance is too low to access the Anthropic API."}},
            "no quota or credit is left at api.anthropic.com (HTTP 400: Your credit balance is too low",
        ),
        (
            *("google", "gemini-2.5-pro", 400),
            GEMINI_KEY,
            "the key from GEMINI_API_KEY is refused (HTTP 400: API key not valid. Please pass a valid API key.",
        ),
        (
            *("google", "gemini-2.5-pro", 400),
            {"error": {"code": 400, "message": "API key expired. Please renew the API key."}},
            "the key from GEMINI_API_KEY is refused (HTTP 400: API key expired.",
        ),
        (
            *("google", "gemini-2.5-pro", 429),
            GEMINI_MINUTE,
            "rate limited (HTTP 429: You exceeded your current quota, please check your plan and billing details.",
        ),
        (
            *("google", "gemini-2.5-pro", 429),
            {"error": {"code": 429, "message": "Quota exceeded for metric: requests, limit: 0. Please retry in 5s."}},
            "no quota or credit is left at generativelanguage.googleapis.com (HTTP 429: Quota exceeded",
        ),
        (
            *("google", "gemini-9", 404),
            {"error": {"code": 404, "message": "models/gemini-9 is not found for API version v1main"}},
            "generativelanguage.googleapis.com has no model 'gemini-9'",
        ),
        (
            *("openai", "gpt-9", 404),
            {"error": {"message": "The model `gpt-9` does not exist or you do not have access to it."}},
            "api.openai.com has no model 'gpt-9'",
        ),
        (
            *("openai", "gpt-5", 429),
            {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}},
            "no quota or credit is left at api.openai.com (HTTP 429: You exceeded your current quota.): check billing",
        ),
        (
            *("openrouter", "google/gemma", 429),
            OPENROUTER_WRAPPED,
            "rate limited (HTTP 429: google/gemma is temporarily rate-limited upstream.",
        ),
        (*("openrouter", "google/gemma", 400), OPENROUTER_JSON, "HTTP 400: top_p must be at most 1"),
        (
            *("openrouter", "x/y", 404),
            {"error": {"message": "No endpoints found for x/y.", "code": 404}},
            "openrouter.ai has no model 'x/y'",
        ),
        (
            *("openrouter", "x/y", 404),
            {"error": {"message": "No endpoints found matching your data policy (Free model training).", "code": 404}},
            "the privacy settings of the account at openrouter.ai exclude this model (HTTP 404: No endpoints found",
        ),
        (
            *("openrouter", "x/y", 404),
            {"error": {"message": "No allowed providers are available for the selected model.", "code": 404}},
            "HTTP 404: No allowed providers are available for the selected model.",
        ),
        (
            *("groq", "llama", 404),
            {"error": {"message": "Unknown request URL: POST /v1/chat/completions.", "code": "unknown_url"}},
            "there is no chat API at https://api.groq.com/openai/v1/chat/completions",
        ),
        (*("mistral", "m", 404), {"detail": "Not Found"}, "there is no chat API at https://api.mistral.ai/v1/chat/"),
    ],
)
def test_refusals_of_providers(provider: str, model_id: str, status: int, body: Any, expected: str) -> None:
    """In the shapes in which they come; a 404 is not always a wrong URL, and "quota" not always money."""
    sentence = explain(read_error(body, status), provided(provider, model_id), Circumstances())
    assert sentence.startswith(expected)
    assert "sk-0123456789" not in sentence


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (
            aiohttp.ClientConnectorDNSError(Mock(spec=ConnectionKey), socket.gaierror(-3, "Temporary failure")),
            "the name api.openai.com cannot be resolved: is this machine online, and does its DNS work?",
        ),
        (
            aiohttp.ClientConnectorError(Mock(spec=ConnectionKey), OSError(errno.ENETUNREACH, "unreachable")),
            "there is no network route to api.openai.com (Network is unreachable): is this machine online?",
        ),
    ],
)
def test_without_a_network_the_url_is_not_blamed(cause: Exception, expected: str) -> None:
    """The URL of a known provider is right, so the network is at fault."""
    error = failed_by(cause)
    assert explain(error, provided("openai", "gpt-5"), Circumstances()) == expected
    assert is_without_network(error)
    assert not is_without_network(CallError(Kind.CONNECT, "cannot connect"))


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
def test_guesses_include_the_right_url(base_url: str, meant: str) -> None:
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
    assert parse_model_list(body).ids == ()
