"""The command `ask`."""

import asyncio
import io
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from config.settings import ApiKey, Critic, Secret, Server
from handlers.terminal.ask import ProgressLine, Screen, ask, build_question
from tests.fakes import FakeUpstream, answer, status
from tests.fakes.breaks import hang
from tests.processes import PATIENCE_S, process
from tests.running import Gateway, model, running, settings
from upstream.gateway_client import GatewayClient, GatewayError

KEY = "a-key-of-the-laptop"
RED = "\x1b[31mred\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@asynccontextmanager
async def gateway_of(
    upstream: FakeUpstream, verdict: str = "Both.", server: Server | None = None
) -> AsyncGenerator[Gateway]:
    """Run a gateway with the members a, b and d, of which d fails, and the critic c."""
    upstream.script("a", answer("One."))
    upstream.script("b", answer("Two."))
    upstream.script("c", answer(verdict))
    upstream.script("d", status(400, body={"error": {"message": "no credit"}}))
    models = [model(name, upstream, retries=0) for name in ("a", "b", "c", "d")]
    async with running(settings(models, server=server, panel=("a", "b", "d"), critic=Critic("c"))) as gateway:
        yield gateway


async def asked(gateway: Gateway, screen: Screen, *, mode: str | None = None, show: bool = False) -> str:
    await ask(GatewayClient(gateway.url), "Why?", screen, model="mom", mode=mode, show=show)
    assert isinstance(screen.out, io.StringIO)
    return screen.out.getvalue()


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (["why", "not"], "why not"),
        ([], "piped"),
        (["-"], "piped"),
        (["Review", "this:", "-"], "Review this:\n\npiped"),
        (["-", "Shorter."], "piped\n\nShorter."),
        ([""], ""),
    ],
)
def test_the_question_is_words_or_standard_input(words: Sequence[str], question: str) -> None:
    """Its words, and standard input if nothing is given, or at the place of `-`."""
    assert build_question(words, lambda: "piped") == question


async def test_the_answer_alone_is_written(upstream: FakeUpstream) -> None:
    """Byte for byte for a file or a program, without the members' texts."""
    async with gateway_of(upstream, RED) as gateway:
        assert await asked(gateway, Screen(io.StringIO(), io.StringIO())) == f"{RED}\n"


async def test_everything_is_shown(upstream: FakeUpstream) -> None:
    """Members, the cause of each failure, the verdict, the answer; without colours in a file."""
    async with gateway_of(upstream) as gateway:
        shown = await asked(gateway, Screen(io.StringIO(), io.StringIO()), show=True)
    assert "\nOne.\n" in shown
    assert "\nTwo.\n" in shown
    assert "[rejected: no credit]" in shown
    assert "\nBoth.\n[written by the critic c]\n" in shown
    assert re.search(r"\[4 calls, \d+ \+ \d+ tokens", shown)
    assert "\x1b" not in shown


@pytest.mark.parametrize("show", [True, False])
async def test_a_terminal_gets_colours_and_no_control_characters(upstream: FakeUpstream, *, show: bool) -> None:
    """Has colours unless they are unwanted; a model's control characters never reach it."""
    async with gateway_of(upstream, RED) as gateway:
        coloured = await asked(gateway, Screen(Terminal(), io.StringIO()), show=show)
        plain = await asked(gateway, Screen(Terminal(), io.StringIO(), is_plain=True), show=show)
    assert "[31mred[0m" in coloured
    assert RED not in coloured
    assert ("\x1b[1m" in coloured) is show
    assert "\x1b" not in plain


async def test_progress_is_shown_while_the_answer_is_waited_for(upstream: FakeUpstream) -> None:
    """In one line of standard error, which is erased before the first word of the answer."""
    async with gateway_of(upstream) as gateway:
        errors = Terminal()
        await asked(gateway, Screen(Terminal(), errors))
        steps = errors.getvalue().split("\r")
        assert steps[1] == "asking …\x1b[K"
        assert "c writes the answer …\x1b[K" in steps
        assert steps[-1] == "\x1b[K"
        for screen in (Screen(io.StringIO(), io.StringIO()), Screen(Terminal(), Terminal(), is_plain=True)):
            await asked(gateway, screen)
            assert isinstance(screen.err, io.StringIO)
            assert screen.err.getvalue() == ""


