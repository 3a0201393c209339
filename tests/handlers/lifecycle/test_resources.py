"""What a configuration needs of the resources: which weights, which secrets."""

from config.settings import ApiKey, Critic, Model, Secret, Server, Weights
from handlers.lifecycle.resources import configured_weights, secrets_of, used_weights
from tests.running import model, settings


def embedded(name: str) -> Model:
    return Model(name, "", "embedded", None, name, weights=Weights(name=name))


def test_weights_are_used_if_a_mixture_may_call_the_model() -> None:
    """As a member of a panel or as its critic, also as a fallback."""
    models = [embedded(name) for name in ("member", "critic", "fallback", "idle")]
    config = settings(models, panel=("member",), critic=Critic("critic", fallbacks=("fallback",)))
    assert [each.name for each in configured_weights(config)] == ["member", "critic", "fallback", "idle"]
    assert [each.name for each in used_weights(config)] == ["member", "critic", "fallback"]


def test_every_key_is_a_secret() -> None:
    """Of models, in their headers, and of clients."""
    headers = {"X-Key": Secret("of a header", "X")}
    config = settings(
        [model("a", "http://h/v1", api_key=Secret("of a model", "A"), headers=headers)],
        server=Server(api_keys=(ApiKey("client", Secret("of a client", "C")),)),
    )
    assert set(secrets_of(config)) == {"of a header", "of a model", "of a client"}
