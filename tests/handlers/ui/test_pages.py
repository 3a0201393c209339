"""The statistics page of the running gateway."""

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from config.settings import Critic, Price, Server, Settings
from handlers.traces.folder_store import TraceFolder
from handlers.traces.schema import Trace
from handlers.ui.pages import Digests
from tests.fakes import FakeUpstream, answer, status
from tests.handlers.ui.documents import candidate, document
from tests.handlers.ui.tables import tables
from tests.running import Gateway, Reply, ask, model, running, settings
from tests.test_select import prefers

PRICES = {
    "a": Price(Decimal(10), Decimal(100)),
    "b": Price(Decimal(1), Decimal(10)),
    "c": None,
    "d": Price(Decimal(3), Decimal(30)),
}
WANTS_JSON: dict[str, Any] = {"response_format": {"type": "json_object"}}


def config(upstream: FakeUpstream, **mixture: Any) -> Settings:
    models = [model(name, upstream, price=price, retries=0) for name, price in PRICES.items()]
    server = Server(port=0, currency="EUR", max_cost_per_day=None)
    return settings(models, server=server, **{"panel": ("a", "b", "c"), "critic": Critic("d"), **mixture})


async def page(gateway: Gateway, query: str = "", *, n_kept: int = 0) -> str:
    """Return the page, once so many requests are kept."""
    while True:
        reply = await gateway.request("GET", f"/ui/models{query}")
        assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        text = reply.raw.decode()
        if f"of {n_kept} kept" in text or not n_kept:
            return text


def kept(folder: Path, *traces: dict[str, Any]) -> None:
    """Have traces of an earlier process in a folder, the newest last."""
    for number, trace in enumerate(traces, 100):
        trace_id = f"chatcmpl-{number}"
        (folder / f"{trace_id}.json").write_text(json.dumps({"id": trace_id, **trace}))


def ledger(replies: list[Reply]) -> tuple[Counter[str], dict[str, Decimal]]:
    """Return calls and tokens by model, as `model calls`, and what each cost where that is known."""
    counts: Counter[str] = Counter()
    costs: dict[str, Decimal] = {}
    for reply in replies:
        for name, used in reply.json["usage"]["mom"]["models"].items():
            for key in ("calls", "prompt_tokens", "completion_tokens"):
                counts[f"{name} {key}"] += used[key]
            if "cost" in used:
                costs[name] = costs.get(name, Decimal(0)) + Decimal(str(used["cost"]))
    return counts, costs


