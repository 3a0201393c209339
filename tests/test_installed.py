"""The wheel, installed into a fresh environment: the command, its files, its child processes."""

import asyncio
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from config.version import VERSION
from tests.fakes import FakeUpstream, answer
from tests.processes import PATIENCE_S, ROOT, logged, process, served
from tests.running import ask
from tests.test_evidence import QUESTION, RIGHT, WRONG

CONFIG = """
server: {{ui: true}}
models:
  - {{name: a, base_url: "{url}"}}
  - {{name: b, base_url: "{url}"}}
  - {{name: tiny, provider: embedded, path: tiny.gguf}}
mixtures:
  - {{name: mom, panel: [a, b], critic: none}}
"""
FOREIGN = ("config", "gateway", "handlers", "runtime", "store", "synth", "upstream")


def run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr


def install(folder: Path) -> Path:
    """Build the wheel, install it into a new environment among foreign packages of our names; return the command.

    The dependencies are those of this environment.
    """
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("mom_gateway-*.whl")
    environment = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    run(*pip, "--python", environment / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    (packages,) = environment.glob("lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (environment / "bin" / "monty").symlink_to(Path(sysconfig.get_path("scripts"), "monty"))
    for name in FOREIGN:
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text("raise SystemExit('a foreign package was imported')")
    return environment / "bin" / "mom-gateway"


async def test_the_installed_gateway_works(upstream: FakeUpstream, tmp_path: Path) -> None:
    """It serves, runs candidates, shows pages and starts children, beside foreign packages with names of ours."""
    command = str(await asyncio.to_thread(install, tmp_path))
    upstream.script("a", answer(WRONG))
    upstream.script("b", answer(RIGHT))
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(url=upstream.base_url))
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF, and nothing else")
    async with served(config, program=[command], cwd=tmp_path) as (child, gateway):
        reply = await gateway.chat(ask(QUESTION))
        page = await gateway.request("GET", "/ui")
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(gateway.chat(ask(model="tiny")))
            await logged(child, "GGUF file is version")  # llama.cpp's words, from its child
            waiting.cancel()
    assert (reply.text, reply.headers["x-mom-evidence"]) == (RIGHT, "ran=2 passed=1 by=examples")
    assert page.status == 200

    home, empty = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}, tmp_path / "empty"
    empty.mkdir()
    async with process("doctor", "--offline", program=[command], cwd=empty, env=home) as child:
        out, _ = await child.communicate()
    assert re.match(rf"{tmp_path}/environment/lib/.+/site-packages/mom_gateway/config.yaml is valid", out.decode())
    (empty / "config.yaml").write_text("model_list: []")
    async with process("doctor", "--offline", program=[command], cwd=empty, env=home) as child:
        _, err = await child.communicate()
    assert child.returncode == 2
    assert err.decode().endswith("config.yaml was found automatically; name another with --config FILE\n")
    async with process("--version", program=[command], cwd=empty, env=home) as child:
        assert await child.communicate() == (f"mom-gateway {VERSION}\n".encode(), b"")


def test_every_layer_is_in_the_wheel() -> None:
    """A new top-level package is named in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    source = project["tool"]["hatch"]["build"]["targets"]["sdist"]
    layers = [path for path in FOREIGN if path != "gateway"]
    assert wheel["only-include"] == ["mom_gateway", *wheel["sources"]]
    assert sorted(wheel["sources"]) == layers
    assert {f"/{each}" for each in wheel["only-include"]} <= set(source["only-include"])


@pytest.mark.parametrize(
    "name", ["requirements.txt", *(f"requirements-{extra}.txt" for extra in ("otel", "redis", "mcp"))]
)
def test_requirements_are_pinned(name: str) -> None:
    """The wheel's dependencies are exactly those that were tested."""
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 and " " not in line for line in lines)
