"""Redaction of credentials."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Secret
from tests.running import model
from upstream.redact import json_forms, redact, redact_headers, redact_json, secrets_of

SECRETS = st.text(st.characters(codec="utf-8"), min_size=8, max_size=20)


@given(SECRETS, st.text(), st.text())
def test_a_secret_is_redacted_wherever_it_stands(secret: str, before: str, after: str) -> None:
    """Once or several times."""
    assert secret not in redact(f"{before}{secret}{after}{secret}", [secret]).replace("[redacted]", "")


@given(SECRETS, st.integers(4, 20))
def test_a_secret_that_is_cut_off_is_redacted(secret: str, n_chars: int) -> None:
    """Texts are shortened in many places, by upstreams as well."""
    shown = redact(f"the key {secret[:n_chars]}", [secret])
    assert shown == "the key [redacted]"


@given(SECRETS, st.sampled_from([lambda text: text, lambda text: json.dumps(text, ensure_ascii=False)]))
def test_a_secret_is_redacted_from_json_and_from_json_in_a_string(secret: str, wrap: Any) -> None:
    """Also if it holds quotes, backslashes or other characters that JSON escapes."""
    data = json.dumps({"text": wrap(f"the key {secret}.")}, ensure_ascii=False).encode()
    cleaned = json.loads(redact_json(data, json_forms([secret])))
    assert cleaned == {"text": wrap("the key [redacted].")}


def test_the_longer_of_two_secrets_goes_first() -> None:
    """If one is the beginning of the other, no rest of the longer one is left."""
    assert redact("k-12345678-extra", ["k-12345678", "k-12345678-extra"]) == "[redacted]"


def test_a_short_secret_is_left_alone() -> None:
    """A key such as "123" would take innocent text out."""
    assert redact("HTTP 123", ["123", ""]) == "HTTP 123"


def test_the_secrets_of_a_model_are_its_key_and_its_headers() -> None:
    """An upstream may repeat either."""
    asked = model("a", "http://unused", api_key=Secret("the-key", "K"), headers={"x-team": Secret("the-team", "T")})
    assert secrets_of(asked) == ("the-key", "the-team")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Authorization", False),
        ("X-Api-Key", False),
        ("Cookie", False),
        ("X-Amz-Security-Token", False),
        ("User-Agent", True),
        ("Content-Type", True),
    ],
)
def test_headers_whose_name_suggests_a_credential_are_redacted(name: str, *, kept: bool) -> None:
    """Whatever their value is."""
    assert redact_headers({name: "x"}) == {name: "x" if kept else "[redacted]"}
