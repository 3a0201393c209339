"""One child process: its start, its log and its end."""

import asyncio
import sys
from pathlib import Path

import pytest
import structlog.testing

from tests.fakes import llama
from upstream.embedded import llama_process
from upstream.embedded.llama_process import Launch, LaunchError, LlamaProcess, default_threads

WAIT_S = 60.0  # far more than any of this takes


async def test_a_child_that_ignores_the_end_of_stdin_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets a SIGKILL and is reaped."""
    monkeypatch.setattr(llama_process, "_EXIT_TIMEOUT_S", 0.05)
    code = "import json, os, time; print(json.dumps({'port': os.getpid()}), flush=True); time.sleep(3600)"
    child = await LlamaProcess.launch(launch_of(tmp_path), program=(sys.executable, "-c", code))
    await child.close()
    assert await child.wait_until_ended() == "was ended by signal 9"


async def test_a_child_that_ends_without_a_message_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="ended without a message"):
        await LlamaProcess.launch(launch_of(llama.gguf(tmp_path, "die")), program=llama.PROGRAM)


async def test_a_child_that_loads_too_slowly_is_ended(tmp_path: Path) -> None:
    """The process is gone after the error."""
    path = llama.gguf(tmp_path, "hold")
    with pytest.raises(LaunchError, match=r"not ready within 0\.2 s"):
        await LlamaProcess.launch(launch_of(path), program=llama.PROGRAM, ready_timeout_s=0.2)
    await asyncio.wait_for(llama.dead(path), WAIT_S)


@pytest.mark.parametrize("answer", ["", "nonsense", "[]", '{"port": "80"}'])
async def test_a_malformed_answer_is_a_failed_launch(tmp_path: Path, answer: str) -> None:
    program = (sys.executable, "-c", f"print({answer!r}, flush=True)")
    with pytest.raises(LaunchError, match="ended without a message"):
        await LlamaProcess.launch(launch_of(tmp_path), program=program)


async def test_the_log_of_the_child_is_forwarded_by_lines(tmp_path: Path) -> None:
    """With llama.cpp's levels; long lines are cut, and the last line is not lost."""
    log = f"1.2 I srv  init: hello\n1.2 W load: odd\n1.3 E srv  load: broken\n{'x' * 300_000}\nlast"
    code = "import sys; sys.stdin.readline(); sys.stderr.write(open(sys.argv[1]).read())"
    path = tmp_path / "log"
    path.write_text(log, encoding="utf-8")
    with structlog.testing.capture_logs() as logs, pytest.raises(LaunchError, match="load: broken"):
        await LlamaProcess.launch(launch_of(tmp_path), program=(sys.executable, "-c", code, str(path)))
    lines = [(entry["log_level"], entry["line"]) for entry in logs if "line" in entry]
    assert lines == [
        ("debug", "1.2 I srv  init: hello"),
        ("warning", "1.2 W load: odd"),
        ("error", "1.3 E srv  load: broken"),
        ("debug", "x" * 1000),
        ("debug", "last"),
    ]


def test_a_child_computes_with_few_threads() -> None:
    assert 1 <= default_threads() <= 4


def launch_of(path: Path) -> Launch:
    return Launch(name="test", path=str(path), context_tokens=512, slots=1, threads=1)
