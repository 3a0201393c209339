"""The proposal of a panel from lists of models."""

import pytest

from handlers.terminal.setup.choice import Offer, Preset, propose

ANTHROPIC = (
    "claude-opus-4-1-20250805",
    "claude-opus-4-5-20251101",
    "claude-sonnet-4-20250514",
    "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5-20251001",
    "claude-3-5-haiku-20241022",
)
OPENAI = (
    "gpt-4.1",
    "gpt-4o",
    "gpt-5",
    "gpt-5-2025-08-07",
    "gpt-5.4",
    "gpt-5.4-2026-03-05",
    "gpt-5.4-mini",
    "gpt-5.4-pro",
    "gpt-5-codex",
    "gpt-4o-audio-preview",
    "text-embedding-3-large",
    "whisper-1",
)
OPENROUTER = (
    "anthropic/claude-sonnet-4.5",
    "openai/gpt-5",
    "google/gemini-2.5-pro",
    "google/gemini-2.5-flash",
    "x-ai/grok-4",
    "deepseek/deepseek-chat-v3.1:free",
    "deepseek/deepseek-v3.2-exp",
    "moonshotai/kimi-k2-0905",
    "openrouter/auto",
)
OLLAMA = ("llama3.1:8b", "nomic-embed-text:latest", "qwen2.5-coder:7b", "qwen2.5-coder:14b", "gemma3")


def offered(**lists: tuple[str, ...]) -> list[Offer]:
    return [
        Offer(provider, model_id, is_local=provider == "ollama") for provider, ids in lists.items() for model_id in ids
    ]


def proposed(preset: Preset, **lists: tuple[str, ...]) -> list[str]:
    return [f"{offer.provider} {offer.model_id}" for offer in propose(offered(**lists), preset)]


def test_one_router_gives_three_vendors() -> None:
    """With one key a panel of three."""
    assert proposed("coding", openrouter=OPENROUTER) == [
        "openrouter anthropic/claude-sonnet-4.5",
        "openrouter openai/gpt-5",
        "openrouter google/gemini-2.5-pro",
    ]


def test_one_vendor_gives_three_models() -> None:
    """The newest of each family, by its alias if it has one."""
    assert proposed("coding", anthropic=ANTHROPIC) == [
        "anthropic claude-sonnet-4-5-20250929",
        "anthropic claude-opus-4-5-20251101",
        "anthropic claude-haiku-4-5-20251001",
    ]
    assert proposed("coding", openai=OPENAI)[:2] == ["openai gpt-5.4", "openai gpt-5.4-mini"]


def test_a_vendor_comes_before_a_router() -> None:
    """For the same version of a model."""
    assert proposed("coding", openrouter=OPENROUTER, anthropic=ANTHROPIC)[0] == "anthropic claude-sonnet-4-5-20250929"


def test_the_cheap_preset_takes_small_models() -> None:
    """Of different vendors."""
    assert proposed("cheap", openrouter=OPENROUTER, openai=OPENAI, anthropic=ANTHROPIC) == [
        "openrouter deepseek/deepseek-v3.2-exp",
        "openrouter google/gemini-2.5-flash",
        "openai gpt-5.4-mini",
    ]


def test_local_models_are_ranked_by_purpose_and_size() -> None:
    """Models for code first, then the largest; none that only embeds; none that is hosted."""
    assert proposed("local", ollama=OLLAMA, openai=OPENAI) == [
        "ollama qwen2.5-coder:14b",
        "ollama qwen2.5-coder:7b",
        "ollama llama3.1:8b",
    ]


def test_local_models_fill_a_hosted_panel() -> None:
    """After every hosted one."""
    assert proposed("coding", openai=("gpt-5.4",), ollama=OLLAMA) == [
        "openai gpt-5.4",
        "ollama qwen2.5-coder:14b",
        "ollama qwen2.5-coder:7b",
    ]


def test_unknown_models_are_proposed_after_known_ones() -> None:
    """In the order of the upstream, after known ones."""
    assert proposed("coding", groq=("first-9", "second-8", "third-7", "fourth-6")) == [
        "groq first-9",
        "groq second-8",
        "groq third-7",
    ]


@pytest.mark.parametrize(
    "model_id",
    ["", "${SECRET}", "a b", "text-embedding-3-large", "gpt-4o-realtime-preview", "x" * 200, 'a"b', "a\nb", "#a"],
)
def test_ids_that_are_never_proposed(model_id: str) -> None:
    """Those of models that do not chat, and those that config.yaml could not hold."""
    assert propose([Offer("openai", model_id)], "coding") == ()


@pytest.mark.parametrize(
    ("ids", "best"),
    [
        (("grok-4-0709", "grok-4.20-0309-reasoning", "grok-3"), "grok-4.20-0309-reasoning"),
        (("kimi-k2-0905-preview", "kimi-k2.5"), "kimi-k2.5"),
        (("accounts/fireworks/models/deepseek-v3p1", "accounts/fireworks/models/deepseek-v3"), "deepseek-v3p1"),
        (("qwen3-coder", "Qwen/Qwen3-Coder-480B-A35B-Instruct", "qwen2.5-coder-32b-instruct"), "480B-A35B-Instruct"),
        (("llama-3.1-8b-instant", "llama-3.3-70b-versatile"), "llama-3.3-70b-versatile"),
        (("glm-4.5", "glm-4.6", "glm-4.6v"), "glm-4.6"),
        (("gemini-2.5-pro", "gemini-3-pro-preview", "gemini-2.5-pro-preview-05-06"), "gemini-3-pro-preview"),
    ],
)
def test_the_newest_of_a_family(ids: tuple[str, ...], best: str) -> None:
    """However its provider spells versions, sizes and dates."""
    assert proposed("coding", together=ids)[0].endswith(best)
