"""Evidence on a panel's candidates."""

import asyncio
from typing import Any

import pytest

from config.settings import Weights
from synth.events import EvidenceFound
from synth.panel.evidence import identify_voter
from synth.panel.layers import ask_panel
from tests.synth.scripted_pool import model, scene
from tests.synth.small_evidence import SmallInquiry, code

RIGHT, WRONG = code("2 * n"), code("n + 1")
JSON = {"response_format": {"type": "json_object"}}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


async def test_evidence_outranks_the_order_of_the_panel() -> None:
    """The candidate that passes leads; the order decides only among equals."""
    stage = scene({"a": WRONG, "b": RIGHT}, examples={2: 4})
    panel = await ask_panel(stage.run, stage.mixture)
    assert [candidate.name for candidate in panel.leaders()] == ["b"]
    assert [event.decides for event in stage.seen(EvidenceFound)] == [True]


@pytest.mark.parametrize(("options", "params"), [({"evidence": "off"}, {}), ({}, JSON), ({}, TOOLS)])
async def test_nothing_is_run_that_must_not_or_cannot_be(options: dict[str, Any], params: dict[str, Any]) -> None:
    """With evidence off, for JSON, and for tool calls there is no inquiry at all."""
    stage = scene({"a": WRONG, "b": RIGHT}, examples={2: 4}, params=params, **options)
    panel = await ask_panel(stage.run, stage.mixture)
    assert (panel.ranking, stage.evidence.inquiries) == (None, [])


async def test_the_candidates_of_the_last_layer_are_ranked() -> None:
    """Those of earlier layers are not run."""
    stage = scene({"a": ["one", WRONG], "b": ["two", RIGHT]}, examples={2: 4}, layers=2)
    panel = await ask_panel(stage.run, stage.mixture)
    assert [candidate.name for candidate in panel.leaders()] == ["b"]
    assert len(stage.evidence.inquiries[0].subjects) == 2


def test_configured_models_of_one_upstream_model_are_one_voter() -> None:
    """By address and id there, or by weights; whatever they are called here."""
    assert identify_voter(model("a", model="m")) == identify_voter(model("b", model="m"))
    assert identify_voter(model("a", model="m")) != identify_voter(model("a", model="n"))
    weights = Weights("qwen2.5-coder-0.5b")
    assert identify_voter(model("a", model="m", weights=weights)) != identify_voter(model("a", model="m"))


async def test_a_client_that_leaves_ends_the_inquiry(monkeypatch: pytest.MonkeyPatch) -> None:
    """While candidates are still being run."""
    is_ranking = asyncio.Event()

    async def rank(_inquiry: SmallInquiry, _order: Any) -> Any:
        is_ranking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(SmallInquiry, "rank", rank)
    stage = scene({"a": WRONG, "b": RIGHT}, examples={2: 4})
    asking = asyncio.create_task(ask_panel(stage.run, stage.mixture))
    await is_ranking.wait()
    assert stage.evidence.n_open == 1
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert (asking.cancelled(), stage.evidence.n_open) == (True, 0)
