"""The facts about providers agree with each other and with their uses."""

from typing import get_args

import pytest

from config.providers import ALL_CAPABILITIES, EMBEDDED, PROVIDERS, SYNONYMS, WEIGHT_NAMES, Provider
from config.reader import suggest
from config.settings import Capability, UpstreamApi
from config.values import base_url
from tests.config.test_values import read
from upstream.embedded.catalogue import CATALOGUE

each_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))


@each_provider
def test_an_address_is_one_that_config_accepts(provider: Provider) -> None:
    """Complete and without a slash at its end; only embedded models have none."""
    if provider is PROVIDERS[EMBEDDED]:
        assert provider.base_url == ""
    else:
        assert read(base_url, provider.base_url) == provider.base_url


@each_provider
def test_a_provider_elsewhere_needs_a_key(provider: Provider) -> None:
    """By https; one on this machine needs neither."""
    is_here = provider.base_url.startswith("http://127.0.0.1:") or not provider.base_url
    assert (provider.key_variable is None) == is_here
    assert is_here or provider.base_url.startswith("https://")


@each_provider
def test_words_are_those_that_settings_know(provider: Provider) -> None:
    """Capabilities and APIs; nothing is renamed to itself."""
    assert provider.capabilities <= ALL_CAPABILITIES == set(get_args(Capability))
    assert provider.api in get_args(UpstreamApi)
    for names in (provider.rename, provider.roles):
        assert all(old != new for old, new in names.items())


def test_keys_are_not_shared() -> None:
    """One provider's key is never sent to another."""
    variables = [provider.key_variable for provider in PROVIDERS.values() if provider.key_variable]
    assert len(variables) == len(set(variables))


def test_synonyms_lead_to_providers() -> None:
    """And are no providers themselves."""
    assert set(SYNONYMS.values()) <= set(PROVIDERS)
    assert not set(SYNONYMS) & set(PROVIDERS)


@pytest.mark.parametrize(("word", "provider"), SYNONYMS.items())
def test_a_synonym_is_suggested(word: str, provider: str) -> None:
    """In the words of the message about an unknown provider."""
    assert suggest(word, PROVIDERS, SYNONYMS) == f": did you mean {provider}?"


def test_every_weight_has_a_source() -> None:
    """The names in the configuration are those of the catalogue."""
    assert set(WEIGHT_NAMES) == set(CATALOGUE)
