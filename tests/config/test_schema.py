"""Every key of the schema reaches `Settings`: a key that is only validated would be silently ignored."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import ConfigError, load
from config.schema import TABLES
from config.settings import Settings

# Values to try for a key, whatever its type: the first that its reader accepts and that is no default must change
# `Settings`. A new key of a known type needs no line here.
VALUES: tuple[Any, ...] = (
    *(512, 7, 3, 2, 1, 0.5, True, False, "0.5x"),
    *(
        "/",
        "total",
        "default",
        "reject",
        "fuse",
        "every_turn",
        "ollama",
        "shadow",
        "off",
        "refuse",
        "redis://h",
        "transcript",
        "messages",
    ),
    *("other", "third", "new-name", "127.0.0.9", "http://other.example/v1", "https://other.example", "Do {candidates}"),
    *(["other"], ["vision"], ["other.example"], ["https://other.example"], ["temperature"], [1, 2]),
    *(
        {"temperature": 0.5},
        {"X-Other": "x"},
        {"max_tokens": "max_completion_tokens"},
        {"other-*": "main"},
        {"low": "high"},
    ),
    *(
        {"workdir": "/", "command": ["other"]},
        {"model": "other"},
        {"after_s": 3},
        {"input": 3, "output": 4},
        {"fan_out": "every_turn"},
    ),
    *([{"name": "other", "key": "k"}], [{"name": "other", "system": "^other"}], [{"model": "other", "samples": 2}]),
)


def document() -> dict[str, Any]:
    """Return a configuration that has every section, so that one more key in any of them is meaningful."""
    models = [
        {"name": name, "base_url": f"http://{name}/v1", "hedge": {"after_s": 9}, "price": {"input": 1, "output": 2}}
        for name in ("spare", "main", "other", "third")
    ]
    mixture = {
        "name": "mix",
        "panel": [{"model": "main", "samples": 2}, {"model": "other"}],
        "critic": {"model": "main"},
        "verify": {"model": "third"},
        "checker": {"workdir": ".", "command": ["make", "test"]},
        "bypass": {"rules": [{"name": "rule", "max_prompt_chars": 99}]},
        "tools": {"fan_out": {"every_n": 9}},
        "quorum": 1,
    }
    keys = [{"name": "client", "key": "secret"}]
    return {
        "server": {"api_keys": keys},
        "models": models,
        "critic": {"model": "third"},
        "mixtures": [mixture, {"name": "plain"}],
        "store": {"url": "redis://first"},
    }


def section_of(root: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the mapping at a path of `TABLES`, the first one of a list."""
    found: Any = root
    for key in filter(None, path.split(".")):
        found = found[key][0] if isinstance(found[key], list) else found[key]
    assert isinstance(found, dict)
    return found


def loaded(root: dict[str, Any], folder: Path) -> Settings | None:
    path = folder / "config.yaml"
    path.write_text(json.dumps(root))  # JSON is YAML
    try:
        return load(path, {})
    except ConfigError:
        return None


def variants(path: str, key: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield pairs of documents that differ in one key: without it, and with one of the values."""
    for value in VALUES:
        before, after = document(), document()
        if path == "models" and key in {"path", "threads", "slots"}:
            for root in (before, after):
                root["models"].insert(0, {"name": "smollm2-135m", "provider": "embedded"})
        section_of(after, path)[key] = value
        yield before, after


@pytest.mark.parametrize(
    ("path", "key"), [(path, key) for path, table in TABLES.items() for key in table if key not in TABLES]
)
def test_every_key_reaches_the_settings(tmp_path: Path, path: str, key: str) -> None:
    """A value other than the default changes `Settings`; sections as a whole are covered by their own keys."""
    own = tmp_path / "own.gguf"
    own.touch()
    accepted = 0
    for before, after in variants(path, key):
        if key == "path":
            section_of(after, path)[key] = str(own)
        changed = loaded(after, tmp_path)
        if changed is None:
            continue
        accepted += 1
        if changed != loaded(before, tmp_path):
            return
    pytest.fail(f"{path}.{key}: none of {accepted} accepted values changes Settings; add a field or a value to try")
