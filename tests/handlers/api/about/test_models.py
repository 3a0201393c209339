"""GET /v1/models: the names that a client may use."""

from config.settings import Alias, Critic
from tests.fakes import FakeUpstream
from tests.running import model, running, settings


async def test_mixtures_come_first_and_carry_their_panel(upstream: FakeUpstream) -> None:
    """A mixture's window is the smallest of its members; its capabilities are its critic's."""
    models = [
        model("a", upstream, context_tokens=8000),
        model("b", upstream, context_tokens=4000, capabilities=frozenset({"tools"})),
    ]
    async with running(settings(models, critic=Critic("b"))) as gateway:
        listed = (await gateway.request("GET", "/v1/models")).json["data"]
        one = (await gateway.request("GET", "/v1/models/b")).json
        unknown = await gateway.request("GET", "/v1/models/c/d")
    assert [each["id"] for each in listed] == ["mom", "a", "b"]
    assert (listed[0]["context_window"], listed[0]["capabilities"], listed[0]["critic"]) == (4000, ["tools"], "b")
    assert one == listed[2]
    assert (unknown.status, unknown.error["message"]) == (404, "unknown model 'c/d'; available: mom, a, b")


async def test_vision_needs_a_proposer_that_can_see(upstream: FakeUpstream) -> None:
    """A critic that can see is of no use if no proposer can."""
    blind = frozenset({"tools"})
    models = [model("eyes", upstream), model("blind", upstream, capabilities=blind)]
    async with running(settings(models, panel=("blind",), critic=Critic("eyes"))) as gateway:
        mixture = (await gateway.request("GET", "/v1/models/mom")).json
    assert "vision" not in mixture["capabilities"]


async def test_aliases_are_listed_after_the_names_that_they_stand_for(upstream: FakeUpstream) -> None:
    """Patterns are not listed, but every name that matches one has an entry."""
    config = settings([model("a", upstream)], aliases=(Alias("gpt-4.1", "mom"), Alias("claude-*", "a")))
    async with running(config) as gateway:
        listed = (await gateway.request("GET", "/v1/models")).json["data"]
        alias = (await gateway.request("GET", "/v1/models/gpt-4.1")).json
        matching = (await gateway.request("GET", "/v1/models/claude-x")).json
        unknown = await gateway.request("GET", "/v1/models/gpt-5")
    assert [each["id"] for each in listed] == ["mom", "a", "gpt-4.1"]
    assert listed[2] == alias == {**listed[0], "id": "gpt-4.1", "alias_of": "mom"}
    assert matching == {**listed[1], "id": "claude-x", "alias_of": "a"}
    assert unknown.status == 404
