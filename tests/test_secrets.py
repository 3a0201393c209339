"""A canary key in the configuration appears nowhere else, whatever fails."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from config import load
from handlers.lifecycle.snapshots import SNAPSHOTS
from tests.embedded_gateway import on_stand_in, pid_of, tiny
from tests.fakes import FakeUpstream, Step, answer, error_in_200, garbage, status
from tests.processes import process, served
from tests.running import KEY, ask, running

HEADER_CANARY, CLIENT_CANARY = "hdr-canary-0123456789", "client-canary-0123456789"
CANARIES = {"FAKE_API_KEY": KEY, "HEADER_KEY": HEADER_CANARY, "CLIENT_KEY": CLIENT_CANARY}
CONFIG = """
server: {{api_keys: [{{name: me, key: "${{CLIENT_KEY}}"}}]}}
models:
  - {{name: a, base_url: "{url}", api_key: "${{FAKE_API_KEY}}", retries: 0, headers: {{x-key: "${{HEADER_KEY}}"}}}}
  - {{name: b, base_url: "{url}", api_key: "${{FAKE_API_KEY}}", retries: 0}}
"""


@pytest.fixture
def config(upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(url=upstream.base_url))
    return path


def leaked(text: str) -> list[str]:
    """Return the canaries of which a text holds even a half."""
    return [canary for canary in CANARIES.values() if canary[: len(canary) // 2] in text]


async def test_no_reply_log_or_trace_holds_a_key(upstream: FakeUpstream, config: Path, tmp_path: Path) -> None:
    """Of a process with all its logging on, while its upstreams repeat the keys that they were shown."""
    upstream.script("a", *_repeat_keys(), answer("fine"))
    upstream.script("b", status(401, body={"error": {"message": f"wrong key {KEY}"}}))
    said = ""
    async with served(config, "--debug", "--debug-requests", str(tmp_path / "traces")) as (child, gateway):
        for _ in _repeat_keys():
            for key in (CLIENT_CANARY, f"{CLIENT_CANARY}x"):
                for model in ("mom", "a", "b"):
                    reply = await gateway.chat(ask(model=model), headers={"Authorization": f"Bearer {key}"})
                    said += reply.raw.decode() + str(reply.headers)
        for path in ("/readyz", "/metrics", "/v1/models"):
            shown = await gateway.request("GET", path, headers={"Authorization": f"Bearer {CLIENT_CANARY}"})
            assert shown.status == 200
            said += shown.raw.decode()
        command_line = await asyncio.to_thread(Path(f"/proc/{child.pid}/cmdline").read_text)
        child.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(child.communicate(), 60)
    traces = [path.read_text() for path in (tmp_path / "traces").rglob("*") if path.is_file()]
    assert "[redacted]" in said
    assert "attempt" in err.decode()
    assert len(traces) > len(_repeat_keys())
    assert leaked(said) == []
    assert leaked(out.decode() + err.decode()) == []
    assert leaked("".join(traces)) == []
    assert leaked(command_line) == []


@pytest.mark.parametrize(("mistake", "code"), [("retries: 0", 1), ("retries: -1", 2), ("retires: 0", 2)])
async def test_a_check_prints_no_key(config: Path, mistake: str, code: int) -> None:
    """Neither of a good file, whose models do not answer, nor of one with mistakes beside the keys."""
    text = CONFIG.format(url="http://127.0.0.1:1/v1").replace("retries: 0", mistake)
    await asyncio.to_thread(config.write_text, text)
    async with process("--config", str(config), "--doctor") as child:
        out, err = await child.communicate()
    assert child.returncode == code
    assert leaked(out.decode() + err.decode()) == []


async def test_no_repr_holds_a_key(config: Path) -> None:
    """Of the settings, of each model, of the running state; nor does a Secret as a string."""
    read = load(config, os.environ)
    async with running(read) as gateway:
        assert gateway.app is not None
        state = gateway.app[SNAPSHOTS].current
        shown = [repr(it) for it in (read, state, state.pool, *read.models, read.server)]
    shown += [f"{read.models[0].api_key} {read.models[0].api_key!r}"]
    assert "FAKE_API_KEY" in shown[-1]
    assert leaked("".join(shown)) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
async def test_no_child_process_holds_a_key(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded model's process needs none: neither its environment nor its command line has one."""
    on_stand_in(monkeypatch)
    child = tiny(tmp_path)
    read = load(config, os.environ)
    async with running(replace(read, models=(*read.models, child))) as gateway:
        folder = Path(f"/proc/{await pid_of(gateway, child)}")
        seen = await asyncio.to_thread(lambda: (folder / "environ").read_text() + (folder / "cmdline").read_text())
    assert "llama_child" in seen
    assert leaked(seen) == []


def _repeat_keys() -> list[Step]:
    """Return faults that repeat the keys, in every field."""
    message = f"the key {KEY} and the header {HEADER_CANARY}"
    error = {"error": {"message": message, "code": KEY, "type": HEADER_CANARY}}
    return [*(status(code, body=error) for code in (400, 404, 429, 500)), error_in_200(KEY, message), garbage()]
