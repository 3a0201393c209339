"""Foreign text cannot stall, crash or occupy the gateway: hostile candidates, conversations and schemas, end to end."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from config.settings import Settings
from handlers.lifecycle.snapshots import SNAPSHOTS
from runtime.workers import WorkerPool
from synth.edits import EditForm
from tests.fakes import FakeUpstream, answer
from tests.running import Gateway, ask, model, running, settings
from tests.synth.edits.conversations import block, conversation, message, shown

MAX_LINES_PER_TURN = 400_000
"""Lines of Python between two looks of the event loop at its sockets: below fifty milliseconds on a quiet core."""

SMALL = {"x.py": "a = 1\n"}
LONG = {"x.py": "a\n" * 60_000}
EDIT = block("x.py", "a = 1\n", "a = 2\n")


class Turns:
    """The turns of the event loop: how many lines of Python the longest of them has run."""

    def __init__(self) -> None:
        self.longest = 0
        self._count = 0

    def begin(self) -> None:
        self.longest, self._count = max(self.longest, self._count), 0

    def trace(self, _frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        self._count += event == "line"
        return self.trace


@contextmanager
def counted_turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Turns]:
    """Count the lines of each turn of the loop, by the loop's own call of each callback."""
    turns = Turns()
    run = asyncio.Handle._run

    def count(handle: asyncio.Handle) -> None:
        turns.begin()
        run(handle)

    tracer = sys.gettrace()
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", count)
        sys.settrace(turns.trace)
        try:
            yield turns
        finally:
            sys.settrace(tracer)
            turns.begin()


def two(upstream: FakeUpstream, *candidates: str) -> Settings:
    """Return settings of a mixture whose two members say the same, or each its own."""
    for name, said in zip("ab", candidates * 2, strict=False):
        upstream.script(name, answer(said))
    return settings([model(name, upstream, retries=0) for name in "ab"])


def workers_of(gateway: Gateway) -> WorkerPool:
    assert gateway.app is not None
    workers = gateway.app[SNAPSHOTS].current.workers
    assert workers is not None
    return workers


HOSTILE_CANDIDATES = {
    "YAML nested 30,000 deep": (SMALL, block("n.yaml", "", "a: " + "[" * 30_000 + "\n")),
    "YAML nested 100,000 deep without brackets": (SMALL, block("n.yaml", "", "- " * 100_000 + "\n")),
    "YAML of maps in maps": (SMALL, block("n.yml", "", "{a: " * 20_000 + "\n")),
    "TOML with a long dotted key": (SMALL, block("n.toml", "", "a" + ".a" * 16_000 + " = 1\n")),
    "Python with a long dotted import": (SMALL, block("n.py", "", "import a" + ".a" * 50_000 + "\n")),
    "Python nested deeply": (SMALL, block("n.py", "", "-" * 100_000 + "1\n")),
    "JSON nested deeply": (SMALL, block("n.json", "", "[" * 100_000 + "\n")),
    "a SEARCH of blank lines and dots": (SMALL, block("x.py", "\n" * 40_000 + "x\n...\n", "y\n")),
    "a SEARCH that nearly matches everywhere": (LONG, block("x.py", "a\n" * 30_000 + "b\n", "y\n")),
    "thousands of blocks that match nowhere": (LONG, "".join(block("x.py", f"q{n}\n", "y\n") for n in range(2_000))),
    "thousands of new files": (SMALL, "".join(block(f"n{n}.yaml", "", "- a\n") for n in range(2_000))),
    "blocks that do not end": (SMALL, "x.py\n<<<<<<< SEARCH\n" * 20_000),
}


