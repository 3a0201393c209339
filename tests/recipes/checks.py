"""Checks of the followed recipes, run by another interpreter in the copy of the sources."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exc
from typing import Any

import pytest

from config.source.problems import ConfigError
from tests.config.loading import settings_of
from tests.fakes import FakeUpstream, answer, status
from tests.fakes.completions import error_body
from tests.running import ask, model, running, settings

CONFIG = """
models:
  - {name: a, base_url: "http://127.0.0.1:9/v1"}
mixtures:
  - {name: mom, panel: [a], critic: none, KEY}
"""


def _loaded(pair: str) -> Any:
    with TemporaryDirectory() as folder:
        return settings_of(Path(folder), CONFIG.replace("KEY", pair))


async def client_api() -> None:
    """Check that the API answers at its path in its own form."""
    async with FakeUpstream(answer("Because.")) as upstream, running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.request("POST", "/lines", json={"ask": "Why?"})
    assert reply.json == {"say": "Because.", "by": "mom"}


async def mode() -> None:
    """Check that config.yaml and `x-mom-mode` accept the mode, which chooses the answer."""
    assert _loaded("mode: shortest").mixtures[0].mode == "shortest"
    async with FakeUpstream() as upstream, running(settings([model("a", upstream), model("b", upstream)])) as gateway:
        upstream.script("a", answer("a long answer"))
        upstream.script("b", answer("short"))
        reply = await gateway.chat(headers={"x-mom-mode": "shortest"})
    assert (reply.text, reply.headers["x-mom-mode"]) == ("short", "shortest")


async def reader() -> None:
    """Check that the reader gets the events of every run."""
    from handlers.api import exchange  # noqa: PLC0415

    counter = vars(exchange)["COUNTER"]
    n_before = counter.n_candidates
    async with FakeUpstream() as upstream, running(settings([model("a", upstream), model("b", upstream)])) as gateway:
        await gateway.chat()
    assert counter.n_candidates == n_before + 2


async def metric() -> None:
    """Check that the metric is exported, explained and shown: the tests of the dashboard and of the page pass."""
    from tests import test_monitoring as monitoring  # noqa: PLC0415

    async with FakeUpstream() as upstream, running(settings([model("a", upstream), model("b", upstream)])) as gateway:
        await gateway.chat()
        scraped = (await gateway.request("GET", "/metrics")).raw.decode()
    assert 'mom_proposers_asked_total{mixture="mom"} 2' in scraped
    assert "`mom_proposers_asked_total`" in monitoring.OPERATIONS
    assert any("mom_proposers_asked_total" in expression for expression in monitoring.expressions())


def span_attribute() -> None:
    """Check that the span of a request has the attribute."""
    from handlers.request_record import RequestRecord  # noqa: PLC0415
    from handlers.telemetry.spans import FinishedRequest, request_span  # noqa: PLC0415

    record = RequestRecord("chatcmpl-1", mode="fuse", bytes_out=17)
    span = request_span(FinishedRequest(record, "req-1", "POST", "/x", "/x", {}, 200, 1.0, 0.0))
    assert span.attributes["mom.bytes_out"] == 17


async def fact_on_a_page() -> None:
    """Check that the trace has the fact as JSON, the page shows it, and an older file has the default."""
    import msgspec  # noqa: PLC0415

    from config.settings import Server  # noqa: PLC0415
    from handlers.traces.schema import Asked  # noqa: PLC0415

    server = Server(port=0, ui=True)
    async with FakeUpstream() as upstream, running(settings([model("a", upstream)], server=server)) as gateway:
        chat = await gateway.chat()
        await gateway.chat()  # by then the first is stored
        page = (await gateway.request("GET", f"/ui/requests/{chat.json['id']}")).raw.decode()
    assert re.search(r"<dt>Messages</dt>\s*<dd>1</dd>", page)
    older: Any = msgspec.json.decode(b'{"model": "mom"}', type=Asked)
    assert older.n_messages == 0


def sentence_of_the_doctor() -> None:
    """Check that the failure is explained by the sentence."""
    from upstream.doctor.diagnosis import Circumstances, explain  # noqa: PLC0415
    from upstream.errors import CallError, Kind  # noqa: PLC0415

    error = CallError(Kind.REJECTED, "This model is not available in your region.", status=400)
    assert explain(error, model("a", "http://h/v1"), Circumstances()).endswith("use another provider")


def provider() -> None:
    """Check that a model may name the provider, and the page's facts are those of the code."""
    from tests.config import test_documentation as page  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        text = "models:\n  - {name: a, provider: acme, model: m, api_key: '${ACME_API_KEY}'}\n"
        loaded = settings_of(Path(folder), text, {"ACME_API_KEY": "sk-acme"}).models[0]
    assert (loaded.base_url, loaded.provider) == ("https://llm.acme.example/v1", "acme")
    page.test_every_provider_is_documented("acme")


