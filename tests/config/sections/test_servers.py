"""`server`: client keys, origins, and the address to listen on."""

from pathlib import Path

import pytest

from config import ConfigError, load
from config.settings import ApiKey, Secret
from tests.config.loading import problems_of, settings_of

MODEL = "models: [{name: a, base_url: 'http://h'}]\n"
CANARY = "sk-canary-0123456789"


def test_client_keys_reach_the_settings(tmp_path: Path) -> None:
    """With their names and rates, as secrets."""
    keys = '[{name: laptop, key: "${LAPTOP}"}, {name: ci, key: plainly-written, rate_per_minute: 30}]'
    read = settings_of(tmp_path, f"server: {{api_keys: {keys}}}\n{MODEL}", {"LAPTOP": CANARY})
    laptop, ci = read.server.api_keys
    assert laptop == ApiKey("laptop", Secret(CANARY, "LAPTOP"))
    assert (ci.name, ci.key.value, ci.rate_per_minute) == ("ci", "plainly-written", 30)
    assert CANARY not in repr(read)


def keyed(listed: str) -> str:
    return f"server: {{api_keys: [{{name: ci, key: k, models: {listed}}}]}}\n{MODEL}aliases: {{'gpt-*': a}}\n"


def test_a_key_may_list_the_names_it_permits(tmp_path: Path) -> None:
    """Models, mixtures (also the one that exists without being written) and aliases by their patterns."""
    (key,) = settings_of(tmp_path, keyed("[mom, a, 'gpt-*']")).server.api_keys
    assert key.models == ("mom", "a", "gpt-*")
    (key,) = settings_of(tmp_path, f"server: {{api_keys: [{{name: ci, key: k}}]}}\n{MODEL}").server.api_keys
    assert key.models is None


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        ("[a, mon]", 'server.api_keys[0].models[1]: is "mon", which is no model, mixture or alias: did you mean mom?'),
        ("[gpt-4.1]", 'server.api_keys[0].models[0]: is "gpt-4.1", which is no model, mixture or alias'),
        ("[]", "server.api_keys[0].models: must not be empty"),
        ("[a, a]", "server.api_keys[0].models[1]: is listed twice, first as [0]"),
        ("a", "server.api_keys[0].models: must be a list"),
    ],
)
def test_a_key_cannot_list_an_unknown_name(tmp_path: Path, listed: str, problem: str) -> None:
    """A misspelt name would refuse its owner, or permit a model that is added later."""
    (found,) = problems_of(tmp_path, keyed(listed))
    assert problem in found


def test_hosts_and_origins_are_normalized(tmp_path: Path) -> None:
    """To lower case, and an IPv6 address without brackets."""
    text = (
        "server: {allowed_hosts: [Box.local, '[fe80::1]', 10.0.0.2], allowed_origins: ['HTTPS://Chat.example:8443']}\n"
    )
    server = settings_of(tmp_path, text + MODEL).server
    assert server.allowed_hosts == ("box.local", "fe80::1", "10.0.0.2")
    assert server.allowed_origins == ("https://chat.example:8443",)


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ("{api_keys: []}", "server.api_keys: must not be empty"),
        ("{api_keys: [{name: a}]}", "server.api_keys[0].key: is missing"),
        ("{api_keys: [{key: a}]}", "server.api_keys[0].name: is missing"),
        ('{api_keys: [{name: a, key: "${EMPTY}"}]}', "server.api_keys[0].key: must not be empty"),
        ("{api_keys: [{name: a, key: k, rate_per_minute: 0}]}", "rate_per_minute: must be at least 1"),
        (
            "{api_keys: [{name: a, key: k}, {name: a, key: l}]}",
            'api_keys[1].name: is "a", which is already the name of another',
        ),
        (
            '{api_keys: [{name: a, key: "${KEY}"}, {name: b, key: "${KEY}"}]}',
            "api_keys[1].key: is the same key as that",
        ),
        (
            "{allowed_hosts: ['http://box']}",
            "server.allowed_hosts[0]: must be a host name or an address without scheme",
        ),
        ("{allowed_hosts: ['box:80']}", "server.allowed_hosts[0]: must be a host name"),
        ("{allowed_hosts: ['*.box']}", "server.allowed_hosts[0]: must be a host name"),
        ("{allowed_origins: ['*']}", "server.allowed_origins[0]: must be an origin like"),
        ("{allowed_origins: ['null']}", "server.allowed_origins[0]: must be an origin like"),
        ("{allowed_origins: ['http://box/chat']}", "server.allowed_origins[0]: must be an origin like"),
        (
            "{host: 0.0.0.0}",
            'server.host: is "0.0.0.0", which other machines can reach without a key: add server.',
        ),
        ("{host: '::'}", 'server.host: is "::", which other machines'),
        ("{host: box.local}", 'server.host: is "box.local", which other machines'),
        ('{host: "${KEY}"}', "server.host: is the value of ${KEY}, which other machines"),
    ],
)
def test_each_problem_is_reported_with_its_place(tmp_path: Path, server: str, problem: str) -> None:
    """Each problem is reported with its place, and shows no key."""
    found = problems_of(tmp_path, f"server: {server}\n{MODEL}", {"KEY": CANARY, "EMPTY": ""})
    assert len(found) == 1
    assert problem in found[0]
    assert CANARY not in found[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "::1"])
def test_loopback_needs_no_keys(tmp_path: Path, host: str) -> None:
    """Other machines cannot reach a loopback address."""
    assert settings_of(tmp_path, f"server: {{host: '{host}'}}\n{MODEL}").server.host == host


def test_a_public_address_is_allowed_with_keys(tmp_path: Path) -> None:
    """The message's remedy works."""
    text = "server: {host: 0.0.0.0, api_keys: [{name: a, key: k}]}\n"
    assert settings_of(tmp_path, text + MODEL).server.host == "0.0.0.0"


def test_a_broken_key_is_reported_once(tmp_path: Path) -> None:
    """An operator who has written keys is not asked to add some."""
    (problem,) = problems_of(tmp_path, "server: {host: 0.0.0.0, api_keys: [{name: a, key: 'a b'}]}\n" + MODEL)
    assert "api_keys[0].key: must be printable ASCII" in problem


@pytest.mark.parametrize("text", [MODEL, f"# a comment\nserver: {{port: 8000}}\n{MODEL}"])
def test_a_public_address_of_the_command_line_needs_keys_too(tmp_path: Path, text: str) -> None:
    """The message names the option."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r":[12]: server\.host: is 0\.0\.0\.0 by --host, which other machines"):
        load(path, {}, host="0.0.0.0")
