"""`--doctor`: its output, its streams, and its exit codes."""

import asyncio
import os
import pty
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from config.settings import Model, Weights
from handlers.terminal.doctor import run_doctor
from tests.embedded_gateway import on_stand_in
from tests.fakes import FakeUpstream, answer, hang, llama, status
from tests.processes import PATIENCE_S, ROOT, process
from tests.running import KEY, model, settings

CONFIG = """
models:
  - {{name: good, base_url: "{url}", api_key: "${{FAKE_API_KEY}}"}}
  - {{name: bad, base_url: "{url}", api_key: "${{FAKE_API_KEY}}", model: big-1}}
  - {{name: plain, base_url: "{url}"}}
mixtures:
  - {{name: mom, panel: [good, bad], critic: {{model: bad, fallbacks: [good]}}}}
  - {{name: lone, panel: [bad], critic: {{model: bad, fallbacks: []}}}}
  - {{name: fine, panel: [plain, {{model: good, samples: 2}}], critic: good}}
"""
ESCAPE = "\033["


@pytest.fixture
def config(upstream: FakeUpstream, tmp_path: Path) -> Path:
    for name in ("good", "big-2", "plain"):
        upstream.script(name, answer())
    upstream.default = status(404, body={"error": {"message": f"no such model, {KEY}"}})
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(url=upstream.base_url))
    return path


async def ran(*arguments: str, **env: str) -> tuple[int | None, str, str]:
    """Return the exit code, stdout and stderr of a doctor whose output is a pipe."""
    async with process("--doctor", *arguments, env={"FAKE_API_KEY": KEY, **env}) as child:
        out, err = await asyncio.wait_for(child.communicate(), PATIENCE_S)
    return child.returncode, out.decode(), err.decode()


def rows(out: str) -> list[list[str]]:
    """Return the cells of each line; of the last column only the words before a number of seconds."""
    return [line.replace(" s", "").split() for line in out.splitlines()]


async def test_a_model_that_does_not_answer_is_reported(upstream: FakeUpstream, config: Path) -> None:
    """Exit code 1; tables on stdout in the order of the file, remedies on stderr; no colours, keys or log."""
    code, out, err = await ran("--config", str(config))
    assert code == 1
    host = upstream.base_url.split("/")[2]
    assert err == f"problem: bad: {host} has no model 'big-1': did you mean big-2?\n"
    first, _, heads, *mixtures, _, model_heads, good, bad, plain, last = rows(out)
    assert first == [str(config), "is", "valid."]
    assert heads == ["MIXTURE", "PANEL", "CRITIC", "MODE", "STATE"]
    assert [row[0] for row in mixtures] == ["mom", "lone", "fine"]
    assert "1 of 2 on the panel answer; good is the critic" in out
    assert mixtures[1][-3:] == ["no", "model", "answers"]
    assert mixtures[2] == ["fine", "plain,", "good", "x2", "good", "auto", "ready"]
    assert model_heads == ["MODEL", "UPSTREAM", "ID", "KEY", "FROM", "REACHED", "LISTED", "ANSWERED", "IN"]
    assert good[:-1] == ["good", upstream.base_url, "good", "FAKE_API_KEY", "yes", "yes"]
    assert bad == ["bad", upstream.base_url, "big-1", "FAKE_API_KEY", "yes", "no", "no", "answer"]
    assert plain[:-1] == ["plain", upstream.base_url, "plain", "-", "yes", "yes"]
    assert last == ["2", "of", "3", "models", "answer."]
    assert ESCAPE not in out + err
    assert KEY not in out + err


async def test_all_models_answer(upstream: FakeUpstream, config: Path) -> None:
    """Exit code 0, and nothing on stderr."""
    upstream.default = answer()
    code, out, err = await ran("--config", str(config))
    assert (code, err) == (0, "")
    assert out.endswith("\nAll models answer.\n")


async def test_offline_asks_no_model(upstream: FakeUpstream, config: Path) -> None:
    """Exit code 0 for a valid file."""
    code, out, err = await ran("--config", str(config), "--offline")
    assert (code, err) == (0, "")
    assert "STATE" not in out
    assert "FAKE_API_KEY" in out
    assert upstream.requests == []


