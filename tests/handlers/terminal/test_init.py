"""`init`: the files that it writes for given keys and servers, its refusals, and the keys that it never shows."""

import asyncio
import os
import pty
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from config import load, read_dotenv
from config.settings import Price, Settings
from handlers.errors import StartError
from handlers.terminal.commands import Invocation, parse_arguments
from handlers.terminal.init import Dialog, Setup
from tests.fakes import FakeUpstream, answer, status
from tests.handlers.terminal.setup.providers import ScriptedProvider, serving
from tests.processes import PATIENCE_S, ROOT, process

OPENAI_KEY, ANTHROPIC_KEY, ROUTER_KEY = "sk-openai-0123456789", "sk-ant-0123456789", "sk-or-0123456789"
TODAY = "2026-11-30"
NOWHERE = "http://127.0.0.1:9/v1"
QUIET = {"OLLAMA_HOST": "127.0.0.1:9", "LMSTUDIO_BASE_URL": NOWHERE}


class Upstreams:
    """Scripted providers, and the environment that leads to them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.environ = dict(QUIET)

    async def add(self, name: str, *ids: str, key: str | None = None, status: int = 200) -> ScriptedProvider:
        provider = await self._stack.enter_async_context(serving(ScriptedProvider(ids, key, status)))
        self.environ[f"{name.upper()}_BASE_URL"] = provider.url
        return provider


@pytest.fixture
async def upstreams() -> AsyncGenerator[Upstreams]:
    async with AsyncExitStack() as stack:
        yield Upstreams(stack)


async def ran(
    folder: Path, environ: dict[str, str], *arguments: str, dialog: Dialog | None = None, is_asking: bool = False
) -> int:
    """Run `init` for folder/config.yaml, by default without asking the models."""
    path = folder / "config.yaml"
    given = ["init", "--config", str(path), *([] if is_asking else ["--no-check"]), *arguments]
    _, options = parse_arguments(given, program="mom-gateway")
    invocation = Invocation(options, path, environ, lambda: load(path, environ), folder / "models", is_shipped=False)
    return await asyncio.to_thread(lambda: Setup(invocation, dialog, today=TODAY).run())


def loaded(folder: Path, environ: dict[str, str] | None = None) -> Settings:
    """Return the settings of what was written, with the keys of .env alone unless others are given."""
    return load(folder / "config.yaml", read_dotenv(folder / ".env") if environ is None else environ)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_three_vendors_make_a_panel_with_a_critic(upstreams: Upstreams, tmp_path: Path) -> None:
    """With the keys in a .env that only the owner may read, and the list prices that are known, with their dates."""
    await upstreams.add("openai", "gpt-5.4", "gpt-4.1", "text-embedding-3-large", key=OPENAI_KEY)
    await upstreams.add("anthropic", "claude-sonnet-4-5-20250929", key=ANTHROPIC_KEY)
    await upstreams.add("google", "gemini-9-pro")
    keys = {"OPENAI_API_KEY": OPENAI_KEY, "ANTHROPIC_API_KEY": ANTHROPIC_KEY, "GOOGLE_API_KEY": "AIza-0123456789"}
    as_pasted = {name: f"{key} \n" for name, key in keys.items()}
    assert await ran(tmp_path, {**upstreams.environ, **as_pasted}) == 0
    settings = loaded(tmp_path)
    mixture = settings.mixtures[0]
    assert [proposer.model for proposer in mixture.panel] == ["claude-sonnet-4-5-20250929", "gpt-5.4", "gemini-9-pro"]
    assert mixture.critic is not None
    assert (mixture.critic.model, mixture.critic.fallbacks) == ("claude-sonnet-4-5-20250929", ("gpt-5.4",))
    assert [model.api for model in settings.models] == ["messages", "chat", "chat"]
    assert [model.api_key.source for model in settings.models if model.api_key] == [
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "GOOGLE_API_KEY",
    ]
    prices = [model.price and float(model.price.output) for model in settings.models]
    assert prices == [15.0, 15.0, None]
    text = (tmp_path / "config.yaml").read_text()
    assert "price: {input: 3, output: 15, cached_input: 0.3}  # list price of 2026-10-10, https://" in text
    assert "unknown: write it here" in text
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert read_dotenv(tmp_path / ".env") == keys


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_provider_that_refuses_is_left_out(
    upstreams: Upstreams, tmp_path: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mixed keys: the good one is used, the other is named with its problem; no key is shown."""
    await upstreams.add("openai", "gpt-5.4", "gpt-5.4-mini", status=status)
    await upstreams.add("openrouter", "a/one", "b/two", "c/three", key=ROUTER_KEY)
    keys = {"OPENAI_API_KEY": OPENAI_KEY, "OPENROUTER_API_KEY": ROUTER_KEY}
    assert await ran(tmp_path, {**upstreams.environ, **keys}) == 0
    assert {model.provider for model in loaded(tmp_path).models} == {"openrouter"}
    shown = capsys.readouterr()
    assert f"(HTTP {status})" in shown.err
    assert ("OPENAI_API_KEY is refused" in shown.err) is (status in (401, 403))
    assert read_dotenv(tmp_path / ".env") == {"OPENROUTER_API_KEY": ROUTER_KEY}
    for key in keys.values():
        assert key not in shown.out + shown.err + (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize(
    "keys",
    [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": "sk-wrong-0123456789"}, {"OPENAI_API_KEY": "two words"}],
    ids=["none", "empty", "wrong", "no key at all"],
)
async def test_without_a_usable_key_nothing_is_written(
    upstreams: Upstreams, tmp_path: Path, keys: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the remedies, and no wrong key."""
    await upstreams.add("openai", "gpt-5.4", key=OPENAI_KEY)
    with pytest.raises(StartError, match="set a variable such as OPENROUTER_API_KEY"):
        await ran(tmp_path, {**upstreams.environ, **keys})
    assert names_in(tmp_path) == []
    shown = capsys.readouterr().err
    assert not any(key in shown for key in keys.values() if key)


async def test_local_servers_need_no_key(upstreams: Upstreams, tmp_path: Path) -> None:
    """Without any key the preset is `local`, and no .env is written."""
    ollama = await upstreams.add("ollama", "llama3.1:8b", "qwen2.5-coder:7b", "nomic-embed-text:latest")
    await upstreams.add("lmstudio", "gemma-3-12b")
    assert await ran(tmp_path, upstreams.environ) == 0
    settings = loaded(tmp_path)
    assert [(model.provider, model.model) for model in settings.models] == [
        ("ollama", "qwen2.5-coder:7b"),
        ("lmstudio", "gemma-3-12b"),
        ("ollama", "llama3.1:8b"),
    ]
    assert settings.models[0].base_url == ollama.url
    assert not (tmp_path / ".env").exists()


async def test_the_local_preset_without_servers_is_the_embedded_model(tmp_path: Path) -> None:
    """As shipped."""
    assert await ran(tmp_path, QUIET, "--preset", "local") == 0
    settings = loaded(tmp_path)
    assert [model.provider for model in settings.models] == ["embedded"]
    assert (settings.mixtures[0].stages, settings.mixtures[0].critic) == ((1, 3), None)


async def test_an_existing_configuration_is_kept(upstreams: Upstreams, tmp_path: Path) -> None:
    """Unless --force replaces it; a copy stays, and so do the other variables of .env."""
    await upstreams.add("openai", "gpt-5.4", key=OPENAI_KEY)
    environ = {**upstreams.environ, "OPENAI_API_KEY": OPENAI_KEY}
    (tmp_path / "config.yaml").write_text("mine")
    (tmp_path / ".env").write_text("# my keys\nOTHER=1\nexport OPENAI_API_KEY=old\n")
    with pytest.raises(StartError, match="replace it with --force"):
        await ran(tmp_path, environ)
    assert (tmp_path / "config.yaml").read_text() == "mine"
    assert await ran(tmp_path, environ, "--force") == 0
    assert (tmp_path / "config.yaml.former").read_text() == "mine"
    assert (tmp_path / ".env").read_text() == f"# my keys\nOTHER=1\nOPENAI_API_KEY={OPENAI_KEY}\n"
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


async def test_an_existing_env_is_only_added_to(upstreams: Upstreams, tmp_path: Path) -> None:
    """Its own value of a variable stays without --force."""
    await upstreams.add("openai", "gpt-5.4")
    await upstreams.add("openrouter", "a/one")
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-kept")
    keys = {"OPENAI_API_KEY": OPENAI_KEY, "OPENROUTER_API_KEY": ROUTER_KEY}
    assert await ran(tmp_path, {**upstreams.environ, **keys}) == 0
    assert read_dotenv(tmp_path / ".env") == {"OPENAI_API_KEY": "sk-kept", "OPENROUTER_API_KEY": ROUTER_KEY}


async def test_another_key_is_pointed_out(
    upstreams: Upstreams, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In .env, which is kept, and in the environment, which wins over a key that was typed in."""
    await upstreams.add("openai", "gpt-5.4", key=OPENAI_KEY)
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-kept")
    assert await ran(tmp_path, {**upstreams.environ, "OPENAI_API_KEY": OPENAI_KEY}) == 0
    assert ".env keeps another OPENAI_API_KEY than the environment has" in capsys.readouterr().err
    environ = {**upstreams.environ, "OPENAI_API_KEY": "sk-wrong-0123456789"}
    typed = Typed("y", "openai", OPENAI_KEY, "", "", "y")
    assert await ran(tmp_path, environ, dialog=typed) == 0
    shown = capsys.readouterr().err
    assert "OPENAI_API_KEY is set to another key in the environment, which wins" in shown
    assert "sk-wrong" not in shown


async def test_a_former_configuration_keeps_its_permissions(upstreams: Upstreams, tmp_path: Path) -> None:
    """It may hold keys, in any encoding."""
    await upstreams.add("ollama", "llama3.1:8b")
    (tmp_path / "config.yaml").write_bytes(b"key: \xff")
    (tmp_path / "config.yaml").chmod(0o600)
    assert await ran(tmp_path, upstreams.environ, "--force") == 0
    former = tmp_path / "config.yaml.former"
    assert (former.read_bytes(), stat.S_IMODE(former.stat().st_mode)) == (b"key: \xff", 0o600)


async def test_the_keys_of_an_existing_env_are_used(upstreams: Upstreams, tmp_path: Path) -> None:
    """They are read as the gateway reads them."""
    openai = await upstreams.add("openai", "gpt-5.4", key=OPENAI_KEY)
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={OPENAI_KEY}")
    assert await ran(tmp_path, upstreams.environ) == 0
    assert openai.seen == [OPENAI_KEY]


async def test_flags_choose_everything(upstreams: Upstreams, tmp_path: Path) -> None:
    """Models, critic, price; only the named providers are asked."""
    openai = await upstreams.add("openai", "gpt-5.4", "gpt-5.4-mini")
    router = await upstreams.add("openrouter", "a/one")
    keys = {"OPENAI_API_KEY": OPENAI_KEY, "OPENROUTER_API_KEY": ROUTER_KEY}
    flags = ("--model", "openai/gpt-5.4-mini", "--critic", "openai/gpt-5.4", "--price", "gpt-5.4=1.5,9")
    assert await ran(tmp_path, {**upstreams.environ, **keys}, *flags) == 0
    settings = loaded(tmp_path)
    assert [proposer.model for proposer in settings.mixtures[0].panel] == ["gpt-5.4-mini"] * 3
    critic, price = settings.mixtures[0].critic, settings.model("gpt-5.4").price
    assert critic is not None
    assert critic.model == "gpt-5.4"
    assert price == Price(Decimal("1.5"), Decimal(9))
    assert (len(openai.seen), router.seen) == (1, [])


async def test_a_dry_run_prints_and_writes_nothing(
    upstreams: Upstreams, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the configuration is on stdout."""
    await upstreams.add("openai", "gpt-5.4")
    assert await ran(tmp_path, {**upstreams.environ, "OPENAI_API_KEY": OPENAI_KEY}, "--dry-run") == 0
    assert names_in(tmp_path) == []
    text = capsys.readouterr().out
    (tmp_path / "config.yaml").write_text(text)
    assert loaded(tmp_path, {"OPENAI_API_KEY": OPENAI_KEY}).models[0].model == "gpt-5.4"


async def test_a_hostile_list_of_models_cannot_write_yaml(upstreams: Upstreams, tmp_path: Path) -> None:
    """An id can neither add YAML nor read a variable."""
    await upstreams.add("openai", "${HOME}", 'a"\n  - name: b', "true", "123", "- x", "ok-1")
    assert await ran(tmp_path, {**upstreams.environ, "OPENAI_API_KEY": OPENAI_KEY}) == 0
    assert [model.model for model in loaded(tmp_path).models] == ["true", "123", "ok-1"]


async def test_the_gateways_own_address_is_no_provider(tmp_path: Path) -> None:
    """OPENAI_BASE_URL may be set for a client of the gateway."""
    environ = {**QUIET, "OPENAI_BASE_URL": "http://127.0.0.1:8000/v1", "OPENAI_API_KEY": "any"}
    with pytest.raises(StartError, match="no usable key"):
        await ran(tmp_path, environ)


class Typed(Dialog):
    """Answers questions in order, and keeps the questions."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.questions: list[str] = []
        self.ask = self.ask_secret = self._answer

    def _answer(self, question: str) -> str:
        self.questions.append(question)
        return self._answers.pop(0)


async def test_a_missing_key_is_asked_for(
    upstreams: Upstreams, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong provider, a wrong key, then the right one; the key is not shown."""
    await upstreams.add("openrouter", "a/one", "b/two", key=ROUTER_KEY)
    typed = Typed("opnrouter", "openrouter", "sk-or-wrong-1234567", "openrouter", ROUTER_KEY, "", "cheap", "y")
    assert await ran(tmp_path, upstreams.environ, dialog=typed) == 0
    assert read_dotenv(tmp_path / ".env") == {"OPENROUTER_API_KEY": ROUTER_KEY}
    assert "preset cheap" in (tmp_path / "config.yaml").read_text()
    shown = capsys.readouterr().err
    assert "did you mean openrouter?" in shown
    assert "OPENROUTER_API_KEY is refused" in shown
    assert ROUTER_KEY not in shown + "".join(typed.questions)
    assert "wrong-1234567" not in shown


async def test_a_no_at_the_end_writes_nothing(upstreams: Upstreams, tmp_path: Path) -> None:
    """Neither file."""
    await upstreams.add("openai", "gpt-5.4")
    with pytest.raises(StartError, match="nothing was written"):
        await ran(tmp_path, {**upstreams.environ, "OPENAI_API_KEY": OPENAI_KEY}, dialog=Typed("", "n"))
    assert names_in(tmp_path) == []


async def test_a_no_at_the_beginning_is_no_mistake(tmp_path: Path) -> None:
    """The existing file stays, and the remedy for scripts is not repeated to a person who chose it."""
    (tmp_path / "config.yaml").write_text("models: []\n")
    with pytest.raises(StartError, match=r"^nothing was written$"):
        await ran(tmp_path, {}, dialog=Typed("n"))
    assert (tmp_path / "config.yaml").read_text() == "models: []\n"


async def test_a_list_for_any_key_is_no_proof(
    upstreams: Upstreams, upstream: FakeUpstream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A provider with a public list refuses the key when a model is asked; the panel is made of the others."""
    router = FakeUpstream(status(401, body={"error": {"message": f"No such key: {ROUTER_KEY}"}}))
    upstream.listing = {"data": [{"id": name} for name in ("gpt-5.4", "gpt-5.4-mini", "gpt-4.1", "gpt-oss-20b")]}
    upstream.script("gpt-5.4-mini", status(404, body={"error": {"message": "The model does not exist"}}))
    async with router:
        router.listing = {"data": [{"id": f"vendor/model-{n}"} for n in range(50)]}
        environ = {
            **upstreams.environ,
            "OPENAI_BASE_URL": upstream.base_url,
            "OPENROUTER_BASE_URL": router.base_url,
            "OPENAI_API_KEY": OPENAI_KEY,
            "OPENROUTER_API_KEY": ROUTER_KEY,
        }
        assert await ran(tmp_path, environ, is_asking=True) == 0
        n_asked = len(router.requests)
    models = [model.model for model in loaded(tmp_path).models]
    assert models[:2] == ["gpt-5.4", "gpt-oss-20b"]
    assert "gpt-5.4-mini" not in models
    assert read_dotenv(tmp_path / ".env") == {"OPENAI_API_KEY": OPENAI_KEY}
    shown = capsys.readouterr().err
    assert ROUTER_KEY not in shown
    assert n_asked <= 4


async def test_a_named_model_is_not_replaced(upstream: FakeUpstream, tmp_path: Path) -> None:
    """It is written, and exit code 1 says that it does not answer."""
    upstream.script("gpt-5.4", status(402, body={"error": {"message": "no credit"}}))
    environ = {**QUIET, "OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": OPENAI_KEY}
    assert await ran(tmp_path, environ, "--model", "openai/gpt-5.4", is_asking=True) == 1
    assert [model.model for model in loaded(tmp_path).models] == ["gpt-5.4"]


async def test_when_no_model_answers_nothing_is_written(upstream: FakeUpstream, tmp_path: Path) -> None:
    """The same holds as without any key."""
    upstream.default = status(401, body={"error": {"message": "wrong"}})
    upstream.listing = {"data": [{"id": f"model-{n}"} for n in range(50)]}
    environ = {**QUIET, "OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": OPENAI_KEY}
    with pytest.raises(StartError, match="no usable key"):
        await ran(tmp_path, environ, is_asking=True)
    assert names_in(tmp_path) == []


async def test_as_a_process_without_a_terminal(upstream: FakeUpstream, tmp_path: Path) -> None:
    """It asks no question, asks the models as the doctor does, and the gateway can read what it wrote."""
    for name in ("gpt-5.4", "gpt-5.4-mini"):
        upstream.script(name, answer())
    environ = {**QUIET, "OPENAI_API_KEY": OPENAI_KEY, "OPENAI_BASE_URL": upstream.base_url}
    path = tmp_path / "deep" / "config.yaml"
    async with process("init", "--provider", "openai", "--config", str(path), env=environ) as child:
        out, err = await asyncio.wait_for(child.communicate(), PATIENCE_S)
    assert child.returncode == 0, err.decode()
    assert out == b""
    assert "Asking gpt-5.4, gpt-5.4-mini ..." in err.decode()
    assert OPENAI_KEY not in (out + err).decode()


async def test_the_end_of_input_on_a_terminal(tmp_path: Path) -> None:
    """Ctrl-D at a question: exit code 1, a sentence, no traceback."""
    owner, terminal = pty.openpty()
    environ = {key: value for key, value in os.environ.items() if not key.endswith(("_API_KEY", "_TOKEN"))}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "gateway.py"), "init", "--config", str(tmp_path / "config.yaml")),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**environ, **QUIET, "TERM": "dumb"},
    )
    os.close(terminal)
    shown = ""
    with suppress(OSError):
        while data := await asyncio.wait_for(asyncio.to_thread(os.read, owner, 65536), PATIENCE_S):
            shown += data.decode()
            if shown.endswith("(empty: go on) "):
                os.write(owner, b"\x04")
    os.close(owner)
    assert await asyncio.wait_for(child.wait(), PATIENCE_S) == 1
    assert "nothing was written: the input ended" in shown
    assert "Traceback" not in shown
