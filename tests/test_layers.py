"""Samples and layers: one model asked several times, and a panel that reads its own earlier candidates."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Critic, Proposer, Settings
from tests.fakes import FakeUpstream, Step, answer, from_request, hang, status
from tests.running import ask, model, panel_of, running, settings

FENCED = re.compile(r"===== BEGIN ([A-Z]+) [0-9a-f]{16} =====\n(.*?)\n===== END", re.DOTALL)


def shown(body: Any) -> list[str]:
    """Return the drafts that a model was shown."""
    return [text for _, text in FENCED.findall(str(body["messages"][-1]["content"]))]


def traced(folder: Path) -> tuple[Any, str]:
    """Return the one trace in a folder, as JSON and as Markdown."""
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text()), path.with_suffix(".md").read_text()


def layered(first: Step, second: Step) -> Step:
    """Return a proposer that gives another answer when it reads drafts."""
    return lambda body: (second if shown(body) else first)(body)


def config(upstream: FakeUpstream, **mixture: Any) -> Settings:
    """Return a mixture of two layers, with proposers a and b and the critic c."""
    for name in "ab":
        upstream.script(name, layered(answer(f"{name} first"), answer(f"{name} again")))
    upstream.script("c", from_request(lambda body: " + ".join(sorted(shown(body)))))
    models = [model(name, upstream, retries=0) for name in "abc"]
    return settings(models, **{"panel": ("a", "b"), "critic": Critic("c"), "mode": "fuse", "layers": 2, **mixture})


async def test_a_further_layer_reads_the_one_before(upstream: FakeUpstream) -> None:
    """Each proposer gets the conversation as it was, and both drafts behind it; the critic reads the last layer."""
    body = ask("Why?", temperature=0.2)
    async with running(config(upstream)) as gateway:
        reply = await gateway.chat(body)
    assert reply.text == "a again + b again"
    assert reply.headers["x-mom-candidates"] == "2/2"
    assert reply.json["usage"]["mom"]["calls"] == 5
    for name in "ab":
        first, second = (request.body for request in upstream.requests_for(name))
        assert first["messages"] == body["messages"]
        assert second["messages"][0]["content"].startswith("Why?\n\n---\n")
        assert sorted(shown(second)) == ["a first", "b first"]
        assert (second["temperature"], len(second["messages"])) == (0.2, 1)


@pytest.mark.parametrize("n_layers", [1, 3])
async def test_there_are_as_many_layers_as_configured(upstream: FakeUpstream, n_layers: int) -> None:
    """Each reads the one before."""
    async with running(config(upstream, layers=n_layers)) as gateway:
        await gateway.chat()
    assert len(upstream.requests_for("a")) == n_layers


async def test_equal_candidates_need_no_further_layer(upstream: FakeUpstream) -> None:
    """Nor does a single one: a further layer would have nothing to settle."""
    setting = config(upstream)
    upstream.script("b", answer("a first "))
    async with running(setting) as gateway:
        reply = await gateway.chat()
    assert (reply.text, len(upstream.requests)) == ("a first", 2)
    upstream.script("b", status(500))
    async with running(setting) as gateway:
        assert (await gateway.chat()).headers["x-mom-decided-by"] == "only_candidate"


@pytest.mark.parametrize(
    "second", [status(500), answer(""), from_request(lambda body: body["messages"][-1]["content"])]
)
async def test_a_layer_without_an_answer_loses_nothing(upstream: FakeUpstream, second: Step) -> None:
    """Even if it only copies the drafts: the candidates of the layer before go to the critic."""
    setting = config(upstream)
    for name in "ab":
        upstream.script(name, layered(answer(f"{name} first"), second))
    async with running(setting) as gateway:
        reply = await gateway.chat()
    assert reply.text == "a first + b first"
    assert reply.headers["x-mom-candidates"] == "2/2"


async def test_valid_candidates_are_not_given_up_for_broken_ones(upstream: FakeUpstream) -> None:
    """A layer that breaks the contract is no better than none."""
    setting = config(upstream, mode="select")
    upstream.script("a", layered(answer('{"n": 1}'), answer("n is 1")))
    upstream.script("b", layered(answer('{"n": 2}'), answer("n is 2")))
    async with running(setting) as gateway:
        reply = await gateway.chat(ask(response_format={"type": "json_object"}))
    assert reply.text == '{"n": 1}'


async def test_a_model_that_failed_for_good_is_not_asked_again(upstream: FakeUpstream) -> None:
    """A key that was refused is refused a second time."""
    setting = config(upstream)
    upstream.script("d", status(401))
    models = (*setting.models, model("d", upstream))
    mixture = replace(setting.mixtures[0], panel=panel_of("a", "b", "d"))
    async with running(replace(setting, models=models, mixtures=(mixture,))) as gateway:
        reply = await gateway.chat()
    assert len(upstream.requests_for("d")) == 1
    assert reply.headers["x-mom-candidates"] == "2/2"


async def test_the_layers_share_the_panel_s_time(upstream: FakeUpstream) -> None:
    """A proposer that hangs holds up its own layer, and there is time for the next one."""
    setting = config(upstream, deadline_s=12.0, critic_reserve_s=6.0)
    upstream.script("b", layered(hang(), answer("b again")))
    upstream.script("d", layered(answer("d first"), answer("d again")))
    models = (*setting.models, model("d", upstream, retries=0))
    mixture = replace(setting.mixtures[0], panel=panel_of("a", "b", "d"))
    async with running(replace(setting, models=models, mixtures=(mixture,))) as gateway:
        reply = await gateway.chat()
    assert reply.text == "a again + b again + d again"
    assert reply.headers["x-mom-candidates"] == "3/3"


async def test_the_mode_first_has_one_layer(upstream: FakeUpstream) -> None:
    """It is for speed."""
    setting = config(upstream, mode="first")
    upstream.script("b", hang())
    async with running(setting) as gateway:
        assert (await gateway.chat()).text == "a first"
    assert len(upstream.requests) == 2


async def test_a_model_is_asked_as_often_as_it_has_samples(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Each sample is a proposer of its own, with params of its own, in the reply, the trace and the list of models."""
    upstream.script("a", answer("one"), answer("two"), answer("three"))
    upstream.script("b", answer("four"))
    upstream.script("c", from_request(lambda body: " + ".join(sorted(shown(body)))))
    warm = [Proposer("a", {"temperature": 0.9}, sample) for sample in (1, 2, 3)]
    models = [model(name, upstream, params={"temperature": 0.1}) for name in "abc"]
    setting = settings(models, panel=(*warm, "b"), critic=Critic("c"), mode="fuse", show_work=True)
    async with running(setting, trace_dir=tmp_path) as gateway:
        reply = await gateway.chat(ask(temperature=0.5, seed=7))
        listed = await gateway.request("GET", "/v1/models/mom")
    assert reply.text == "four + one + three + two"
    assert reply.headers["x-mom-candidates"] == "4/4"
    assert {request.body["temperature"] for request in upstream.requests_for("a")} == {0.9}
    assert [request.body["seed"] for request in upstream.requests_for("a")] == [7, 8, 9]
    assert {request.body["seed"] for name in "bc" for request in upstream.requests_for(name)} == {7}
    assert upstream.requests_for("b")[0].body["temperature"] == 0.1
    assert listed.json["panel"] == ["a#1", "a#2", "a#3", "b"]
    assert "a#2 answered" in reply.json["choices"][0]["message"]["reasoning_content"]
    assert reply.json["usage"]["mom"]["models"]["a"]["calls"] == 3
    trace, _ = traced(tmp_path)
    names = {"a#1", "a#2", "a#3", "b"}
    assert {candidate["model"] for candidate in trace["candidates"]} == names
    assert set(trace["authors"][0]["letters"].values()) == names
    assert {call["model"] for call in trace["calls"] if call["role"] == "proposer"} == names