@pytest.mark.parametrize("kind", HOSTILE_CANDIDATES)
async def test_no_candidate_stalls_the_loop(upstream: FakeUpstream, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is checked within a turn, or in a worker; the other candidate is the answer if the hostile one is broken."""
    files, hostile = HOSTILE_CANDIDATES[kind]
    good = block("x.py", next(iter(files.values()))[:4].split("\n")[0] + "\n", "b = 2\n")
    body = {"messages": conversation(EditForm.EDIT_BLOCKS, files)}
    async with running(two(upstream, hostile, good)) as gateway:
        with counted_turns(monkeypatch) as turns:
            reply = await gateway.chat(body)
    assert reply.status == 200, reply.raw[:300]
    assert turns.longest < MAX_LINES_PER_TURN


HOSTILE_PROSE = {
    "a long opening fence": "```" + "a" * 60_000 + "`\n",
    "a fence of many marks": "`" * 100_000 + "\n",
    "fences that never close": "````\n" + "```\n" * 20_000,
    "blank lines": "x" + "\n" * 90_000 + "y",
    "a block of code of many statements": "```python\n" + "a;" * 40_000 + "\n```\n",
    "code nested deeply": "```python\n" + "(" * 40_000 + "\n```\n",
}


@pytest.mark.parametrize("kind", HOSTILE_PROSE)
async def test_no_prose_stalls_the_loop(upstream: FakeUpstream, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode `auto` looks for code in every candidate."""
    async with running(two(upstream, HOSTILE_PROSE[kind], HOSTILE_PROSE[kind] + "z")) as gateway:
        with counted_turns(monkeypatch) as turns:
            reply = await gateway.chat()
    assert reply.status == 200
    assert turns.longest < MAX_LINES_PER_TURN


def show(text: str) -> list[dict[str, Any]]:
    """Return a conversation in which the user shows a text as files."""
    rules = conversation(EditForm.EDIT_BLOCKS, {})[0]
    return [rules, message("user", text), message("assistant", "Ok."), message("user", "Go.")]


HOSTILE_CONVERSATIONS = {
    "listings that never close": show("".join(f"\nf{n}.py\n<source>\n" for n in range(15_000))),
    "listings in backticks": show("".join(f"\nf{n}.py\n```\n" for n in range(15_000))),
    "blank lines": show("\n" * 400_000),
    "closing fences behind text": show("\na.py\n<code>\n" + "x</code>\n\n" * 50_000),
    "examples of listings": [
        message("system", "Send the entire content.\n" + "".join(f"f{n}.py\n<source>\nx\n" for n in range(8_000))),
        message("user", "Go."),
    ],
    "wishes for code blocks": [message("user", "reply with only one code block " * 20_000)],
    "marks of every form": [
        message("system", ("<<<<<<< SEARCH\n=======\n>>>>>>> REPLACE\n*** Begin Patch\n--- a\n+++ b\n" * 5_000)),
        message("user", "Go."),
    ],
}


@pytest.mark.parametrize("kind", HOSTILE_CONVERSATIONS)
async def test_no_conversation_stalls_the_loop(
    upstream: FakeUpstream, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read before any model is asked."""
    async with running(two(upstream, "no")) as gateway:
        with counted_turns(monkeypatch) as turns:
            reply = await gateway.chat({"messages": HOSTILE_CONVERSATIONS[kind]})
    assert reply.status == 200
    assert turns.longest < MAX_LINES_PER_TURN


def structured(schema: Any) -> dict[str, Any]:
    return ask(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})


def double(levels: int) -> dict[str, Any]:
    steps = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**steps, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "http://[::1", "$ref": "x"},
        {"$ref": "#/x", "x": 5},
        {"$ref": "#/definitions/a", "definitions": {"a": "b"}},
        {"properties": {"a": {"$ref": "http://[bad"}}},
        {"$ref": "http://127.0.0.1:1/x"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        {"pattern": "("},
        {"pattern": "(a|b)*" * 20_000},
        {"properties": {f"p{n}": {"type": "string"} for n in range(20_000)}},
        double(40),
    ],
)
@pytest.mark.parametrize("name", ["mom", "a"])
async def test_an_unusable_schema_costs_nothing(upstream: FakeUpstream, schema: dict[str, Any], name: str) -> None:
    """A 400 with the path, from a mixture and from a single model; nobody is asked, and nothing is fetched."""
    async with running(two(upstream, "{}")) as gateway:
        reply = await gateway.chat({**structured(schema), "model": name})
    assert (reply.status, reply.error["param"]) == (400, "response_format.json_schema.schema")
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+){30}$"}, "a" * 29 + "b"),
        ({"pattern": "^" + "a*" * 9 + "$"}, "a" * 5_000 + "b"),
        ({"properties": {"v": {"$schema": "https://example.com/own", "pattern": "^(a+)+$"}}}, {"v": "a" * 5_000 + "b"}),
        ({"uniqueItems": True}, [{"a": n} for n in range(1_200)]),
        (double(12), {}),
        ({"items": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "type": "array"}, [[[[[[[[[[1]]]]]]]]]]),
        ({"properties": {f"p{n}": {"type": "string"} for n in range(3_000)}}, {}),
    ],
)
async def test_no_schema_stalls_the_loop(
    upstream: FakeUpstream, schema: dict[str, Any], value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates are checked against it within a turn, or in a worker."""
    async with running(two(upstream, json.dumps(value))) as gateway:
        with counted_turns(monkeypatch) as turns:
            reply = await gateway.chat(structured(schema))
    assert reply.status in (200, 502)
    assert turns.longest < MAX_LINES_PER_TURN


BAD_SCHEMAS: list[Any] = [
    {"$ref": "#/x", "x": 5},
    {"$ref": "http://127.0.0.1:1/x"},
    {"type": "object", "properties": {"a": {"pattern": "("}}},
    {"properties": {f"p{n}": {"type": "string"} for n in range(20_000)}},
    double(40),
    "a string",
]


@pytest.mark.parametrize("schema", BAD_SCHEMAS)
@pytest.mark.parametrize("key", ["tools", "functions"])
async def test_a_mixture_refuses_a_tool_with_an_unusable_schema(upstream: FakeUpstream, schema: Any, key: str) -> None:
    """A 400 with the path, each time; nobody is asked, and nothing is fetched."""
    good = {"name": "good", "parameters": {"type": "object"}}
    functions = [good, {"name": "f", "parameters": schema}]
    tools = functions if key == "functions" else [{"type": "function", "function": each} for each in functions]
    async with running(two(upstream, "{}")) as gateway:
        for _ in range(2):
            reply = await gateway.chat({**ask(), key: tools})
            path = "functions[1].parameters" if key == "functions" else "tools[1].function.parameters"
            assert (reply.status, reply.error["param"]) == (400, path)
            assert "of the tool f" in reply.error["message"]
        assert (await gateway.chat({**ask(), key: tools[:1]})).status == 200
    assert all(request.body.get(key) in (None, tools[:1]) for request in upstream.requests)


async def test_messages_and_responses_name_the_tool(upstream: FakeUpstream) -> None:
    """In the shape of their API."""
    bad = {"$ref": "#/x", "x": 5}
    bodies = {
        "/v1/messages": {**ask(), "max_tokens": 9, "tools": [{"name": "f", "input_schema": bad}]},
        "/v1/responses": {"input": "Why?", "tools": [{"type": "function", "name": "f", "parameters": bad}]},
    }
    async with running(two(upstream, "{}")) as gateway:
        for path, body in bodies.items():
            reply = await gateway.request("POST", path, json=body)
            assert reply.status == 400
            assert "of the tool f" in reply.error["message"]
    assert upstream.requests == []


async def test_a_single_model_takes_tools_in_its_own_way(upstream: FakeUpstream) -> None:
    """An odd schema is passed on untouched, and the call that answers it as well."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    upstream.default = answer(None, message={"tool_calls": [call]})
    tool = {"type": "function", "function": {"name": "f", "parameters": BAD_SCHEMAS[0]}}
    async with running(two(upstream, "")) as gateway:
        upstream.script("a", upstream.default)
        reply = await gateway.chat(ask(model="a", tools=[tool]))
    assert reply.json["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "f"
    assert upstream.requests[0].body["tools"] == [tool]


async def test_ordinary_answers_start_no_worker(upstream: FakeUpstream) -> None:
    """A process costs memory, and its start costs time."""
    async with running(two(upstream, EDIT)) as gateway:
        await gateway.chat({"messages": conversation(EditForm.EDIT_BLOCKS, SMALL)})
        await gateway.chat(structured({"type": "object", "properties": {"n": {"type": "integer"}}}))
        await gateway.chat()
        assert workers_of(gateway).n_started == 0


async def test_a_large_answer_is_checked_in_a_worker(upstream: FakeUpstream) -> None:
    """And counts like any other: the edit that applies is the answer."""
    files = {"x.py": "".join(f"line_{n} = {n}\n" for n in range(3_000))}
    good, bad = block("x.py", "line_7 = 7\n", "line_7 = 8\n"), block("x.py", "nowhere\n", "x\n")
    async with running(two(upstream, bad, good)) as gateway:
        reply = await gateway.chat({"messages": conversation(EditForm.EDIT_BLOCKS, files)})
        assert workers_of(gateway).n_started > 0
    assert reply.text == good


SLOW = "".join(block("x.py", f"q{n}\n", "y\n") for n in range(5_000))
"""An answer that takes a worker seconds."""


async def begin_slow_check(gateway: Gateway) -> "asyncio.Task[Any]":
    """Ask, and return when a worker is at work."""
    asking = asyncio.create_task(gateway.chat({"messages": conversation(EditForm.EDIT_BLOCKS, LONG)}))
    while not workers_of(gateway).n_running:  # noqa: ASYNC110 -- a process that begins reports nothing here
        await asyncio.sleep(0.01)
    return asking


async def test_the_work_ends_with_its_request(upstream: FakeUpstream) -> None:
    """A client that leaves takes its worker along, and other requests are answered at once."""
    async with running(two(upstream, SLOW)) as gateway:
        asking = await begin_slow_check(gateway)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        for name in "ab":
            upstream.script(name, answer(EDIT))
        reply = await gateway.chat({"messages": conversation(EditForm.EDIT_BLOCKS, SMALL)})
        assert (reply.status, reply.text) == (200, EDIT)
        while workers_of(gateway).n_running:  # noqa: ASYNC110 -- the server cancels the request some turns later
            await asyncio.sleep(0.01)


async def test_a_stop_does_not_wait_for_work(upstream: FakeUpstream) -> None:
    """Workers are killed; a thread would have to be joined."""
    async with running(two(upstream, SLOW)) as gateway:
        workers = workers_of(gateway)
        asking = await begin_slow_check(gateway)
    assert workers.n_running == 0
    await asyncio.gather(asking, return_exceptions=True)


def test_the_conversation_used_here_shows_its_files() -> None:
    """Otherwise these tests would pass without a single edit."""
    assert conversation(EditForm.EDIT_BLOCKS, SMALL)[1:3] == shown(SMALL)
