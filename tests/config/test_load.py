"""Reading the file, and keeping its secrets."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import ConfigError, load
from config.settings import Server
from config.source.text_file import MAX_BYTES
from tests.config.loading import problems_of, settings_of

MODEL = "models: [{name: a, base_url: 'http://h'}]"


def test_unset_keys_have_their_defaults(tmp_path: Path) -> None:
    """Unset keys have the defaults of settings.py."""
    read = settings_of(tmp_path, MODEL)
    assert (read.server, read.path) == (Server(), tmp_path / "config.yaml")


def test_every_key_of_the_server_is_read(tmp_path: Path) -> None:
    """Every key of the server reaches the settings."""
    text = (
        "server: {host: 127.0.0.2, port: 0, max_body_mb: 1.5, shutdown_timeout_s: 1, usage: total, "
        "streaming: reject, stream_heartbeat_s: 0, json_heartbeat_s: 5, max_concurrent_requests: 1, "
        "max_queued_requests: 0, max_queue_wait_s: 0.5, watch: true}\n"
    )
    read = settings_of(tmp_path, text + MODEL)
    expected = Server("127.0.0.2", 0, 1.5, 1.0, "total", "reject", 0.0, 5.0)
    assert read.server == replace(
        expected, max_concurrent_requests=1, max_queued_requests=0, max_queue_wait_s=0.5, watch=True
    )


def test_host_and_port_of_the_caller_take_precedence(tmp_path: Path) -> None:
    """The check whether a base_url is the gateway's own address uses them, too."""
    path = tmp_path / "config.yaml"
    path.write_text("server: {port: 9000}\nmodels: [{name: vllm, model: m}]")
    assert load(path, {}, host="localhost", port=0).server == Server(host="localhost", port=0)
    with pytest.raises(ConfigError, match="own address, port 8000"):
        load(path, {}, port=8000)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    """The message has the remedy."""
    with pytest.raises(ConfigError, match=r"none\.yaml: file not found: .* --config FILE"):
        load(tmp_path / "none.yaml", {})


def test_a_folder_is_reported(tmp_path: Path) -> None:
    """A folder is reported as such."""
    with pytest.raises(ConfigError, match="is a folder"):
        load(tmp_path, {})


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    """Other errors of the system are quoted."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"config\.yaml: cannot be read \(Not a directory\)"):
        load(tmp_path / "file" / "config.yaml", {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "config.yaml:1: is empty: write at least"),
        (b"a: 1\nb: \xff\n", "config.yaml:2: is not UTF-8: save the file with the encoding UTF-8"),
        (b"#" * (MAX_BYTES + 1), "config.yaml: is larger than 1024 KiB: is it a configuration file?"),
        (b"a: [", "config.yaml:1: is not YAML: has a { or [ that is not closed"),
    ],
)
def test_an_unusable_file_is_reported(tmp_path: Path, content: bytes, message: str) -> None:
    """A file that is no configuration gives one line."""
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    (problem,) = caught.value.problems
    assert message in problem


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    """Some editors write one at the start of the file."""
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MODEL.encode())
    assert load(path, {}).models


EVERYWHERE = """\
server: {host: "${V}", port: "${V}", max_body_mb: "${V}", usage: "${V}", streaming: "${V}"}
models:
  - name: "${V}"
    base_url: "${V}"
    provider: "${V}"
    api_key: "${V}"
    model: "${V}"
    params: {model: "${V}", a: ["${V}"]}
    headers: {X-A: "${V}", X-B: ["${V}"], Host: "${V}"}
    timeout_s: "${V}"
    retries: "${V}"
    max_concurrency: "${V}"
    capabilities: ["${V}", "${V}"]
    context_tokens: "${V}"
    path: "${V}"
    threads: "${V}"
    slots: ${V}
  - {name: "${V}", base_url: "https://me:${V}@h/${V}"}
  - {name: x, provider: embedded, path: "${V}", model: "${V}"}
  - {name: y, provider: embedded, model: "${V}"}
critic: {model: "${V}", fallbacks: ["${V}", y], params: "${V}", prompt: "${V}"}
mixtures:
  - {name: "${V}", panel: ["${V}", "${V}", z], critic: "${V}", mode: "${V}", deadline_s: "${V}", show_work: "${V}"}
  - {name: "${V}", panel: "${V}", critic: {model: "${V}"}, tools: {fan_out: "${V}"}}
  - "${V}"
"""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_no_message_shows_a_value_of_the_environment(tmp_path: Path, before: str, after: str) -> None:
    """Any variable may contain a key, wherever the file uses it."""
    problems = problems_of(tmp_path, EVERYWHERE, {"V": f"{before}s3cret{after}"})
    assert len(problems) > 20
    assert "s3cret" not in "\n".join(problems)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_no_repr_shows_a_key(tmp_path: Path, key: str) -> None:
    """Keys reach the settings unchanged, as secrets."""
    text = 'models: [{name: a, base_url: "http://h", api_key: "${K}", headers: {X-K: "${K}"}}]'
    read = settings_of(tmp_path, text, {"K": f"s3cret{key}"})
    (model,) = read.models
    assert model.api_key is not None
    assert model.api_key.value == model.headers["X-K"].value == f"s3cret{key}"
    assert "s3cret" not in f"{read!r} {read} {model.api_key} {model.headers}"


def test_importing_config_is_cheap() -> None:
    """Start-up time allows for YAML and little else."""
    code = "import sys, config; print(*sorted(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"aiohttp", "asyncio", "hypothesis", "pydantic", "structlog", "upstream"} & set(found)
