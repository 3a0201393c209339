"""Requests that steer their mixture by the field `mom`, over real sockets and in every client API."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.settings import ApiKey, Bypass, BypassRule, Critic, Secret, Server, Settings
from tests.fakes import FakeUpstream, answer, status
from tests.running import Gateway, Reply, ask, model, running, settings

CODE = "```python\ndef double(n):\n    return {}\n```"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
APIS = list(PATHS)


def body(api: str, text: str = "Why?", **fields: Any) -> dict[str, Any]:
    """Return the body of a question in one API."""
    if api == "responses":
        return {"model": "mom", "input": text, **fields}
    limit = {"max_tokens": 100} if api == "messages" else {}
    return {"model": "mom", "messages": [{"role": "user", "content": text}], **limit, **fields}


async def post(gateway: Gateway, api: str, content: Any, **options: Any) -> Reply:
    return await gateway.request("POST", PATHS[api], json=content, **options)


def config(upstream: FakeUpstream, **mixture: Any) -> Settings:
    """Return settings with the panel a, b, the critic c, and d beside them; each answers with its name."""
    for name in "abcd":
        upstream.script(name, answer(f"I am {name}."))
    models = [model(name, upstream, retries=0) for name in "abcd"]
    return settings(models, **{"panel": ("a", "b"), "critic": Critic("c"), **mixture})


def traces(folder: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in folder.glob("*.json")]


def asked(upstream: FakeUpstream) -> list[str]:
    return sorted(request.model for request in upstream.requests)


def report_of(api: str, reply: Reply, *, stream: bool) -> Any:
    """Return the `mom` of a reply, from the place that each API has for it."""
    if not stream:
        return reply.json["mom"]
    blocks = [block for block in reply.raw.decode().split("\n\n") if "data: {" in block]
    events = [json.loads(block.partition("data: ")[2]) for block in blocks]
    if api == "chat":
        assert events[-1]["choices"] == []
        return events[-1]["mom"]
    if api == "messages":
        return next(event for event in events if event["type"] == "message_delta")["mom"]
    return events[-1]["response"]["mom"]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("mom", "models"),
    [
        ({}, ["a", "b", "c"]),
        ({"panel": ["d", "a"]}, ["a", "c", "d"]),
        ({"panel": False}, ["c"]),
        ({"critic": "d"}, ["a", "b", "d"]),
        ({"critic": False}, ["a", "b"]),
        ({"mode": "direct"}, ["c"]),
        ({"mode": "first", "panel": ["d"]}, ["d"]),
        ({"critic": False, "stages": [1, 1]}, ["a"]),
    ],
)
async def test_only_the_requested_models_are_asked(
    upstream: FakeUpstream, api: str, mom: dict[str, Any], models: list[str]
) -> None:
    """The field decides which models are asked, and none of them ever sees it."""
    async with running(config(upstream, evidence="off")) as gateway:
        reply = await post(gateway, api, body(api, mom=mom))
    assert reply.status == 200
    assert asked(upstream) == models
    assert all("mom" not in request.body for request in upstream.requests)


async def test_why_no_panel_was_asked_is_in_the_header(upstream: FakeUpstream) -> None:
    """`panel: false` is a reason like those of an agent's turns."""
    async with running(config(upstream)) as gateway:
        reply = await gateway.chat(ask(mom={"panel": False}))
    assert reply.headers["x-mom-mode"] == "direct; mom.panel is false"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("mom", "path", "words"),
    [
        ({"modus": "first"}, "mom.modus", "did you mean mode?"),
        ({"mode": "best"}, "mom.mode", "must be one of"),
        ({"stages": [1]}, "mom.stages", "must add up to the 2 proposers"),
        (7, "mom", "must be an object"),
    ],
)
async def test_a_mistake_is_a_400_with_its_path(
    upstream: FakeUpstream, api: str, mom: Any, path: str, words: str
) -> None:
    """In the error shape of each API, before any model is asked."""
    async with running(config(upstream)) as gateway:
        reply = await post(gateway, api, body(api, mom=mom))
    assert reply.status == 400
    assert reply.error["message"].startswith(f"{path}: ")
    assert words in reply.error["message"]
    assert upstream.requests == []


async def test_an_unknown_member_is_a_404_with_its_path(upstream: FakeUpstream) -> None:
    """The message lists the models; a mixture is none."""
    async with running(config(upstream)) as gateway:
        reply = await gateway.chat(ask(mom={"panel": ["a", "mom"]}))
    assert (reply.status, reply.error["param"]) == (404, "mom.panel[1]")
    assert reply.error["message"] == "mom.panel[1]: unknown model 'mom'; available: a, b, c, d"


async def test_a_bypass_stays_a_bypass(upstream: FakeUpstream) -> None:
    """The operator's rule still saves the panel, and the critic that the request names writes the answer."""
    rules = Bypass(rules=(BypassRule("short", max_prompt_chars=20),))
    async with running(config(upstream, bypass=rules)) as gateway:
        reply = await gateway.chat(ask(mom={"panel": ["a", "b", "d"], "critic": "d"}))
    assert (reply.headers["x-mom-bypass"], asked(upstream)) == ("short", ["d"])


