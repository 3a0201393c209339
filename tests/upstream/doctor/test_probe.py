"""Probing models over real sockets: results and the sentences that help."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from config.settings import Model, Weights
from tests.fakes import (
    FakeUpstream,
    Step,
    after,
    answer,
    drop_before,
    from_request,
    hang,
    html,
    redirect,
    refusing,
    status,
    unanswering,
)
from tests.running import KEY, model
from upstream.doctor.probe import Prober, ProbeResult
from upstream.http.client import Endpoint
from upstream.pool import Pool


async def _unasked(_: Weights) -> str:
    raise AssertionError("there is no embedded model here")


async def probe(*models: Model, limit_s: float = 20.0, proxies: Sequence[str] = ()) -> list[ProbeResult]:
    """Return the findings of a pool of these models, which is closed again."""
    pool = Pool(models)
    try:
        return await Prober(pool, wait_until_loaded=_unasked, proxies=proxies, limit_s=limit_s).probe_all(models)
    finally:
        await pool.close()


async def problem(entry: Model, **options: Any) -> str:
    """Return what is wrong with one model, with its address as HOST."""
    (result,) = await probe(entry, **options)
    assert KEY not in repr(result)
    host = entry.base_url.split("/")[2]
    return result.problem.replace(host, "HOST")


def refused(code: int, message: str, **options: Any) -> Step:
    return status(code, body={"error": {"message": message}}, **options)


async def test_a_model_that_answers(upstream: FakeUpstream) -> None:
    """The doctor asks for one token, then as a client does, and reads the list of models."""
    upstream.script("a", answer("Hello"))
    entry = model("a", upstream, params={"temperature": 0.5, "max_tokens": 4096}, retries=5, hedge_after_s=0.01)
    (result,) = await probe(entry)
    assert result.seconds is not None
    assert result == ProbeResult("a", is_reached=True, is_listed=True, seconds=result.seconds)
    first, second = upstream.requests
    assert {key: first.body[key] for key in ("model", "max_tokens", "temperature")} == {
        "model": "a",
        "max_tokens": 1,
        "temperature": 0.5,
    }
    assert (second.body["max_tokens"], second.body["stream"], len(second.body["messages"])) == (16, True, 2)


async def test_an_empty_answer_counts(upstream: FakeUpstream) -> None:
    """A reasoning model has no text after one token."""
    upstream.script("a", answer("", finish_reason="length"))
    (result,) = await probe(model("a", upstream))
    assert result.problem == ""


async def test_an_upstream_without_a_list(upstream: FakeUpstream) -> None:
    """A missing list is no problem."""
    (result,) = await probe(model("a", upstream))
    assert (result.problem, result.is_listed) == ("", None)


async def test_an_alias_that_is_not_listed(upstream: FakeUpstream) -> None:
    """The answer counts, not the list."""
    upstream.script("other", answer())
    (result,) = await probe(model("latest", upstream))
    assert (result.problem, result.is_listed) == ("", False)


async def test_all_models_are_probed_at_once_and_reported_in_order(upstream: FakeUpstream) -> None:
    """The order is that of the file, although the first model answers last."""
    gate = asyncio.Event()
    upstream.script("a", after(gate, answer()))
    upstream.script("b", from_request(lambda _: _opening(gate)))
    assert [result.name for result in await probe(model("a", upstream), model("b", upstream))] == ["a", "b"]


def _opening(gate: asyncio.Event) -> str:
    gate.set()
    return "b"


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (
            refused(401, f"Incorrect API key: {KEY}"),
            (
                "the key from FAKE_API_KEY is refused (HTTP 401: Incorrect API key: [redacted]): "
                "is it a key for HOST, and still valid?"
            ),
        ),
        (
            refused(403, "not yours"),
            "the key from FAKE_API_KEY is refused (HTTP 403: not yours): is it a key for HOST, and still valid?",
        ),
        (
            refused(402, "Insufficient Balance"),
            "no quota or credit is left at HOST (HTTP 402: Insufficient Balance): check billing there",
        ),
        (
            refused(429, "You exceeded your current quota, check your plan."),
            (
                "no quota or credit is left at HOST (HTTP 429: You exceeded your current quota, check your plan.): "
                "check billing there"
            ),
        ),
        (
            refused(429, "Slow down.", retry_after=7),
            "rate limited (HTTP 429: Slow down.): the upstream works and accepts the key; try again in 7 s",
        ),
        (
            refused(503, "Overloaded."),
            "HOST fails (HTTP 503: Overloaded.): the fault is at the upstream; try again later",
        ),
        (refused(400, "temperature must be 1"), "HTTP 400: temperature must be 1"),
        (refused(400, "bad \x1b[2J words"), "HTTP 400: bad  words"),
        (
            html(),
            (
                "there is no chat API at http://HOST/v1/chat/completions (the reply is not JSON (a web page of 93 "
                "bytes)): check base_url; if the upstream uses TLS, it begins with https://"
            ),
        ),
        (
            redirect("https://elsewhere.example/v1/chat/completions", code=301),
            (
                "there is no chat API at http://HOST/v1/chat/completions (HTTP 301: redirects are not followed; check "
                "base_url, which leads to https://elsewhere.example/v1/chat/completions): check base_url; if the "
                "upstream uses TLS, it begins with https://"
            ),
        ),
        (
            drop_before(),
            (
                "there is no chat API at http://HOST/v1/chat/completions (the connection closed before a reply came): "
                "check base_url; if the upstream uses TLS, it begins with https://"
            ),
        ),
    ],
)
async def test_a_refusal_is_explained(upstream: FakeUpstream, step: Step, sentence: str) -> None:
    """The sentence quotes the upstream without keys and control characters, and names the remedy."""
    upstream.default = step
    assert await problem(model("a", upstream)) == sentence


async def test_a_key_that_is_required(upstream: FakeUpstream) -> None:
    """The sentence says that no key is configured."""
    upstream.default = refused(401, "No key.")
    sentence = "HOST requires a key (HTTP 401: No key.), and none is configured: add api_key"
    assert await problem(model("a", upstream, api_key=None)) == sentence


@pytest.mark.parametrize(
    "step",
    [
        refused(404, "The model `gpt-5o` does not exist or you do not have access to it."),
        refused(404, 'model "gpt-5o" not found, try pulling it first'),
        refused(400, "gpt-5o is not a valid model ID"),
        refused(400, "Model Not Exist"),
        status(404),
    ],
)
async def test_an_unknown_model(upstream: FakeUpstream, step: Step) -> None:
    """The sentence suggests ids that are spelled alike."""
    upstream.listing = {"data": [{"id": name} for name in ("gpt-5", "openai/gpt-5o-mini", "llama", "gpt-4o")]}
    upstream.default = step
    assert await problem(model("gpt-5o", upstream)) == (
        "HOST has no model 'gpt-5o': did you mean gpt-5, gpt-4o, openai/gpt-5o-mini?"
    )


@pytest.mark.parametrize(
    ("given", "meant"),
    [("", "/v1"), ("/v1/v1", "/v1"), ("/api/v1", "/v1"), ("/api", "/v1"), ("/v2", "/v1")],
)
async def test_a_wrong_base_url(upstream: FakeUpstream, given: str, meant: str) -> None:
    """`/v1` is missing, doubled or misplaced: the doctor finds the right URL by asking there."""
    origin = upstream.base_url.removesuffix("/v1")
    assert await problem(model("a", f"{origin}{given}")) == (
        f"there is no chat API at http://HOST{given}/chat/completions (HTTP 404: no {given}/chat/completions); "
        f"there is one at base_url: http://HOST{meant}"
    )


async def test_a_wrong_base_url_with_a_wrong_key(upstream: FakeUpstream) -> None:
    """An error about the key shows that there is a chat API."""
    upstream.default = refused(401, "Who are you?")
    sentence = await problem(model("a", upstream.base_url.removesuffix("/v1")))
    assert sentence.endswith("; there is one at base_url: http://HOST/v1")


async def test_a_wrong_base_url_without_a_guess(upstream: FakeUpstream) -> None:
    """The sentence suggests no URL that was not tried."""
    upstream.default = status(404)
    sentence = await problem(model("a", upstream.base_url.removesuffix("/v1")))
    assert sentence.endswith("/chat/completions): check base_url, which usually ends in /v1")


async def test_a_server_that_is_not_running() -> None:
    """The sentence names the program to start."""
    with refusing() as url:
        assert await problem(model("a", url, provider="ollama")) == (
            "nothing listens at HOST: start ollama, or correct base_url"
        )


async def test_a_proxy_that_is_not_used() -> None:
    """If connecting fails, the sentence says that the gateway ignores the environment's proxy."""
    with refusing() as url:
        assert (await problem(model("a", url), proxies=["https_proxy"])).endswith(
            "; https_proxy is set, but the gateway connects directly, without a proxy"
        )


