"""An entry under `models` as settings."""

from decimal import Decimal
from pathlib import Path

import pytest

from config.providers import ALL_CAPABILITIES, PROVIDERS, WEIGHT_NAMES
from config.settings import Model, Price, Secret, Weights
from tests.config.loading import problems_of, settings_of


def model_of(folder: Path, model: str, **environ: str) -> Model:
    """Load a configuration with one model, written in flow style."""
    (model_read,) = settings_of(folder, f"models: [{{{model}}}]", environ).models
    return model_read


def test_a_hosted_model_needs_a_provider_and_a_key(tmp_path: Path) -> None:
    """A provider's name and a key are enough if the provider chooses the model."""
    model = model_of(tmp_path, 'name: "openrouter", api_key: "${OPENROUTER_API_KEY}"', OPENROUTER_API_KEY="k")
    assert model == Model(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        provider="openrouter",
        api_key=Secret("k", "OPENROUTER_API_KEY"),
        model="openrouter/auto",
        capabilities=ALL_CAPABILITIES,
    )


def test_every_key_is_read(tmp_path: Path) -> None:
    """Every key reaches the model; API keys and header values are secrets."""
    text = """\
    models:
      - name: sonnet
        base_url: https://h.example/v1/
        provider: openrouter
        api_key: ${KEY}
        model: anthropic/claude-sonnet-4.5
        params: {temperature: 0.7, stop: [a, null], logit_bias: {50256: -100}, seed: "${SEED}"}
        headers: {X-Title: mom, X-Key: "a ${KEY}"}
        timeout_s: 7
        connect_timeout_s: 1
        first_byte_timeout_s: 2.5
        idle_timeout_s: 3
        retries: 0
        hedge: {after_s: 8}
        max_concurrency: 3
        capabilities: [tools, vision]
        context_tokens: 200000
    """
    (model,) = settings_of(tmp_path, text, {"KEY": "123", "SEED": "7"}).models
    assert model == Model(
        name="sonnet",
        base_url="https://h.example/v1",
        provider="openrouter",
        api_key=Secret("123", "KEY"),
        model="anthropic/claude-sonnet-4.5",
        params={"temperature": 0.7, "stop": ["a", None], "logit_bias": {"50256": -100}, "seed": "7"},
        headers={"X-Title": Secret("mom", f"{tmp_path}/config.yaml:8"), "X-Key": Secret("a 123", "KEY")},
        timeout_s=7.0,
        connect_timeout_s=1.0,
        first_byte_timeout_s=2.5,
        idle_timeout_s=3.0,
        retries=0,
        hedge_after_s=8.0,
        max_concurrency=3,
        capabilities=frozenset(["tools", "vision"]),
        context_tokens=200_000,
    )


def test_parameters_may_be_dropped_or_renamed(tmp_path: Path) -> None:
    """`drop`, a null among the params, and `rename`."""
    entry = "drop: [seed, n], params: {temperature: null, top_p: 1}, rename: {max_tokens: max_completion_tokens}"
    model = model_of(tmp_path, f"name: a, base_url: 'http://h', {entry}")
    assert model.drop == frozenset(["seed", "n", "temperature"])
    assert model.params == {"top_p": 1}
    assert model.rename == {"max_tokens": "max_completion_tokens"}


def test_a_key_loses_the_blanks_around_it(tmp_path: Path) -> None:
    """Secret stores add a line end."""
    assert model_of(tmp_path, "name: a, base_url: 'http://h', api_key: '${K}'", K=" k\r\n").api_key == Secret("k", "K")


def test_an_unknown_service_needs_a_base_url(tmp_path: Path) -> None:
    """A base URL is enough: no key is required, and every capability is assumed."""
    model = model_of(tmp_path, "name: team, base_url: 'http://h'")
    assert (model.provider, model.api_key, model.model) == (None, None, "team")
    assert model.capabilities == ALL_CAPABILITIES


@pytest.mark.parametrize(
    ("entry", "provider", "model_id"),
    [
        ("name: openai, model: gpt, api_key: k", "openai", "gpt"),
        ("name: gpt, provider: openai, api_key: k", "openai", "gpt"),
        ("name: fast, provider: openrouter, api_key: k", "openrouter", "fast"),
        ("name: openai, model: gpt, headers: {Authorization: Bearer k}", "openai", "gpt"),
        ("name: openai, model: gpt, base_url: 'http://proxy.example/v1'", "openai", "gpt"),
        ("name: openai, provider: ollama", "ollama", "openai"),
        ("name: ollama, model: qwen", "ollama", "qwen"),
        ("name: x, provider: vllm, base_url: 'http://127.0.0.1:8001/v1'", "vllm", "x"),
    ],
)
def test_provider_and_model_id_may_come_from_the_name(tmp_path: Path, entry: str, provider: str, model_id: str) -> None:
    """The provider comes from its key or the name, the id from `model` or the name."""
    model = model_of(tmp_path, entry)
    assert (model.provider, model.model) == (provider, model_id)


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name not in {"embedded", "vllm"}])
def test_every_known_provider_has_its_defaults(tmp_path: Path, name: str) -> None:
    """Each provider has a URL and capabilities, and requires a key if it needs one."""
    provider = PROVIDERS[name]
    model = model_of(tmp_path, f"name: {name}, model: m, api_key: k")
    assert (model.base_url, model.capabilities) == (provider.base_url, provider.capabilities)
    entry = f"models: [{{name: {name}, model: m}}]"
    if provider.key_variable:
        (problem,) = problems_of(tmp_path, entry)
        assert f'api_key: "${{{provider.key_variable}}}"' in problem
    else:
        assert settings_of(tmp_path, entry).models[0].api_key is None