async def test_the_numbers_are_those_of_the_ledger(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Calls, tokens and money of each model are the sums over the replies; an unknown price is not 0."""
    upstream.script("a", answer("the answer of a", usage=(1000, 10)), status(500), answer("a again", usage=(2000, 20)))
    upstream.script("b", *[answer(f"number {n} of the answers of b", usage=(900, n)) for n in (7, 8, 9)])
    upstream.script("c", *[answer("quite another answer, by c alone", usage=(800, 5))] * 3)
    upstream.script("d", *[answer("quite another answer, by c alone, and b", usage=(3000, 50))] * 3)
    async with running(config(upstream), trace_dir=tmp_path) as gateway:
        replies = [await gateway.chat() for _ in range(3)]
        mixtures, members, models = tables(await page(gateway, n_kept=3))
    counts, costs = ledger(replies)
    assert set(models) == set(PRICES)
    for name, row in models.items():
        assert row["Calls"].partition(":")[0] == str(counts[f"{name} calls"])
        assert row["Tokens"] == f"{counts[f'{name} prompt_tokens']:,} in, {counts[f'{name} completion_tokens']:,} out"
        cost = row["Cost"]
        assert cost == "unknown" if name == "c" else Decimal(cost.removesuffix(" EUR")) == costs[name]
    (mixture,) = mixtures.values()
    assert mixture["Calls"] == str(sum(reply.json["usage"]["mom"]["calls"] for reply in replies))
    assert mixture["Cost"] == f"at least {sum(costs.values())} EUR"
    assert mixture["Outcomes"] == "ok 3"
    assert mixture["Answers decided by"] == "critic 3"
    assert members["a"]["Candidates, failures"] == "ok 2, server error 1"
    assert members["a"]["Cost"] == models["a"]["Cost"]
    assert members["c"]["Share of the answers' text"] == "50 %, only in it 50 %"
    assert members["b"]["Share of the answers' text"] == "0 %, only in it 0 %"


async def test_picks_are_counted(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Whose candidate was picked, and who keeps the contract."""
    upstream.script("a", *[answer('{"n": 1}')] * 2)
    upstream.script("b", *[answer('{"n": 2, "of": "all the numbers there are"}')] * 2)
    upstream.script("c", answer("{broken"), answer('{"n": 3}'))
    upstream.script("d", *[prefers("2")] * 4)
    async with running(config(upstream, mode="select"), trace_dir=tmp_path) as gateway:
        for _ in range(2):
            assert (await gateway.chat(ask(**WANTS_JSON))).headers["x-mom-decided-by"] == "chosen"
        text = await page(gateway, n_kept=2)
    _, members, _ = tables(text)
    assert [row["Chosen"] for row in members.values()] == ["0 of 2", "2 of 2", "0 of 2"]
    assert [row["Keep the contract"] for row in members.values()] == ["100 %", "100 %", "50 %"]
    assert members["b"]["Share of the answers' text"] == "100 %, only in it 100 %"
    assert "Too few requests to tell: 2 of at least 20." in text


async def test_the_page_can_be_narrowed(upstream: FakeUpstream, tmp_path: Path) -> None:
    """To a mixture, and to the newest requests; the choice stays selected."""
    old = [document(candidates=[candidate("x")], mixture="quick") for _ in range(3)]
    new = [document(candidates=[candidate("y")], mixture="quick") for _ in range(100)]
    kept(tmp_path, *old, *new, document(candidates=[candidate("z")], mixture="mom"))
    async with running(config(upstream), trace_dir=tmp_path) as gateway:
        assert set(tables(await page(gateway))[-1]) == {"x", "y", "z"}
        quick = await page(gateway, "?mixture=quick")
        newest = await page(gateway, "?mixture=quick&span=last")
        nothing = await page(gateway, "?mixture=nobody")
    assert set(tables(quick)[-1]) == {"x", "y"}
    assert '<option value="quick" selected>' in quick
    assert tables(newest)[-1]["y"]["Calls"].startswith("100:")
    assert "x" not in tables(newest)[-1]
    assert '<option value="last" selected>' in newest
    assert "103 of 104" in quick
    assert tables(nothing) == []
    assert "show all" in nothing


async def test_nothing_of_a_trace_is_markup(upstream: FakeUpstream, tmp_path: Path) -> None:
    """On the whole page; the only style is the style sheet that the policy names."""
    evil = "\"'><script>alert(1)</script>{{ 7 * 7 }}"
    trace = document(
        candidates=[candidate(evil, evil)], mixture=evil, outcome="failed", error={"code": evil}, time=evil
    )
    kept(tmp_path, trace)
    async with running(config(upstream), trace_dir=tmp_path) as gateway:
        text = await page(gateway)
        asked = await page(gateway, "?mixture=%22%3E%3Cscript%3E&span=%3Cscript%3E")
    assert not re.search(r"<script>(alert)?[^\n]", text + asked)
    assert not re.search(r"\sstyle\s*=", text)
    assert evil in tables(text)[-1]


async def test_an_empty_store_says_so(upstream: FakeUpstream, tmp_path: Path) -> None:
    """If no traces are kept, there is no page."""
    async with running(config(upstream), trace_dir=tmp_path) as gateway:
        assert "No requests to count yet." in await page(gateway)
    async with running(config(upstream)) as gateway:
        assert (await gateway.request("GET", "/ui/models")).status == 404


class _Watched(TraceFolder):
    """A folder that records which traces were read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.loaded: list[str] = []

    def load(self, trace_id: str) -> Trace | None:
        self.loaded.append(trace_id)
        return super().load(trace_id)


def test_each_trace_is_read_once(tmp_path: Path) -> None:
    """Even an unreadable one; dropped traces are forgotten, and only new ones are read."""
    kept(tmp_path, *[document(mixture=name) for name in ("one", "two", "three")])
    (tmp_path / "chatcmpl-999.json").write_text("{")
    store, digests = _Watched(tmp_path), Digests()
    store.open()
    assert [each.mixture for each in digests.load(store)] == ["three", "two", "one"]
    assert len(store.loaded) == 4
    digests.load(store)
    assert len(store.loaded) == 4
    (tmp_path / "chatcmpl-100.json").unlink()
    (tmp_path / "chatcmpl-999.json").unlink()
    (tmp_path / "chatcmpl-200.json").write_text(json.dumps({"id": "chatcmpl-200", **document(mixture="new")}))
    store = _Watched(tmp_path)
    store.open()
    assert [each.mixture for each in digests.load(store)] == ["new", "three", "two"]
    assert store.loaded == ["chatcmpl-200"]