async def test_no_connection_in_time() -> None:
    """The model's own `connect_timeout_s` applies."""
    with unanswering() as url:
        assert await problem(model("a", url, connect_timeout_s=0.05)) == "no connection in time from HOST"


async def test_no_answer_in_time(upstream: FakeUpstream) -> None:
    """The doctor's own limit applies, not the model's."""
    upstream.default = hang()
    assert await problem(model("a", upstream), limit_s=0.3) == "no answer within 0.3 s from HOST"


async def test_https_to_a_plain_server(upstream: FakeUpstream) -> None:
    """The sentence suggests http://."""
    sentence = await problem(model("a", upstream.base_url.replace("http:", "https:")))
    assert sentence == "TLS with HOST fails: if it speaks plain HTTP, write http:// in base_url"


def _wants(name: str, *, at_least: int = 1) -> Step:
    """Return a step like OpenAI's reasoning models: it refuses the other name of the limit, and small limits."""

    def respond(body: Any) -> Step | str:
        if name not in body:
            return refused(400, f"Unsupported parameter: 'max_tokens' is not supported. Use '{name}' instead.")
        if body[name] < at_least:
            return refused(400, "Could not finish the message because max_tokens or model output limit was reached.")
        return "Hello"

    return from_request(respond)


@pytest.mark.parametrize("at_least", [1, 16, 999])
@pytest.mark.parametrize("params", [{}, {"max_tokens": 4096}])
async def test_the_other_name_of_the_limit(upstream: FakeUpstream, at_least: int, params: dict[str, Any]) -> None:
    """The report has the refusal, the adaptation and the line to write; an answer that the limit cut off counts."""
    upstream.default = _wants("max_completion_tokens", at_least=at_least)
    (result,) = await probe(model("a", upstream, params=params))
    assert (result.problem, result.warning) == ("", "")
    (note,) = result.notes
    assert note == (
        "max_tokens is sent as max_completion_tokens (\"Unsupported parameter: 'max_tokens' is not supported. Use "
        "'max_completion_tokens' instead.\"); to avoid the refusal, write rename: {max_tokens: max_completion_tokens}"
    )


