"""The command `ask`: a question to a running gateway, answered on the terminal."""

import argparse
import asyncio
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self, TextIO, get_args

from config.settings import Mode
from handlers.errors import StartError
from handlers.terminal import running_gateway
from handlers.terminal.commands import EXIT_OK, Invocation
from handlers.terminal.plain_text import strip_controls
from handlers.terminal.transcript import AnswerOnly, Event, Transcript
from upstream.gateway_client import GatewayClient, GatewayError

EXIT_BROKEN_PIPE = 128 + 13  # as the shell reports a program that SIGPIPE ended

_FROM_STDIN = "-"
_PROGRESS_CHARS = 79  # a line that wraps cannot be erased
_STATES = {"writing": "writes", "candidate": "has answered", "failure": "has failed"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the question and the options of `ask`."""
    parser.add_argument(
        "question",
        nargs="*",
        help="the question; `-` stands for standard input, which is read also if nothing is given",
    )
    parser.add_argument("--show", action="store_true", help="print each member's answer and the verdict as well")
    parser.add_argument("--model", metavar="NAME", help="a mixture or a model; default: the first mixture")
    modes = get_args(Mode)
    parser.add_argument(
        "--mode", metavar="MODE", choices=modes, help=f"how candidates become the answer: {', '.join(modes)}"
    )
    running_gateway.add_arguments(parser)


def run(invocation: Invocation) -> int:
    """Ask and print. Raises StartError if there is no question, or no answer."""
    options = invocation.options
    question = build_question(options.question, _read_stdin)
    if not question.strip():
        raise StartError("ask: no question; give one as an argument, or pipe it in")
    for stream in (sys.stdout, sys.stderr):  # a lone surrogate, or a terminal that has no UTF-8
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    is_plain = bool(invocation.environ.get("NO_COLOR")) or invocation.environ.get("TERM") == "dumb"
    screen = Screen(sys.stdout, sys.stderr, is_plain=is_plain)
    try:
        client = running_gateway.open_client(invocation)
        asyncio.run(ask(client, question, screen, model=options.model, mode=options.mode, show=options.show))
    except GatewayError as error:
        raise StartError(f"ask: {error}") from error
    except BrokenPipeError:  # the reader has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return EXIT_BROKEN_PIPE
    return EXIT_OK


def build_question(words: Sequence[str], read_stdin: Callable[[], str]) -> str:
    """Return the question of the command line; `-`, or no word at all, stands for standard input."""
    paragraphs: list[str] = []
    line: list[str] = []
    for word in words or [_FROM_STDIN]:
        if word == _FROM_STDIN:
            paragraphs += [" ".join(line), read_stdin()]
            line = []
        else:
            line.append(word)
    return "\n\n".join(part for part in [*paragraphs, " ".join(line)] if part)


def _read_stdin() -> str:
    """Return the piped input, or "" if standard input is a terminal or closed."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.buffer.read().decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Screen:
    """The streams for the answer (`out`), and for progress while it is waited for (`err`); `is_plain`: no colours."""

    out: TextIO
    err: TextIO
    is_plain: bool = False

    @property
    def has_colours(self) -> bool:
        """Whether to write colours."""
        return self.out.isatty() and not self.is_plain


async def ask(
    client: GatewayClient, question: str, screen: Screen, *, model: str | None, mode: str | None, show: bool
) -> None:
    """Ask a gateway, and write the answer as it comes. Raises GatewayError if there is none.

    An answer that goes to a file or a program stays as it is; on a terminal it loses its control characters.
    """
    writer = Transcript(colours=screen.has_colours) if show else AnswerOnly()
    progress = ProgressLine(screen.err, is_shown=screen.err.isatty() and not screen.is_plain and not show)
    messages = [{"role": "user", "content": question}]
    with progress:
        async with client, aclosing(client.watch(messages, model=model, mode=mode)) as run:
            async for event in run:
                text = writer.read(event)
                if screen.out.isatty() and not show:
                    text = strip_controls(text)
                if text:
                    progress.end()
                    screen.out.write(text)
                    screen.out.flush()
                else:
                    progress.read(event)


class ProgressLine:
    """A line that shows the members' progress until the answer begins, then is erased; at the latest on leaving."""

    def __init__(self, stream: TextIO, *, is_shown: bool) -> None:
        self._stream = stream
        self._is_shown = is_shown
        self._shown = ""
        self._states: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._show("asking …")
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Erase the line, for good."""
        self._show("")
        self._is_shown = False

    def read(self, event: Event) -> None:
        """Show the next step."""
        state = _STATES.get(event["type"])
        if state is not None:
            self._states[event["model"]] = state
            self._show(", ".join(f"{name} {state}" for name, state in self._states.items()))
        elif event["type"] == "author":
            self._show(f"{event['model']} writes the answer …")

    def _show(self, text: str) -> None:
        text = text[:_PROGRESS_CHARS]
        if self._is_shown and text != self._shown:
            self._shown = text
            self._stream.write(f"\r{text}\033[K")
            self._stream.flush()
