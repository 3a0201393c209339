"""The gateway as a process: command line, start, stop, log."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest
from aiohttp import ClientError

from tests.fakes import FakeUpstream, answer, hang, status
from tests.processes import process, served
from tests.running import KEY, ask

CONFIG = """
models:
  - {{name: a, base_url: "{url}", api_key: "${{FAKE_API_KEY}}"}}
  - {{name: b, base_url: "{url}"}}
"""


def written(folder: Path, upstream: FakeUpstream) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(url=upstream.base_url))
    return path


async def test_it_serves_until_a_signal_stops_it(upstream: FakeUpstream, tmp_path: Path) -> None:
    """A banner, one JSON log line for each request, exit code 0 after SIGTERM."""
    upstream.default = answer("same")
    async with served(written(tmp_path, upstream), "--debug") as (child, gateway):
        assert (await gateway.request("GET", "/healthz")).status == 200
        assert (await gateway.request("GET", "/readyz")).status == 200
        assert (await gateway.chat(ask("a private thing"), headers={"x-request-id": "mine"})).text == "same"
        child.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == 0
    assert "mom: panel a, b; critic a; mode auto" in out.decode()
    assert re.search(r"http :\d+/v1/chat/completions model=mom messages:='", out.decode())
    lines = [json.loads(line) for line in err.decode().splitlines()]
    (line,) = [line for line in lines if line["event"] == "request" and line.get("request_id") == "mine"]
    assert (line["mixture"], line["mode"], line["candidates"], line["status"]) == ("mom", "fuse", "2/2", 200)
    assert line["panel"] == {"a": "ok", "b": "ok"}
    assert line["prompt_tokens"] == 22
    attempts = [line for line in lines if line["event"] == "attempt"]
    assert {(attempt["model"], attempt["outcome"]) for attempt in attempts} == {("a", "ok"), ("b", "ok")}
    assert "a private thing" not in err.decode()
    assert KEY not in out.decode() + err.decode()


async def test_an_invalid_config_ends_it_before_the_socket_opens(tmp_path: Path) -> None:
    """Exit code 2, and one line for each problem with file, line and path."""
    path = tmp_path / "config.yaml"
    path.write_text("models:\n  - name: a\n    base_url: http://127.0.0.1:1/v1\n    timeout_s: -3\n    tiemout: 1\n")
    async with process("--config", str(path)) as child:
        _, err = await child.communicate()
    assert child.returncode == 2
    first, second = err.decode().splitlines()
    assert first.endswith("config.yaml:4: models[0].timeout_s: must be > 0, is -3")
    assert "config.yaml:5: models[0].tiemout: " in second


async def test_a_port_in_use_is_reported_with_the_remedy(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Exit code 1 and a sentence, no traceback."""
    port = upstream.base_url.rsplit(":", 1)[1].removesuffix("/v1")
    path = tmp_path / "config.yaml"
    path.write_text('models: [{name: a, base_url: "http://127.0.0.1:1/v1"}]')
    async with process("--config", str(path), "--port", port) as child:
        _, err = await child.communicate()
    assert child.returncode == 1
    assert err.decode() == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; is another gateway running? "
        "Stop it, or choose another port: --port N (make run ARGS=--port=N)\n"
    )
    assert "Traceback" not in err.decode()


async def test_an_unwritable_trace_folder_is_reported(tmp_path: Path) -> None:
    """Exit code 1 and a sentence, no traceback, before the port is opened."""
    path = tmp_path / "config.yaml"
    path.write_text('models: [{name: a, base_url: "http://127.0.0.1:1/v1"}]')
    async with process("--config", str(path), "--port", "0", "--debug-requests", str(path)) as child:
        out, err = await child.communicate()
    assert (child.returncode, out) == (1, b"")
    assert err.decode().startswith(f"cannot write traces to {path}: ")
    assert "--debug-requests DIR" in err.decode()
    assert "Traceback" not in err.decode()


async def test_a_public_address_needs_keys(tmp_path: Path) -> None:
    """Exit code 2 for --host as for server.host, with the remedy."""
    path = tmp_path / "config.yaml"
    path.write_text('models: [{name: a, base_url: "http://127.0.0.1:1/v1"}]')
    async with process("--config", str(path), "--host", "0.0.0.0") as child:
        _, err = await child.communicate()
    assert child.returncode == 2
    assert "config.yaml:1: server.host: is 0.0.0.0 by --host" in err.decode()
    assert "add server.api_keys" in err.decode()


