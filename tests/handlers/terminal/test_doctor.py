"""The doctor's output: its two streams, without secrets, and its result."""

import io
from collections.abc import Sequence

import pytest

from config.settings import Critic, Model, Server, Settings, Weights
from handlers.terminal.doctor import Screen, examine, print_configuration, warn_of_unused_caches
from tests.fakes import FakeUpstream, answer, status
from tests.running import KEY, model, running, settings
from upstream.http.client import Endpoint
from upstream.pool import Pool

ESCAPE = "\033["


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _screen(*, terminal: bool = False, plain: bool = False, secrets: Sequence[str] = (KEY,)) -> Screen:
    make = _Terminal if terminal else io.StringIO
    return Screen(make(), make(), plain, secrets)


def _said(screen: Screen) -> tuple[str, str]:
    assert isinstance(screen.out, io.StringIO)
    assert isinstance(screen.err, io.StringIO)
    return screen.out.getvalue(), screen.err.getvalue()


async def _never_loaded(_: Weights) -> str:
    raise AssertionError("no model here is embedded and used")


class _NoEndpoints:
    async def endpoint(self, weights: Weights) -> Endpoint:
        raise AssertionError(f"{weights} must not be loaded")


async def _examine(config: Settings, screen: Screen) -> bool:
    pool = Pool(config.models, embedded=_NoEndpoints())
    try:
        return await examine(config, pool, screen, wait_until_loaded=_never_loaded, proxies=())
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("terminal", "plain", "coloured"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_colours_are_for_terminals(terminal: bool, plain: bool, coloured: bool) -> None:
    """Unless they are turned off."""
    screen = _screen(terminal=terminal, plain=plain)
    print_configuration(settings([model("a", "http://h/v1")]), screen)
    out, err = _said(screen)
    assert (ESCAPE in out) is coloured
    assert err == ""


def test_the_configuration_is_shown_without_asking() -> None:
    """Every mixture and model; no key, not even one in a model's id."""
    screen = _screen()
    print_configuration(settings([model("a", "http://h/v1", model=f"id-{KEY}"), model("b", "http://h/v1")]), screen)
    out, _ = _said(screen)
    assert all(name in out for name in ("mom", "a", "b"))
    assert KEY not in out


async def test_all_models_work(upstream: FakeUpstream) -> None:
    """Tables and a summary on stdout, nothing on stderr."""
    upstream.default = answer("Hello")
    screen = _screen()
    assert await _examine(settings([model("a", upstream)]), screen)
    out, err = _said(screen)
    assert "a" in out
    assert err == ""


async def test_a_model_that_fails_has_a_remark(upstream: FakeUpstream) -> None:
    """On stderr, without the key that the upstream repeats; the result says that not all work."""
    upstream.script("a", answer("Hello"))
    upstream.default = status(401, body={"error": {"message": f"Incorrect API key: {KEY}"}})
    screen = _screen(terminal=True, plain=True)
    assert not await _examine(settings([model("a", upstream), model("b", upstream, retries=0)]), screen)
    out, err = _said(screen)
    assert err.startswith("Asking every model twice")
    assert "problem: b: " in err
    assert KEY not in out + err


async def test_an_embedded_model_that_nothing_uses_is_not_loaded(upstream: FakeUpstream) -> None:
    """The gateway would not load it either."""
    upstream.default = answer("Hello")
    idle = Model("idle", "", "embedded", None, "idle", weights=Weights(name="smollm2-135m"))
    config = settings([model("a", upstream), idle], panel=("a",), critic=Critic("a"))
    assert await _examine(config, _screen())


async def test_it_warns_of_prompt_caches_that_a_running_gateway_finds_unused(upstream: FakeUpstream) -> None:
    """With the model, the mixtures that may ask it, and the number of turns; nothing if no gateway runs."""
    upstream.script("a", answer("Yes.", usage=(2000, 5)))
    messages = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}] * 2
    screen = _screen()
    async with running(settings([model("a", upstream)])) as gateway:
        for _ in range(10):
            await gateway.chat({"model": "a", "messages": [*messages, messages[0]]})
        port = int(gateway.url.rpartition(":")[2])
        await warn_of_unused_caches(settings([model("a", upstream)], server=Server(port=port)), screen)
    _, err = _said(screen)
    assert err.startswith("warning: a, which mom may ask: its upstream has reported no cached tokens in 10 turns")
    await warn_of_unused_caches(settings([model("a", upstream)], server=Server(port=port)), screen)
    assert _said(screen)[1] == err