async def test_samples_count_for_the_quorum(upstream: FakeUpstream) -> None:
    """Two candidates of one model are two."""
    upstream.script("a", answer('{"n": 1}'), answer('{"n": 2}'), hang())
    upstream.script("c", status(500))
    samples = [Proposer("a", sample=sample) for sample in (1, 2, 3)]
    models = [model(name, upstream, retries=0) for name in "ac"]
    fields: dict[str, Any] = {"mode": "select", "quorum": 2, "grace_s": 0.0}
    async with running(settings(models, panel=samples, critic=Critic("c"), **fields)) as gateway:
        reply = await gateway.chat(ask(response_format={"type": "json_object"}))
    assert reply.headers["x-mom-candidates"] == "2/3"
    assert reply.text in ('{"n": 1}', '{"n": 2}')


async def test_a_failing_sample_is_named(upstream: FakeUpstream) -> None:
    """By its own name everywhere; its model is not asked again as the critic if it would fail again."""
    upstream.default = status(401)
    panel = panel_of(*(Proposer("a", sample=sample) for sample in (1, 2)))
    async with running(settings([model("a", upstream)], panel=panel)) as gateway:
        error = (await gateway.chat()).error
    assert "a#1: " in error["message"]
    assert "a#2: " in error["message"]
    assert len(upstream.requests) == 2


async def test_layers_are_traced(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Which candidate was of which layer, and in which order they were shown."""
    async with running(config(upstream, show_work=True), trace_dir=tmp_path) as gateway:
        reply = await gateway.chat()
    trace, page = traced(tmp_path)
    (layer,) = trace["layers"]
    assert (layer["layer"], set(layer["letters"].values())) == (2, {"a", "b"})
    assert {(each["model"], each["layer"]) for each in trace["candidates"]} == {("a", 1), ("b", 1), ("a", 2), ("b", 2)}
    assert "### a, layer 2 (stop)" in page
    assert "Shown to layer 2 in this order (seed " in page
    assert (
        "The panel is asked again, with its 2 answers (layer 2).\n"
        in reply.json["choices"][0]["message"]["reasoning_content"]
    )
