"""The names that a client may use, with a key that permits everything and with keys that do not."""

from dataclasses import replace
from typing import Any

import pytest

from config.settings import Alias, ApiKey, Secret, Server, Settings
from handlers.api.intake.naming import check_model, list_names, may_name, resolve_name
from handlers.context import Snapshot
from handlers.errors import ApiError
from tests.running import model, settings

ALIASES = (Alias("claude-*", "b"), Alias("gpt-4.1", "mom"), Alias("claude-x", "a"))
CONFIG = settings([model(name, "http://127.0.0.1:1/v1") for name in ("a", "b")], aliases=ALIASES)


def snapshot(config: Settings = CONFIG) -> Snapshot:
    pool: Any = None
    return Snapshot(config, pool, lambda: (), lambda: 0.0)


def key(*models: str) -> ApiKey:
    return ApiKey("ci", Secret("k", "K"), models=models)


EVERYTHING = ["mom", "a", "b", "claude-*", "gpt-4.1", "claude-x"]


@pytest.mark.parametrize("anyone", [None, ApiKey("ci", Secret("k", "K"))])
def test_without_a_list_every_name_is_permitted(anyone: ApiKey | None) -> None:
    """No key, or a key without `models`."""
    assert list_names(snapshot(), anyone) == EVERYTHING
    names = ("mom", "a", "gpt-4.1", "claude-x", "claude-y")
    assert [resolve_name(name, snapshot(), anyone) for name in names] == ["mom", "a", "mom", "a", "b"]
    assert resolve_name(None, snapshot(), anyone) == "mom"


@pytest.mark.parametrize(
    ("listed", "permitted"),
    [
        (("mom",), ["mom", "gpt-4.1"]),
        (("a",), ["a", "claude-x"]),
        (("b",), ["b", "claude-*"]),
        (("gpt-4.1",), ["gpt-4.1"]),
        (("claude-*",), ["claude-*"]),
    ],
)
def test_a_key_permits_a_name_its_alias_or_its_target(listed: tuple[str, ...], permitted: list[str]) -> None:
    """A permitted mixture may be asked by its aliases; a permitted alias reveals nothing of its target."""
    assert list_names(snapshot(), key(*listed)) == permitted


def test_a_name_that_is_not_permitted_is_unknown() -> None:
    """The 404 is word for word that of a name that does not exist, and lists what the key permits."""
    messages = set()
    for name in ("a", "b", "claude-x", "claude-y", "nothing"):
        with pytest.raises(ApiError) as caught:
            resolve_name(name, snapshot(), key("mom"))
        assert (caught.value.status, caught.value.code) == (404, "model_not_found")
        messages.add(caught.value.message.replace(repr(name), "…"))
    assert messages == {"unknown model …; available: mom, gpt-4.1"}


def test_a_pattern_permits_every_name_that_it_matches() -> None:
    """A wildcard alias is one entry of the list; an exact alias beside it is another."""
    assert may_name("claude-y", snapshot(), key("claude-*"))
    assert not may_name("claude-x", snapshot(), key("claude-*"))
    assert resolve_name("claude-y", snapshot(), key("claude-*")) == "b"


@pytest.mark.parametrize(
    ("listed", "default"), [(("a", "mom"), "mom"), (("b", "a"), "a"), (("claude-*",), "b"), (("gpt-4.1",), "mom")]
)
def test_without_a_name_the_first_permitted_answers(listed: tuple[str, ...], default: str) -> None:
    """A mixture if the key permits one, in the order of config.yaml."""
    assert resolve_name(None, snapshot(), key(*listed)) == default


def test_an_unknown_name_gets_a_default_only_if_the_key_permits_it() -> None:
    """`unknown_model: default` gives no more than the key permits."""
    config = replace(CONFIG, server=Server(unknown_model="default"))
    assert resolve_name("gpt-9", snapshot(config), None) == "mom"
    assert resolve_name("mom", snapshot(config), key("a")) == "a"


def test_a_field_names_only_permitted_models() -> None:
    """No mixture, no alias, no model that the key does not list; the error has the field's path."""
    check_model("a", "mom.critic", snapshot(), key("a"))
    for name in ("b", "mom", "claude-x", "nothing"):
        with pytest.raises(ApiError) as caught:
            check_model(name, "mom.critic", snapshot(), key("a", "mom"))
        assert (caught.value.status, caught.value.param) == (404, "mom.critic")
        assert caught.value.message == f"mom.critic: unknown model {name!r}; available: a"
