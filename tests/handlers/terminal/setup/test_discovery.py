"""The upstreams that are asked: their addresses, their keys, and the sentences for failures."""

import pytest

from config.providers import PROVIDERS
from handlers.terminal.setup.discovery import Candidate, ask_candidates, find_key, list_candidates
from tests.handlers.terminal.setup.providers import ScriptedProvider, serving

KEY = "sk-canary-0123456789"


def base_url(provider: str, environ: dict[str, str]) -> str:
    (candidate,) = list_candidates({"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY, **environ}, only=[provider])
    return candidate.base_url


@pytest.mark.parametrize(
    ("provider", "environ", "expected"),
    [
        ("openai", {}, "https://api.openai.com/v1"),
        ("openai", {"OPENAI_BASE_URL": "https://eu.example/v1/"}, "https://eu.example/v1"),
        ("openai", {"OPENAI_BASE_URL": "not a url"}, "https://api.openai.com/v1"),
        ("anthropic", {"ANTHROPIC_BASE_URL": "https://proxy.example"}, "https://proxy.example/v1"),
        ("anthropic", {"ANTHROPIC_BASE_URL": "https://proxy.example/v1"}, "https://proxy.example/v1"),
        ("ollama", {}, "http://127.0.0.1:11434/v1"),
        ("ollama", {"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434/v1"),
        ("ollama", {"OLLAMA_HOST": "0.0.0.0:9999"}, "http://127.0.0.1:9999/v1"),
        ("ollama", {"OLLAMA_HOST": "http://gpu.example:80/"}, "http://gpu.example:80/v1"),
        ("ollama", {"OLLAMA_HOST": "[::1]:9999"}, "http://[::1]:9999/v1"),
        ("ollama", {"OLLAMA_HOST": "host:port"}, "http://127.0.0.1:11434/v1"),
    ],
)
def test_variables_replace_known_addresses(provider: str, environ: dict[str, str], expected: str) -> None:
    """The variables of the SDKs and of Ollama replace the known addresses."""
    assert base_url(provider, environ) == expected


def test_a_provider_without_a_key_is_not_asked() -> None:
    """Local servers are asked in any case, unless others are named."""
    assert [each.provider for each in list_candidates({})] == ["ollama", "lmstudio"]
    found = list_candidates({"XAI_API_KEY": KEY, "GROQ_API_KEY": " "}, only=["xai", "groq"])
    assert [(each.provider, each.variable, each.key) for each in found] == [("xai", "XAI_API_KEY", KEY)]


def test_a_server_that_is_only_asked_by_name() -> None:
    """VLLM's usual port is the gateway's own."""
    (found,) = [
        each for each in list_candidates({}, base_urls={"vllm": "http://gpu:8001/v1"}) if each.provider == "vllm"
    ]
    assert (found.base_url, found.is_local) == ("http://gpu:8001/v1", True)
    assert list_candidates({}, only=["vllm"]) == []


def test_other_variables_for_a_key() -> None:
    """The usual one comes first."""
    assert find_key("google", {"GOOGLE_API_KEY": "b"}) == ("GOOGLE_API_KEY", "b")
    assert find_key("google", {"GOOGLE_API_KEY": "b", "GEMINI_API_KEY": "a"}) == ("GEMINI_API_KEY", "a")
    assert find_key("ollama", {}) == (None, None)


def test_a_repr_shows_no_key() -> None:
    """A repr may end up in a traceback."""
    assert KEY not in repr(Candidate("openai", PROVIDERS["openai"].base_url, "OPENAI_API_KEY", KEY))


@pytest.mark.parametrize(
    ("key", "status", "ids", "problem"),
    [
        ("sk-wrong-0123456789", 200, ["a"], "KEY_OF_OPENAI is refused by {host} (HTTP 401): is it a key for openai"),
        (KEY, 400, ["a"], "KEY_OF_OPENAI is refused by {host} (HTTP 400)"),
        (KEY, 500, ["a"], "{host} gives no list of models (HTTP 500); name them with --model openai/ID"),
        (KEY, 200, [], "{host} lists no models"),
        ("sk-${HOME}", 200, ["a"], "KEY_OF_OPENAI is no key: it has blanks, ${{"),
        ("two words", 200, ["a"], "KEY_OF_OPENAI is no key: it has blanks"),
    ],
)
async def test_each_problem_names_its_cause(key: str, status: int, ids: list[str], problem: str) -> None:
    """Each names its cause, and no key."""
    async with serving(ScriptedProvider(ids, KEY, status)) as provider:
        candidate = Candidate("openai", provider.url, "KEY_OF_OPENAI", key)
        (finding,) = await ask_candidates([candidate])
    assert finding.offers == []
    assert finding.problem.startswith(problem.format(host=candidate.host))
    assert key not in finding.problem


async def test_an_upstream_that_cannot_be_reached() -> None:
    """The others are asked all the same, with the header that each wants."""
    async with serving(ScriptedProvider(["claude-opus-4-5"], KEY)) as provider:
        findings = await ask_candidates(
            [
                Candidate("openai", "http://127.0.0.1:9/v1", "OPENAI_API_KEY", KEY),
                Candidate("anthropic", provider.url, "ANTHROPIC_API_KEY", KEY),
            ]
        )
    assert findings[0].problem.startswith("127.0.0.1:9 cannot be reached (")
    assert [offer.model_id for offer in findings[1].offers] == ["claude-opus-4-5"]
