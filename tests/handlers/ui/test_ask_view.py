"""The choices of the page on which a question is asked."""

from config.settings import Proposer
from handlers.ui.ask_view import Target, build_ask_view
from tests.running import model, settings


def test_mixtures_and_models_can_be_asked() -> None:
    """A mixture with its panel's models and the names of their proposers, each model alone, and every mode."""
    models = [model("a", "http://h"), model("b", "http://h")]
    panel = (Proposer("a", sample=1), Proposer("b"), Proposer("a", sample=2))
    view = build_ask_view(settings(models, panel=panel))
    assert view.mixtures == [Target("mom", {"a": ["a#1", "a#2"], "b": ["b"]})]
    assert view.models == ["a", "b"]
    assert {"fuse", "select", "first"} <= set(view.modes)


def test_a_key_is_offered_the_names_it_permits() -> None:
    """Every other name is unknown to it."""
    view = build_ask_view(settings([model("a", "http://h"), model("b", "http://h")]), may_name={"b"}.__contains__)
    assert view.mixtures == []
    assert view.models == ["b"]