@pytest.mark.parametrize(
    "fields",
    [{"params": {"max_completion_tokens": 4096}}, {"rename": {"max_tokens": "max_completion_tokens"}}],
)
async def test_the_other_name_is_configured(upstream: FakeUpstream, fields: dict[str, Any]) -> None:
    """There is nothing to fix then."""
    upstream.default = _wants("max_completion_tokens")
    (result,) = await probe(model("a", upstream, **fields))
    assert (result.problem, result.warning, result.notes) == ("", "", ())


async def test_a_limit_that_is_too_small(upstream: FakeUpstream) -> None:
    """The doctor asks for a few tokens then, with the same parameter name."""
    upstream.default = _wants("max_tokens", at_least=16)
    (result,) = await probe(model("a", upstream))
    assert (result.problem, result.warning, result.notes) == ("", "", ())
    assert [request.body["max_tokens"] for request in upstream.requests] == [1, 16, 16]


def _refuses(refuses: Callable[[Any], bool], message: str) -> Step:
    return from_request(lambda body: refused(400, message) if refuses(body) else "Hello")


async def test_a_temperature_that_is_refused(upstream: FakeUpstream) -> None:
    """As by OpenAI's reasoning models: the gateway leaves it out, and the report says so."""
    words = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."
    upstream.default = _refuses(lambda body: body.get("temperature", 1) != 1, words)
    (result,) = await probe(model("o4", upstream))
    assert (result.problem, result.warning) == ("", "")
    (note,) = result.notes
    assert note.startswith("temperature is left out")
    assert f'("{words}")' in note
    assert note.endswith("; to avoid the refusal, write drop: [temperature]")