async def test_the_shipped_file_has_a_relative_name() -> None:
    """Messages begin with `config.yaml`, as in the documentation, if it is in the current folder."""
    async with process("--doctor", "--offline", cwd=ROOT) as child:
        out, _ = await child.communicate()
    assert out.decode().startswith("config.yaml is valid.\n")


async def test_offline_requires_the_doctor(config: Path) -> None:
    """Exit code 2 without --doctor."""
    async with process("--config", str(config), "--offline") as child:
        _, err = await child.communicate()
    assert child.returncode == 2
    assert "--offline requires --doctor" in err.decode()


async def test_it_can_be_interrupted(upstream: FakeUpstream, config: Path) -> None:
    """Ctrl-C while a model is silent: exit code 130, and no traceback."""
    upstream.script("plain", hang())
    async with process("--doctor", "--config", str(config), env={"FAKE_API_KEY": KEY}) as child:
        await upstream.wait_for(3)
        child.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(child.communicate(), PATIENCE_S)
    assert (child.returncode, out, err) == (130, b"", b"")


async def test_a_key_in_a_model_id_is_redacted(upstream: FakeUpstream, config: Path) -> None:
    """Keys are redacted in ids and in an upstream's list of models."""
    text = (await asyncio.to_thread(config.read_text)).replace("model: big-1", 'model: "${FAKE_API_KEY}"')
    await asyncio.to_thread(config.write_text, text)
    upstream.listing = {"data": [{"id": f"{KEY}-mini"}]}
    code, out, err = await ran("--config", str(config))
    assert code == 1
    assert err.endswith("has no model '[redacted]': did you mean [redacted]-mini?\n")
    assert KEY not in out


async def test_an_invalid_config_is_reported_before_any_model_is_asked(config: Path) -> None:
    """Exit code 2, and no model is asked."""
    await asyncio.to_thread(config.write_text, "models: [{name: a}]")
    code, out, err = await ran("--config", str(config))
    assert (code, out) == (2, "")
    assert "config.yaml:1: models[0].base_url: is missing" in err


async def test_an_embedded_model_that_cannot_be_loaded(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report has the child's reason; other models are asked anyway, and no child remains."""
    on_stand_in(monkeypatch)
    weights = Weights(path=llama.gguf(tmp_path, "refuse"))
    tiny = Model("tiny", "", "embedded", None, "tiny", weights=weights)
    config = settings([model("a", upstream), tiny])
    assert await run_doctor(config, {}, models_dir=tmp_path, offline=False) == 1
    out, err = capsys.readouterr()
    assert "1 of 2 on the panel answer" in out
    assert err.startswith("problem: tiny: ")
    assert "bad GGUF version" in err
    assert len(upstream.requests) == 2
    await llama.dead(tmp_path / "refuse.gguf")


@pytest.mark.parametrize(("env", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
async def test_colours_are_for_terminals_only(config: Path, env: dict[str, str], is_coloured: bool) -> None:
    """Only there, and not with NO_COLOR or a dumb terminal."""
    shown = await on_terminal("--config", str(config), **env)
    assert (ESCAPE in shown) is is_coloured
    assert ("\033[31mproblem\033[0m: bad: " in shown) is is_coloured
    assert "Asking every model twice, each time for at most 20 s" in shown
    assert KEY not in shown


async def on_terminal(*arguments: str, **env: str) -> str:
    """Return the output of a doctor on a terminal."""
    owner, terminal = pty.openpty()
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "gateway.py"), "--doctor", *arguments),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm", "FAKE_API_KEY": KEY, **env},
        )
        os.close(terminal)
        shown = await asyncio.wait_for(asyncio.to_thread(_read, owner), PATIENCE_S)
        assert await child.wait() == 1
    finally:
        os.close(owner)
    return shown


def _read(owner: int) -> str:
    pieces = []
    with suppress(OSError):  # how Linux tells that nobody has the terminal open any more
        while piece := os.read(owner, 65536):
            pieces.append(piece)
    return b"".join(pieces).decode()
