"""Every fault in every place, in JSON and as a stream: the client's reply, its cost, and no leaks."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from config.settings import Critic, Model, Secret, Server, Settings
from handlers.lifecycle.snapshots import SNAPSHOTS
from tests.fakes import FakeUpstream, answer, refusing, unanswering
from tests.faults import (
    AUTHORS,
    EVERYONE,
    FAULTS,
    MAX_EVENT_BYTES,
    MAX_REPLY_BYTES,
    PANEL,
    PLACES,
    Expected,
    Fault,
    Place,
    expected,
    key_of,
    markdown,
    text_of,
)
from tests.process_facts import n_descriptors
from tests.running import KEY, Gateway, Reply, ask, model, running, settings
from upstream.http import client

DOCUMENT = Path(__file__).parent.parent / "docs" / "reliability.md"
WAIT_S = 30.0


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an event that is too large be soon sent."""
    monkeypatch.setattr(client, "MAX_EVENT_BYTES", MAX_EVENT_BYTES)


@pytest.fixture
def address(fault: Fault) -> Iterator[str | None]:
    """Give where the faulty models are, if nobody answers there."""
    with ExitStack() as stack:
        match fault.at:
            case "refusing":
                yield stack.enter_context(refusing())
            case "unanswering":
                yield stack.enter_context(unanswering())
            case _:
                yield None


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_in_a_place(fault: Fault, place: Place, address: str | None, tmp_path: Path) -> None:
    """The outcome is the table's, and no task, connection, slot, descriptor or key is left anywhere."""
    for stream in (False, True):
        folder = tmp_path / ("stream" if stream else "json")
        before = await _belongings()
        with structlog.testing.capture_logs() as logs:
            async with FakeUpstream() as upstream:
                config = _settings(fault, place, upstream, address)
                async with running(config, trace_dir=folder) as gateway:
                    reply = await gateway.chat(ask(stream=stream))
                    await _nothing_in_use(gateway, config)
                    await upstream.wait_idle()
        await _nothing_left(before)
        (path,) = folder.glob("chatcmpl-*.json")
        written = path.read_text()
        trace = json.loads(written)
        wanted = expected(fault, place, stream=stream)
        _check_reply(reply, wanted, fault, stream=stream)
        assert (trace["decided_by"], _attempts(trace)) == (wanted.decided_by, wanted.attempts)
        _check_seen(upstream, wanted, fault, faulty_elsewhere=place.faulty if address else ())
        assert logs
        assert KEY not in reply.raw.decode() + str(reply.headers) + written + repr(logs)
        assert [entry for entry in logs if "exc_info" in entry] == []


def test_the_document_shows_this_matrix() -> None:
    """The table of docs/reliability.md is this one."""
    assert markdown() in DOCUMENT.read_text()


def _settings(fault: Fault, place: Place, upstream: FakeUpstream, address: str | None) -> Settings:
    for name in EVERYONE:
        step = fault.at if name in place.faulty and not isinstance(fault.at, str) else answer(text_of(name))
        upstream.script(name, step)
    models = [_model(name, upstream, address, fault if name in place.faulty else None) for name in EVERYONE]
    critic = Critic(AUTHORS[0], fallbacks=AUTHORS[1:])
    server = Server(port=0, max_reply_mb=MAX_REPLY_BYTES / 2**20)  # what is too large is soon sent
    return settings(models, server=server, panel=PANEL, critic=critic, retry_grace_s=WAIT_S)


def _model(name: str, upstream: FakeUpstream, address: str | None, fault: Fault | None) -> Model:
    limits = fault.limits if fault else {}
    at = address if fault and address else upstream
    return model(name, at, api_key=Secret(key_of(name), "FAKE_API_KEY"), retries=1, **limits)


def _check_reply(reply: Reply, wanted: Expected, fault: Fault, *, stream: bool) -> None:
    assert reply.status == wanted.status
    assert reply.headers["x-request-id"]
    if wanted.status != 200:
        assert (reply.error["code"], reply.error["param"]) == (wanted.error, None)
        assert {cause["model"] for cause in reply.error["causes"]} == set(EVERYONE)
        assert reply.headers.get("retry-after") == fault.retry_after
    elif wanted.error:
        assert reply.events[-1]["error"]["code"] == wanted.error
        assert "[DONE]" not in reply.events
    elif stream:
        assert reply.streamed() == wanted.text
        assert reply.events[-1] == "[DONE]"
    else:
        assert reply.text == wanted.text


def _attempts(trace: Mapping[str, Any]) -> dict[str, int]:
    """Return how often each model was tried, as the trace has it."""
    counts: dict[str, int] = {}
    for call in trace["calls"]:
        counts[call["model"]] = counts.get(call["model"], 0) + len(call["attempts"])
    return counts


def _check_seen(upstream: FakeUpstream, wanted: Expected, fault: Fault, *, faulty_elsewhere: tuple[str, ...]) -> None:
    """Check that the upstream has seen as many requests as the trace tells, each with its own model's key.

    Of attempts with a short limit it may have seen fewer: a busy machine gives some up before they arrive.
    """
    seen = {name: len(upstream.requests_for(name)) for name in EVERYONE if upstream.requests_for(name)}
    traced = {name: n for name, n in wanted.attempts.items() if name not in faulty_elsewhere}
    assert seen.keys() <= traced.keys()
    assert all(seen.get(name, 0) <= n for name, n in traced.items()) if fault.limits else seen == traced
    assert all(each.headers["Authorization"] == f"Bearer {key_of(each.model)}" for each in upstream.requests)


async def _nothing_in_use(gateway: Gateway, config: Settings) -> None:
    """Check that every slot is free and every connection is back in its pool or closed."""
    assert gateway.app is not None
    pool = gateway.app[SNAPSHOTS].current.pool
    for each in config.models:
        route = pool._routes[each.name]
        assert (route.slots.n_taken, route.upstream_slots.n_taken) == (0, 0)
        connector = route.upstream._exchange._pooled.connector
        assert connector is not None
        assert not connector._acquired


async def _belongings() -> tuple[set[asyncio.Task[Any]], int]:
    """Return the tasks of the loop, and how many descriptors the process has open."""
    await asyncio.sleep(0)
    return asyncio.all_tasks(), await asyncio.to_thread(n_descriptors)


async def _nothing_left(before: tuple[set[asyncio.Task[Any]], int]) -> None:
    """Wait until there are no more tasks and descriptors than before; TimeoutError where some stay."""
    async with asyncio.timeout(WAIT_S):
        while True:
            tasks, descriptors = await _belongings()
            if tasks <= before[0] and descriptors <= before[1]:
                return
            await asyncio.sleep(0.005)