def test_vllm_needs_another_port_than_the_gateway(tmp_path: Path) -> None:
    """On another port the gateway can call vLLM at its default address."""
    settings = settings_of(tmp_path, "server: {port: 8080}\nmodels: [{name: vllm, model: m}]")
    assert settings.models[0].base_url == "http://127.0.0.1:8000/v1"


def test_null_counts_as_unset(tmp_path: Path) -> None:
    """A key without a value takes its default."""
    model = model_of(tmp_path, "name: a, base_url: 'http://h', api_key: null, params: ~, timeout_s: ")
    assert (model.api_key, model.params, model.timeout_s) == (None, {}, 120.0)


@pytest.mark.parametrize("name", WEIGHT_NAMES)
def test_an_embedded_model_may_be_named(tmp_path: Path, name: str) -> None:
    """A known weight needs only its provider."""
    model = model_of(tmp_path, f"name: {name}, provider: embedded")
    assert model == Model(
        name=name,
        base_url="",
        provider="embedded",
        api_key=None,
        model=name,
        max_concurrency=2,
        capabilities=frozenset(["json_object", "json_schema", "logprobs"]),
        context_tokens=8192,
        weights=Weights(name=name),
        price=Price(Decimal(0), Decimal(0)),
    )


def test_every_key_of_an_embedded_model_is_read(tmp_path: Path) -> None:
    """Slots limit the concurrency; an explicit limit takes precedence."""
    entry = "name: a, provider: embedded, model: smollm2-135m, slots: 4, threads: 1, context_tokens: 4096"
    model = model_of(tmp_path, entry)
    assert model.weights == Weights(name="smollm2-135m", context_tokens=4096, slots=4, threads=1)
    assert (model.max_concurrency, model.context_tokens) == (4, 4096)
    assert model_of(tmp_path, f"{entry}, max_concurrency: 9").max_concurrency == 9


def test_an_embedded_model_may_be_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is relative to the configuration's folder or to home, or absolute; the result is absolute."""
    file = tmp_path / "weights" / "own.gguf"
    file.parent.mkdir()
    file.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for path in ("weights/own.gguf", "~/weights/own.gguf", str(file), "weights/../weights/own.gguf"):
        model = model_of(tmp_path, f"name: own, provider: embedded, path: '{path}'")
        assert model.weights == Weights(path=file.resolve())
        assert model.model == "own"


def test_a_variable_may_give_any_name(tmp_path: Path) -> None:
    """The value of a variable is text where text is expected, even if it looks like a number."""
    (model,) = settings_of(tmp_path, "models:\n- name: ${N}\n  base_url: http://h", {"N": "12"}).models
    assert model.name == "12"


def test_efforts_are_read(tmp_path: Path) -> None:
    """Parameters for an effort, another effort's name, or nothing."""
    text = """
models:
  - name: a
    base_url: http://h
    effort: {low: {thinking: {type: disabled}}, medium: high, minimal: null, none: {}}
"""
    (model,) = settings_of(tmp_path, text).models
    assert model.effort == {
        "low": {"thinking": {"type": "disabled"}},
        "medium": {"reasoning_effort": "high"},
        "minimal": {},
        "none": {},
    }


@pytest.mark.parametrize(
    ("effort", "problem"),
    [
        ("{hihg: {}}", "models[0].effort.hihg: is not an effort: use none, minimal, low, medium, high, xhigh, max"),
        ("{low: {model: b}}", "models[0].effort.low.model: must not be set here"),
        ("{low: [1]}", "models[0].effort.low: must be text, is a list"),
        ("low", "models[0].effort: must be a mapping of efforts to parameters"),
    ],
)
def test_efforts_of_another_form_are_refused(tmp_path: Path, effort: str, problem: str) -> None:
    """With the path of the effort."""
    (found,) = problems_of(tmp_path, f"models: [{{name: a, base_url: 'http://h', effort: {effort}}}]")
    assert problem in found