async def test_several_refusals_are_reported_together(upstream: FakeUpstream) -> None:
    """One after the other, all in one report."""

    def respond(body: Any) -> Step | str:
        for name in ("temperature", "stream_options", "tools"):
            if name in body:
                return refused(400, f"Unsupported parameter: '{name}'")
        return "Hello"

    upstream.default = from_request(respond)
    (result,) = await probe(model("a", upstream))
    assert (result.problem, result.warning) == ("", "")
    assert [note.split(" is left out")[0] for note in result.notes] == ["temperature", "stream_options", "tools"]


@pytest.mark.parametrize(
    ("refuses", "words", "warning"),
    [
        (
            lambda body: "tools" in body,
            "Something about this request is wrong.",
            "refuses a tool (HTTP 400: Something about this request is wrong.): write capabilities without tools",
        ),
        (
            lambda body: body["messages"][0]["role"] == "system" or "temperature" in body,
            "Bad request.",
            "refuses temperature 0 and a system message (HTTP 400: Bad request.): write drop: [temperature]; requests",
        ),
        (
            lambda body: "tools" in body and body.get("stream"),
            "No.",
            "refuses temperature 0, a system message, a tool and a stream in one request (HTTP 400: No.): requests of",
        ),
    ],
)
async def test_a_refusal_without_a_field_is_narrowed_down(
    upstream: FakeUpstream, refuses: Callable[[Any], bool], words: str, warning: str
) -> None:
    """The features are tried one by one, so that the warning names the refused one."""
    upstream.default = _refuses(refuses, words)
    (result,) = await probe(model("a", upstream))
    assert (result.problem, result.notes) == ("", ())
    assert result.warning.startswith(warning)


async def test_a_model_without_tools_gets_none(upstream: FakeUpstream) -> None:
    """By its capabilities; it never gets tools."""
    upstream.default = _refuses(lambda body: "tools" in body, "No tools here.")
    (result,) = await probe(model("a", upstream, capabilities=frozenset({"vision"})))
    assert (result.problem, result.warning, result.notes) == ("", "", ())


async def test_a_second_request_that_is_rate_limited(upstream: FakeUpstream) -> None:
    """The model answers, but its limit is too low for a panel."""
    upstream.script("a", answer("Hello"), refused(429, "Slow down."))
    (result,) = await probe(model("a", upstream))
    assert result.problem == ""
    assert result.warning == "answered once, but not a second request (HTTP 429: Slow down.)"


@pytest.mark.parametrize(
    ("entry", "is_listed"),
    [({"object": "list", "data": [{"id": "models/a"}]}, True), ([{"id": "b"}], False), ({"data": {}}, None), (3, None)],
)
async def test_lists_of_other_shapes(upstream: FakeUpstream, entry: Any, is_listed: bool | None) -> None:
    """Google's prefix, Together's bare list, and replies that are no list."""
    upstream.listing = entry
    (result,) = await probe(model("a", upstream))
    assert result.is_listed is is_listed


class _Children:
    """A stand-in for the embedded models of a pool: the fake upstream, after `loaded`."""

    def __init__(self, upstream: FakeUpstream, reason: str = "") -> None:
        self._endpoint = Endpoint(upstream.base_url, None)
        self._reason = reason
        self.is_loaded = False

    async def loaded(self, _: Weights) -> str:
        await asyncio.sleep(0)
        self.is_loaded = True
        return self._reason

    async def endpoint(self, _: Weights) -> Endpoint:
        assert self.is_loaded
        return self._endpoint


@pytest.mark.parametrize(("reason", "n_asked"), [("", 1), ("no space left", 0)])
async def test_an_embedded_model(upstream: FakeUpstream, reason: str, n_asked: int) -> None:
    """The doctor waits until it is loaded, then asks for one token; there is no list of models."""
    children = _Children(upstream, reason)
    entry = model("tiny", "", weights=Weights(name="tiny"), api_key=None)
    pool = Pool([entry], embedded=children)
    try:
        (result,) = await Prober(pool, wait_until_loaded=children.loaded).probe_all([entry])
    finally:
        await pool.close()
    assert (result.problem, result.is_reached, result.is_listed) == (reason, not reason, None)
    assert [request.body["max_tokens"] for request in upstream.requests] == [1, 16] * n_asked