async def test_env_is_read_and_the_real_environment_wins(upstream: FakeUpstream, tmp_path: Path) -> None:
    """From `.env` beside the configuration."""
    path = written(tmp_path, upstream)
    (tmp_path / ".env").write_text("FAKE_API_KEY=from-the-file\n")
    async with process("--config", str(path), "--doctor", "--offline") as child:
        await child.communicate()
    assert child.returncode == 0
    async with served(path) as (_, gateway):
        await gateway.chat()
    assert upstream.requests_for("a")[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("option", ["--doctor", "--check"])
async def test_the_doctor_has_a_former_name(upstream: FakeUpstream, tmp_path: Path, option: str) -> None:
    """`--check` still works, but --help does not show it."""
    path = written(tmp_path, upstream)
    async with process("--config", str(path), option, "--offline", env={"FAKE_API_KEY": KEY}) as child:
        out, _ = await child.communicate()
    assert child.returncode == 0
    assert out.decode().startswith(f"{path} is valid.\n")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("FAKE_API_KEY=s3cret\n".encode("utf-16"), ".env:1: is UTF-16, not UTF-8: save the file with"),
        (b"A=1\nFAKE_API_KEY: s3cret\n", ".env:2: is not a variable: write NAME=value"),
    ],
)
async def test_an_unusable_env_ends_it(upstream: FakeUpstream, tmp_path: Path, content: bytes, sentence: str) -> None:
    """Exit code 2 and one sentence, without a traceback and without the key."""
    path = written(tmp_path, upstream)
    (tmp_path / ".env").write_bytes(content)
    async with process("--config", str(path)) as child:
        out, err = await child.communicate()
    assert (child.returncode, out) == (2, b"")
    (line,) = err.decode().splitlines()
    assert sentence in line
    assert "s3cret" not in line


async def test_traces_survive_a_kill_whole(upstream: FakeUpstream, tmp_path: Path) -> None:
    """SIGKILL in the middle of a request leaves only complete traces."""
    upstream.script("a", answer("done"), hang())
    async with served(written(tmp_path, upstream), "--debug-requests", str(tmp_path / "t")) as (child, gateway):
        await gateway.chat(ask(model="a"))
        asking = asyncio.create_task(gateway.chat(ask(model="a")))
        await upstream.wait_for(2)
        child.kill()
        await child.wait()
        with pytest.raises(ClientError):
            await asking
    for path in (tmp_path / "t").glob("chatcmpl-*.json"):
        assert json.loads(path.read_text())["id"] == path.stem


@pytest.mark.parametrize("options", [("--port", "0"), ("--doctor",)])
async def test_an_unknown_http_client_is_refused(upstream: FakeUpstream, tmp_path: Path, options: list[str]) -> None:
    """The message names the variable and the choices."""
    config = str(written(tmp_path, upstream))
    async with process("--config", config, *options, env={"MOM_HTTP_EXCHANGE": "fast", "FAKE_API_KEY": KEY}) as child:
        _, err = await child.communicate()
    assert child.returncode == 1
    assert err.decode() == "MOM_HTTP_EXCHANGE: 'fast' is not an HTTP client; choose one of direct, session\n"


@pytest.mark.parametrize("name", ["direct", "session"])
async def test_either_http_client_answers(upstream: FakeUpstream, tmp_path: Path, name: str) -> None:
    """Whole and as a stream."""
    upstream.default = answer("same")
    async with served(written(tmp_path, upstream), env={"MOM_HTTP_EXCHANGE": name}) as (_, gateway):
        assert (await gateway.chat()).text == "same"
        assert (await gateway.chat(ask(stream=True))).streamed() == "same"


async def test_help_names_every_option() -> None:
    """--help has the options of the README."""
    async with process("--help") as child:
        out, _ = await child.communicate()
    for option in ("--config", "--host", "--port", "--debug", "--debug-requests", "--doctor", "--offline"):
        assert option in out.decode()


@pytest.mark.parametrize("port", ["99999", "-5", "http"])
async def test_an_invalid_port_is_refused(port: str) -> None:
    """Exit code 2, and the message has the range."""
    async with process(f"--port={port}") as child:
        _, err = await child.communicate()
    assert child.returncode == 2
    assert "from 0 to 65535" in err.decode()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_full_disk_under_the_log_costs_no_answer(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Nor a metric, nor the graceful shutdown, even if a breaker logs as well."""
    upstream.script("a", *[status(400), *[status(500)] * 7])
    upstream.script("b", *[answer("still here")] * 8)
    path = tmp_path / "config.yaml"
    a, b = (f'{{name: {name}, base_url: "{upstream.base_url}", retries: 0}}' for name in "ab")
    path.write_text(f"models: [{a}, {b}]\ncritic: b\n")
    with Path("/dev/full").open("wb") as full:  # noqa: ASYNC230 -- a device, which never waits
        async with served(path, stderr=full.fileno()) as (child, gateway):
            for _ in range(8):
                assert (await gateway.chat()).text == "still here"
            metrics = (await gateway.request("GET", "/metrics")).raw.decode()
            child.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(child.wait(), 60) == 0
    assert re.search(r'mom_requests_total\{[^}]*outcome="ok"\} 8\.0', metrics)
