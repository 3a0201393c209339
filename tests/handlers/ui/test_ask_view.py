"""The choices of the page on which a question is asked."""

from handlers.ui.ask_view import Target, build_ask_view
from tests.running import model, settings


def test_mixtures_and_models_can_be_asked() -> None:
    """A mixture with the names of its members, each model alone, and every mode."""
    view = build_ask_view(settings([model("a", "http://h"), model("b", "http://h")]))
    assert view.mixtures == [Target("mom", ["a", "b"])]
    assert view.models == [Target("a", ()), Target("b", ())]
    assert {"fuse", "select", "first"} <= set(view.modes)
