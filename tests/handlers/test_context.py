"""The context that a request carries."""

from pathlib import Path

from config.settings import Critic, Mixture, Proposer, Server, Settings
from handlers.context import Snapshot
from tests.running import model
from upstream.pool import Pool


async def test_models_and_mixtures_are_found_by_name() -> None:
    """The names of the settings are indexed once for all requests."""
    one = model("a", "http://127.0.0.1:9/v1")
    mixture = Mixture("mom", (Proposer("a"),), Critic("a"))
    pool = Pool([one])
    state = Snapshot(Settings(Path("c"), Server(), (one,), (mixture,)), pool, list, lambda: 0.0)
    await pool.close()
    assert (dict(state.models), dict(state.mixtures)) == ({"a": one}, {"mom": mixture})
