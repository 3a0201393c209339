"""The child program by its protocol: settings in, a port or an error out, and its end with stdin."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.fakes import llama

WAIT_S = 60.0


@contextmanager
def _child(path: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """Start the child on the stand-in for its runtime, and give its one answer."""
    wanted = {"path": str(path), "name": "tiny", "slots": 2, "context_tokens": 512, "threads": 3, "api_key": "k"}
    child = subprocess.Popen(
        llama.PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(wanted).encode() + b"\n")
        child.stdin.flush()
        answered = child.stdout.readline()
        yield child, json.loads(answered) if answered else {}
    finally:
        child.kill()
        child.communicate(timeout=WAIT_S)


def test_it_serves_at_a_port_of_its_own(tmp_path: Path) -> None:
    """On this machine alone, with the key, and with the context that each slot is to have."""
    with (
        _child(llama.gguf(tmp_path, "serve")) as (_, answered),
        urlopen(f"http://127.0.0.1:{answered['port']}/", timeout=WAIT_S) as reply,
    ):
        params = json.load(reply)["params"]
    assert (params["hostnames"], params["port"], params["api_keys"]) == (["127.0.0.1"], 0, ["k"])
    assert (params["n_parallel"], params["n_ctx"], params["model_alias"]) == (2, 1024, ["tiny"])
    assert params["cpuparams"]["n_threads"] == params["cpuparams_batch"]["n_threads"] == 3
    assert params["offline"]
    assert not params["endpoint_slots"]


def test_a_model_that_cannot_be_loaded_is_an_answer(tmp_path: Path) -> None:
    """With the runtime's words; the process ends."""
    with _child(llama.gguf(tmp_path, "refuse")) as (child, answered):
        assert answered == {"error": "Failed to init server"}
        assert child.wait(WAIT_S) == 1


def test_a_runtime_that_cannot_be_imported_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a package that was built for another processor."""
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('no such instruction')", encoding="utf-8")
    program = (*llama.PROGRAM[:4], str(tmp_path), llama.PROGRAM[-1])
    monkeypatch.setattr(llama, "PROGRAM", program)
    with _child(tmp_path / "any.gguf") as (child, answered):
        assert answered == {"error": "no such instruction"}
        assert child.wait(WAIT_S) == 1


def test_it_ends_with_its_stdin(tmp_path: Path) -> None:
    """As it does if the gateway is killed."""
    with _child(llama.gguf(tmp_path, "serve")) as (child, answered):
        assert answered["port"]
        assert child.stdin is not None
        child.stdin.close()
        child.wait(WAIT_S)
        child.stdin = None