def test_the_line_of_progress_never_wraps() -> None:
    """A line that wraps could not be erased; nothing is erased twice, because the answer stands there by then."""
    stream = Terminal()
    with ProgressLine(stream, is_shown=True) as line:
        for name in ("a" * 50, "b" * 50):
            line.read({"type": "writing", "model": name})
        line.end()
        line.read({"type": "candidate", "model": "a"})
    steps = stream.getvalue().split("\r")
    assert max(map(len, steps)) <= 79 + len("\x1b[K")
    assert steps.count("\x1b[K") == 1


async def test_the_mode_is_the_clients(upstream: FakeUpstream) -> None:
    """An unknown one is refused in the gateway's words."""
    async with gateway_of(upstream, "Alone.") as gateway:
        screen = Screen(io.StringIO(), io.StringIO())
        assert await asked(gateway, screen, mode="direct") == "Alone.\n"
        with pytest.raises(GatewayError, match="must be one of auto"):
            await asked(gateway, screen, mode="nonsense")


async def command(*arguments: str, stdin: bytes = b"", **env: str) -> tuple[int | None, str, str]:
    """Run `gateway.py ask` as a process; return its exit code and what it has written."""
    async with process("ask", *arguments, stdin=PIPE, env={"PYTHONIOENCODING": "utf-8", **env}) as child:
        out, err = await asyncio.wait_for(child.communicate(stdin), PATIENCE_S)
    return child.returncode, out.decode(), err.decode()


async def test_the_command_prints_the_answer_and_nothing_else(upstream: FakeUpstream) -> None:
    """Takes the question from a pipe and the key from the environment, and prints the answer and nothing else."""
    server = Server(port=0, api_keys=(ApiKey("laptop", Secret(KEY, "LAPTOP_KEY")),))
    async with gateway_of(upstream, server=server) as gateway:
        assert await command(stdin="Why \u2013 \u2028?".encode(), MOM_URL=gateway.url, MOM_API_KEY=KEY) == (
            0,
            "Both.\n",
            "",
        )
    asked_of = upstream.requests_for("a")[0].body["messages"]
    assert asked_of == [{"role": "user", "content": "Why \u2013 \u2028?"}]


async def test_without_a_gateway_or_a_question() -> None:
    """One sentence with the remedy, and exit code 1."""
    without_gateway, without_question = await asyncio.gather(
        command("why", MOM_URL="http://127.0.0.1:9"), command(MOM_URL="http://127.0.0.1:9")
    )
    code, out, err = without_gateway
    assert (code, out) == (1, "")
    assert err.startswith("ask: no gateway answers at http://127.0.0.1:9 (Connection refused); start one with")
    assert err.count("\n") == 1
    assert without_question == (1, "", "ask: no question; give one as an argument, or pipe it in\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes there")
async def test_a_reader_that_leaves_is_no_crash(upstream: FakeUpstream) -> None:
    """As `| head -1` does: the exit code is that of SIGPIPE, and there is no traceback."""
    async with gateway_of(upstream) as gateway:
        reading, writing = os.pipe()
        os.close(reading)
        async with process("ask", "why", env={"MOM_URL": gateway.url}, stdout=writing) as child:
            os.close(writing)
            _, err = await asyncio.wait_for(child.communicate(), PATIENCE_S)
    assert (child.returncode, err) == (141, b"")


async def test_an_interrupted_question_is_cancelled_upstream(upstream: FakeUpstream) -> None:
    """Ctrl-C ends the command without a traceback, and the models stop."""
    async with gateway_of(upstream) as gateway:
        upstream.script("a", hang())
        upstream.script("b", hang())
        async with process("ask", "why", env={"MOM_URL": gateway.url}) as child:
            requests = await upstream.wait_for(2)
            child.send_signal(2)
            out, err = await asyncio.wait_for(child.communicate(), PATIENCE_S)
        hanging = [request for request in requests if request.model in ("a", "b")]
        await asyncio.gather(*(request.disconnected.wait() for request in hanging))
    assert (child.returncode, out, err) == (130, b"", b"")
