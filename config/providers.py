"""The providers that config.yaml may name instead of a base URL, with the facts known about each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from config.settings import Capability, UpstreamApi

EMBEDDED = "embedded"

WEIGHT_NAMES = ("smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")
"""The weights that an embedded model may name; upstream/embedded/catalogue.toml has the sources of each."""

EffortForm = Literal["reasoning_effort", "reasoning", "thinking", "none"]
"""By its own name, as OpenRouter's `reasoning: {effort}`, as a thinking budget (upstream/anthropic/thinking.py), or not
at all."""

ALL_CAPABILITIES: frozenset[Capability] = frozenset(get_args(Capability))


@dataclass(frozen=True, slots=True)
class Provider:
    """The defaults of a provider.

    `base_url` speaks `api`; it is "" for embedded models. `key_variable` is the usual environment
    variable of the API key, or None if no key is needed. `default_model` is used if a model names only its provider.
    `rename` are parameters that all of its models know by another name, `roles` roles that they do not know, with the
    roles that are sent instead. `effort` is how they take a `reasoning_effort`.
    """

    base_url: str
    key_variable: str | None
    capabilities: frozenset[Capability]
    default_model: str | None = None
    api: UpstreamApi = "chat"
    rename: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    effort: EffortForm = "reasoning_effort"


def _local(base_url: str) -> Provider:
    return Provider(base_url, None, ALL_CAPABILITIES - {"logprobs"})


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        ALL_CAPABILITIES,
        rename={"max_tokens": "max_completion_tokens"},
    ),
    "openrouter": Provider(
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        ALL_CAPABILITIES,
        default_model="openrouter/auto",
        effort="reasoning",
    ),
    "anthropic": Provider(
        "https://api.anthropic.com/v1",
        "ANTHROPIC_API_KEY",
        frozenset(["vision", "tools"]),
        api="messages",
        effort="thinking",
    ),
    "google": Provider(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "GEMINI_API_KEY",
        ALL_CAPABILITIES - {"logprobs"},
    ),
    "groq": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY", ALL_CAPABILITIES - {"logprobs"}),
    "mistral": Provider(
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        ALL_CAPABILITIES - {"logprobs"},
        rename={"max_completion_tokens": "max_tokens"},
        roles={"developer": "system"},
        effort="none",
    ),
    "deepseek": Provider(
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        frozenset(["tools", "json_object", "logprobs"]),
        roles={"developer": "system"},
        effort="none",
    ),
    "xai": Provider("https://api.x.ai/v1", "XAI_API_KEY", ALL_CAPABILITIES - {"logprobs"}),
    "zai": Provider(
        "https://api.z.ai/api/paas/v4", "ZAI_API_KEY", frozenset(["vision", "tools", "json_object"]), effort="none"
    ),
    "moonshot": Provider(
        "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", frozenset(["vision", "tools", "json_object"]), effort="none"
    ),
    "cerebras": Provider(
        "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", frozenset(["tools", "json_object", "json_schema"])
    ),
    "sambanova": Provider("https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY", ALL_CAPABILITIES - {"logprobs"}),
    "nvidia": Provider("https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", ALL_CAPABILITIES - {"logprobs"}),
    "fireworks": Provider("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", ALL_CAPABILITIES),
    "together": Provider("https://api.together.xyz/v1", "TOGETHER_API_KEY", ALL_CAPABILITIES),
    "huggingface": Provider("https://router.huggingface.co/v1", "HF_TOKEN", ALL_CAPABILITIES - {"logprobs"}),
    "ollama": _local("http://127.0.0.1:11434/v1"),
    "lmstudio": Provider("http://127.0.0.1:1234/v1", None, ALL_CAPABILITIES - {"logprobs", "json_object"}),
    "vllm": _local("http://127.0.0.1:8000/v1"),
    EMBEDDED: Provider("", None, frozenset(["json_object", "json_schema", "logprobs"]), effort="none"),
}

SYNONYMS = {
    "gemini": "google",
    "googleai": "google",
    "google-ai": "google",
    "google_ai": "google",
    "vertex": "google",
    "vertex_ai": "google",
    "claude": "anthropic",
    "gpt": "openai",
    "chatgpt": "openai",
    "open-router": "openrouter",
    "open_router": "openrouter",
    "together_ai": "together",
    "togetherai": "together",
    "mistralai": "mistral",
    "grok": "xai",
    "x-ai": "xai",
    "x.ai": "xai",
    "glm": "zai",
    "z-ai": "zai",
    "z.ai": "zai",
    "zhipu": "zai",
    "kimi": "moonshot",
    "moonshotai": "moonshot",
    "moonshot-ai": "moonshot",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "nvidia_nim": "nvidia",
    "nim": "nvidia",
    "hf": "huggingface",
    "hugging-face": "huggingface",
    "lm-studio": "lmstudio",
    "lm_studio": "lmstudio",
    "hosted_vllm": "vllm",
    "llamacpp": "embedded",
    "llama.cpp": "embedded",
    "gguf": "embedded",
    "local": "embedded",
}
"""Other names that people try for a provider; only used to suggest the right one."""
