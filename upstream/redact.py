"""Redaction: removes credentials from every text that leaves the process. Pure.

Upstreams repeat the keys that they were sent ("Incorrect API key provided: sk-…"). Attempts redact their messages, the
trace store its documents, and the doctor its tables, all by the functions here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from config.settings import Model

REDACTED = "[redacted]"
MIN_SECRET_CHARS = 8
"""A shorter secret is not redacted: it would take innocent text out as well."""

_MIN_CUT_CHARS = 4
_CREDENTIAL_WORDS = ("authorization", "cookie", "key", "token", "secret", "password")


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text without the secrets, also without the beginning of one that is cut off at its end."""
    for secret in _longest_first(secrets):
        text = _redact_cut_off(text.replace(secret, REDACTED), secret)
    return text


def secrets_of(model: Model) -> tuple[str, ...]:
    """Return the secrets of a model: its key and the values of its headers."""
    return tuple(secret.value for secret in (model.api_key, *model.headers.values()) if secret is not None)


def json_forms(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """Return the secrets as they appear in JSON, and in JSON inside a string of JSON; for `redact_json`."""
    return tuple(dict.fromkeys(form for secret in _longest_first(secrets) for form in _escaped(secret)))


def redact_json(data: bytes, forms: Iterable[bytes]) -> bytes:
    """Return JSON without the secrets whose `json_forms` are given."""
    for form in forms:
        data = data.replace(form, REDACTED.encode())
    return data


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers, with the value replaced if the name suggests a credential."""
    return {name: REDACTED if _may_hold_a_credential(name) else value for name, value in headers.items()}


def _redact_cut_off(text: str, secret: str) -> str:
    """Texts are shortened in many places, by upstreams as well."""
    for n_chars in range(min(len(secret) - 1, len(text)), _MIN_CUT_CHARS - 1, -1):
        if text.endswith(secret[:n_chars]):
            return text[:-n_chars] + REDACTED
    return text


def _longest_first(secrets: Iterable[str]) -> list[str]:
    """Return the secrets in an order in which none cuts a part out of a longer one."""
    return sorted({secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS}, key=len, reverse=True)


def _escaped(secret: str) -> Iterator[bytes]:
    """Yield the secret escaped twice, which may contain the other form, and escaped once."""
    once = json.dumps(secret, ensure_ascii=False)[1:-1]
    for form in (json.dumps(once, ensure_ascii=False)[1:-1], once):
        yield form.encode(errors="backslashreplace")


@lru_cache(maxsize=256)
def _may_hold_a_credential(header: str) -> bool:
    name = header.lower()
    return any(word in name for word in _CREDENTIAL_WORDS)