async def request_quirk() -> None:
    """Check that a model that refuses is asked again at once, as it wants."""
    refused = status(400, body=error_body("user must be lowercase", kind="invalid_request_error"))
    async with FakeUpstream() as upstream, running(settings([model("a", upstream)])) as gateway:
        upstream.script("a", refused, answer("Because."))
        assert (await gateway.chat(ask(user="ANNA"))).text == "Because."
    assert [request.body["user"] for request in upstream.requests] == ["ANNA", "anna"]


async def odd_reply() -> None:
    """Check that a candidate that stopped for the new reason is a success."""
    async with FakeUpstream() as upstream, running(settings([model("a", upstream)])) as gateway:
        upstream.script("a", answer("Because.", finish_reason="wrapped_up"))
        reply = await gateway.chat()
    assert reply.json["choices"][0]["finish_reason"] == "stop"


def prompt() -> None:
    """Check that candidates are shown by the prompt, with every field filled in."""
    import random  # noqa: PLC0415
    from importlib import import_module  # noqa: PLC0415

    from synth.prompts.candidates import show_candidates  # noqa: PLC0415

    template = import_module("synth.prompts.haiku").PROMPT
    messages = [{"role": "user", "content": "Why?"}]
    (showing,) = show_candidates(messages, ["one"], template, rng=random.Random(1), draw_nonce=lambda: "n0nce")
    assert showing.messages[0]["content"].endswith("===== END A n0nce =====\n\nAnswer in verse: Why?")


def config_key() -> None:
    """Check that the key is read, has a default, is suggested for a misspelling, and is documented."""
    from tests.config import test_documentation as page  # noqa: PLC0415

    assert _loaded("motto: backward").mixtures[0].motto == "backward"
    assert _loaded("mode: auto").mixtures[0].motto == "onward"
    with pytest.raises(ConfigError, match="did you mean motto"):
        _loaded("moto: x")
    page.test_every_key_is_documented("mixtures", "motto")
    page.test_every_default_is_documented("motto", "onward")


def command() -> None:
    """Check that the command runs, with help of its own."""
    import gateway  # noqa: PLC0415

    assert gateway.main(["hello", "Anna"]) == 0


CHECKS: Mapping[str, Callable[[], Coroutine[Any, Any, None] | None]] = {
    "a client API": client_api,
    "a mode": mode,
    "a reader of runs": reader,
    "a metric": metric,
    "a span attribute": span_attribute,
    "a fact on a trace page": fact_on_a_page,
    "a sentence of the doctor": sentence_of_the_doctor,
    "a provider": provider,
    "a provider's request quirk": request_quirk,
    "an odd reply": odd_reply,
    "a prompt": prompt,
    "a config key": config_key,
    "a command": command,
}
"""The check of each recipe, by the first cell of its row."""


def run_checks() -> dict[str, str]:
    """Run all checks; return the traceback of each, "" if it passed."""
    return {recipe: _run(each) for recipe, each in CHECKS.items()}


def _run(each: Callable[[], Coroutine[Any, Any, None] | None]) -> str:
    try:
        result = each()
        if result is not None:
            asyncio.run(result)
    except BaseException:  # noqa: BLE001 -- also SystemExit of a command: one check must not end the others
        return format_exc()
    return ""