async def test_tools_are_called_by_the_critic_that_is_named(upstream: FakeUpstream) -> None:
    """Members advise, the named critic has the tools."""
    async with running(config(upstream)) as gateway:
        reply = await gateway.chat(ask(tools=TOOLS, mom={"panel": ["a"], "critic": "d"}))
    assert reply.status == 200
    assert [request.model for request in upstream.requests if "tools" in request.body] == ["d"]
    assert asked(upstream) == ["a", "d"]


async def test_structured_output_keeps_its_form(upstream: FakeUpstream) -> None:
    """A candidate that breaks the schema is shown as such, and the other one is the answer."""
    settings_ = config(upstream)
    upstream.script("a", answer("no JSON"))
    upstream.script("d", answer('{"n": 1}'))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    mom = {"panel": ["a", "d"], "mode": "first", "show": ["candidates"]}
    async with running(settings_) as gateway:
        reply = await gateway.chat(ask(response_format=form, mom=mom))
    assert reply.json["choices"][0]["message"]["content"] == '{"n": 1}'
    found = {each["name"]: each["finding"] for each in reply.json["mom"]["candidates"]}
    assert found["d"] is None
    assert "a" not in found or found["a"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_requested_parts_of_the_run_are_shown(upstream: FakeUpstream, api: str, stream: bool) -> None:
    """Candidates with tokens, failures with causes, and who decided; at the end of a stream as in JSON."""
    settings_ = config(upstream)
    upstream.script("d", status(500))
    mom = {"panel": ["b", "a", "d"], "show": ["candidates", "verdict"], "critic": "c"}
    async with running(settings_) as gateway:
        reply = await post(gateway, api, body(api, mom=mom, stream=stream))
    report = report_of(api, reply, stream=stream)
    assert [(each["name"], each["text"]) for each in report["candidates"]] == [("b", "I am b."), ("a", "I am a.")]
    first = report["candidates"][0]
    assert (first["model"], first["layer"], first["finding"], first["evidence"]) == ("b", 1, None, None)
    assert first["tokens"] == {"prompt": 11, "completion": 7, "estimated": False}
    assert first["cost"] is None
    assert first["seconds"] >= 0
    assert [(each["name"], each["kind"]) for each in report["failures"]] == [("d", "server_error")]
    verdict = report["verdict"]
    assert (verdict["mode"], verdict["decided_by"], verdict["author"]) == ("fuse", "critic", "c")
    assert verdict["answers"] == [{"choice": 0, "decided_by": "critic", "author": "c"}]


@pytest.mark.parametrize("api", APIS)
async def test_nothing_is_shown_that_is_not_asked_for(upstream: FakeUpstream, api: str) -> None:
    """A reply has no `mom` of its own without `show`, and only the parts that `show` names."""
    async with running(config(upstream)) as gateway:
        plain = await post(gateway, api, body(api, mom={"mode": "select"}))
        part = await post(gateway, api, body(api, mom={"mode": "select", "show": ["verdict"]}))
    assert "mom" not in plain.json
    assert list(part.json["mom"]) == ["verdict"]


async def test_evidence_is_shown_beside_its_candidate(upstream: FakeUpstream) -> None:
    """What running a candidate showed, by which signal it decided, and how many passed."""
    settings_ = config(upstream)
    upstream.script("a", answer(CODE.format("n + 2")))
    upstream.script("b", answer(CODE.format("2 * n")))
    question = "Write `double(n)`. `double(3) == 6` must hold."
    async with running(settings_) as gateway:
        reply = await gateway.chat(ask(question, mom={"critic": False, "show": ["candidates", "verdict"]}))
    wrong, right = (each["evidence"] for each in reply.json["mom"]["candidates"])
    assert (wrong["passed_all"], right["passed_all"]) == (False, True)
    assert wrong["tier"] > right["tier"] == 0
    assert "double(3) == 6" in wrong["finding"]
    verdict = reply.json["mom"]["verdict"]
    assert (verdict["decided_by"], verdict["author"]) == ("evidence", "b")
    assert verdict["evidence"] == {"by": "examples", "decides": True, "ran": 2, "passed": 1}


async def test_a_single_model_takes_limits_but_no_panel(upstream: FakeUpstream) -> None:
    """A model asked by its own name has neither a panel nor a mode."""
    async with running(config(upstream)) as gateway:
        lone = await gateway.chat(ask(model="a", mom={"panel": False, "show": ["candidates", "verdict"]}))
        panel = await gateway.chat(ask(model="a", mom={"panel": ["b"]}))
    assert lone.json["mom"]["candidates"] == []
    assert lone.json["mom"]["verdict"]["decided_by"] == "model"
    assert (panel.status, panel.error["param"]) == (400, "mom.panel")
    assert all("mom" not in request.body for request in upstream.requests)


async def test_several_answers_are_shown_each(upstream: FakeUpstream) -> None:
    """With `n` each choice has its own way of being decided."""
    async with running(config(upstream)) as gateway:
        reply = await gateway.chat(ask(n=2, mom={"show": ["verdict"]}))
    assert [each["choice"] for each in reply.json["mom"]["verdict"]["answers"]] == [0, 1]


@pytest.mark.parametrize(
    "mom",
    ["[" * 150 + "]" * 150, json.dumps({"panel": ["a"] * 50_000}), json.dumps({"stages": [1] * 100_000}), "1e400"],
)
async def test_hostile_values_are_refused(upstream: FakeUpstream, mom: str) -> None:
    """Deep nesting, long lists, numbers beyond a double: a 400 without a call, and the gateway lives on."""
    raw = f'{{"messages": [{{"role": "user", "content": "Why?"}}], "mom": {mom}}}'
    async with running(config(upstream)) as gateway:
        reply = await gateway.chat(data=raw, headers={"Content-Type": "application/json"})
        assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
        assert (await gateway.chat()).status == 200


def keyed(upstream: FakeUpstream, *models: str) -> Settings:
    """Return settings with one key that names only these."""
    found = config(upstream)
    limited = ApiKey("ci", Secret("the-key", "K"), models=models)
    whole = ApiKey("admin", Secret("all", "K"))
    return Settings(found.path, Server(port=0, api_keys=(limited, whole)), found.models, found.mixtures)


async def test_a_key_may_use_only_the_names_it_lists(upstream: FakeUpstream) -> None:
    """`model`, `mom.panel`, `mom.critic` and the list of models agree, and no reply shows another name."""
    headers = {"Authorization": "Bearer the-key"}
    async with running(keyed(upstream, "mom", "d")) as gateway:
        listed = await gateway.request("GET", "/v1/models", headers=headers)
        everything = await gateway.request("GET", "/v1/models", headers={"Authorization": "Bearer all"})
        assert [each["id"] for each in listed.json["data"]] == ["mom", "d"]
        assert [each["id"] for each in everything.json["data"]] == ["mom", "a", "b", "c", "d"]
        assert "panel" not in listed.json["data"][0]
        assert "critic" not in listed.json["data"][0]
        assert (await gateway.chat(ask(mom={"panel": ["d"], "critic": "d"}), headers=headers)).status == 200
        refusals = [
            await gateway.chat(ask(model="a"), headers=headers),
            await gateway.chat(ask(mom={"panel": ["a"]}), headers=headers),
            await gateway.chat(ask(mom={"critic": "c"}), headers=headers),
            await gateway.request("GET", "/v1/models/b", headers=headers),
        ]
    assert [reply.status for reply in refusals] == [404] * 4
    assert [reply.error["message"].partition("available: ")[2] for reply in refusals] == ["mom, d", "d", "d", "mom, d"]


@pytest.mark.parametrize("api", APIS)
async def test_the_trace_shows_the_steering(upstream: FakeUpstream, tmp_path: Path, api: str) -> None:
    """The field stands beside the parameters, so that a run can be understood, and repeated."""
    mom = {"panel": ["d"], "mode": "first"}
    async with running(config(upstream), trace_dir=tmp_path) as gateway:
        assert (await post(gateway, api, body(api, mom=mom))).status == 200
    (trace,) = traces(tmp_path)
    assert trace["request"]["mom"] == mom
    assert "mom" not in trace["request"]["params"]


async def test_the_page_of_a_trace_shows_it_too(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Under what was asked, and in the command that asks again."""
    async with running(config(upstream), trace_dir=tmp_path) as gateway:
        reply = await gateway.chat(ask(mom={"panel": ["d"], "mode": "first"}))
        page = (await gateway.request("GET", f"/ui/requests/{reply.json['id']}")).raw.decode()
    assert "Steered by the request" in page


EFFORT: dict[str, Any] = {"chat": {"reasoning_effort": "high"}, "responses": {"reasoning": {"effort": "high"}}}


@pytest.mark.parametrize("api", EFFORT)
async def test_each_member_gets_an_effort_in_its_own_form(upstream: FakeUpstream, api: str) -> None:
    """One request, three forms; a model that is asked by its own name is no exception."""
    forms: dict[str, Any] = {"a": {"high": {"thinking_level": 3}}, "b": {"high": {}}, "c": {}}
    found = config(upstream)
    models = tuple(model(name, upstream, effort=form) for name, form in forms.items())
    async with running(Settings(found.path, found.server, models, found.mixtures)) as gateway:
        assert (await post(gateway, api, body(api, **EFFORT[api]))).status == 200
        assert (await post(gateway, api, {**body(api, **EFFORT[api]), "model": "b"})).status == 200
    sent = [
        (request.model, request.body.get("thinking_level"), request.body.get("reasoning_effort"))
        for request in upstream.requests
    ]
    assert sorted(sent, key=str) == [("a", 3, None), ("b", None, None), ("b", None, None), ("c", None, "high")]
