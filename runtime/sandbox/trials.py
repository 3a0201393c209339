"""Trials and observations: the input and output of every sandbox.

A trial is a module and checks on it. The module is loaded once; each check then evaluates an expression in the
module's namespace. An observation never guesses: a limitation of the sandbox (a missing module, an unsupported
construct, a timeout, no memory) is UNKNOWN, not a failure of the code.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

from runtime.frozen import frozen

MAX_SHOWN_CHARS = 200
"""How much of a value's repr or of an error's message is kept."""


class SandboxError(Exception):
    """The sandbox itself cannot run; the message names the cause and the remedy."""


class Kind(StrEnum):
    """How a check ended: with a value, with an exception that is the code's fault, or unknown."""

    VALUE = "value"
    ERROR = "error"
    UNKNOWN = "unknown"


@frozen
class Check:
    """One expression to evaluate in a module's namespace.

    `setup` are statements to run before it. With `expected`, another expression, the two values are compared: equal by
    `==`, or as numbers by a relative tolerance of 1e-6, element by element in lists, tuples and dictionaries. A value
    that calls itself equal to anything at all is equal to nothing.
    """

    expression: str
    expected: str | None = None
    setup: str = ""


@frozen
class Trial:
    """A module's source, and the checks to make on it, in order.

    `files` are sources that it may import, as pairs of a relative path and a text. A sandbox that cannot import them
    says that they are missing.
    """

    source: str
    checks: tuple[Check, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


@frozen
class Observation:
    """How one check ended.

    `equal` is whether the value is the expected one, or None if none was expected. `shown` is the value's repr.
    `error` is the exception's type, with its `message`; for UNKNOWN, `message` is the reason. Texts are cut to
    MAX_SHOWN_CHARS.
    """

    kind: Kind
    equal: bool | None = None
    shown: str = ""
    error: str = ""
    message: str = ""


LOADED = Observation(Kind.VALUE)


@frozen
class Report:
    """How a module loaded, and an observation for each of its checks if it did; `checks` is empty otherwise."""

    loaded: Observation
    checks: tuple[Observation, ...] = ()


@frozen
class Limits:
    """What one trial may use: seconds for loading and for each check, seconds in all, bytes of memory."""

    step_s: float = 0.3
    trial_s: float = 1.0
    memory_bytes: int = 64 * 2**20


class Session(Protocol):
    """Runs the trials of one request; several may run at once."""

    async def observe(self, trial: Trial, limits: Limits) -> Report:
        """Run a trial and return its report. Only a broken sandbox raises, SandboxError."""
        ...


class Sandbox(Protocol):
    """A place to run untrusted code. Its owner closes it."""

    name: str

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Return a session; leaving it ends all of its processes."""
        ...

    async def close(self) -> None:
        """End every process of the sandbox."""
        ...


def unknown(reason: str) -> Observation:
    """Return an UNKNOWN observation."""
    return Observation(Kind.UNKNOWN, message=cut(reason))


def failure(error: str, message: str) -> Observation:
    """Return the observation of an exception, by its type and message: UNKNOWN if the sandbox may be to blame."""
    reason = _blamed_on_sandbox(error, message)
    return unknown(reason) if reason else Observation(Kind.ERROR, error=cut(error), message=cut(message))


def cut(text: str) -> str:
    """Return at most MAX_SHOWN_CHARS of a text, with "\ufffd" for what cannot be encoded, or controls a terminal."""
    kept = text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 1] + "…"
    if kept.isprintable():
        return kept
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in kept)


def fill(observations: Sequence[Observation], n_checks: int, reason: str) -> tuple[Observation, ...]:
    """Pad observations to `n_checks`: those that were not reached are UNKNOWN for this reason."""
    missing = n_checks - len(observations)
    return (*observations[:n_checks], *[unknown(reason)] * missing)


_OF_THE_SANDBOX = {
    "ImportError": "a module that the sandbox lacks",
    "ModuleNotFoundError": "a module that the sandbox lacks",
    "MemoryError": "out of the sandbox's memory",
    "OSError": "the sandbox has no files and no network",
    "PermissionError": "the sandbox has no files and no network",
    "FileNotFoundError": "the sandbox has no files and no network",
    "BlockingIOError": "the sandbox has no room for more processes",
    "ConnectionError": "the sandbox has no files and no network",
    "ConnectionRefusedError": "the sandbox has no files and no network",
    "TimeoutError": "the sandbox has no files and no network",
    "EOFError": "the sandbox has no input",
}


def _blamed_on_sandbox(error: str, message: str) -> str:
    blamed = _OF_THE_SANDBOX.get(error)
    return f"{blamed}: {message}" if blamed and message else blamed or ""


PRELUDE = """\
def {name}(value, expected, wanted, repr=repr, bool=bool, isinstance=isinstance, len=len, abs=abs, max=max, zip=zip,
           all=all, int=int, float=float, list=list, tuple=tuple, dict=dict, type=type, Exception=Exception,
           nothing=lambda: None):
    def same(a, b):
        if isinstance(a, float) or isinstance(b, float):
            if isinstance(a, (int, float)) and isinstance(b, (int, float)):
                return a == b or abs(b) != float("inf") and abs(a - b) <= 1e-6 * max(1.0, abs(b))
        if type(a) is type(b) and isinstance(a, (list, tuple)):
            return len(a) == len(b) and all([same(x, y) for x, y in zip(a, b)])
        if type(a) is type(b) and isinstance(a, dict):
            return len(a) == len(b) and all([key in b and same(a[key], b[key]) for key in a])
        return bool(a == b) and not bool(a == nothing)
    equal = same(value, expected) if wanted else None
    try:
        shown = repr(value)
        shown = shown if len(shown) <= {chars} else shown[:{chars} - 1] + "…"
    except Exception:
        shown = "a value without a repr"
    return (equal, shown)
def {name}_all(checks, look={name}, Exception=Exception, type=type, str=str):
    seen = []
    for call, expected, wanted in checks:
        try:
            equal, shown = look(call(), expected(), wanted)
            seen.append((equal, shown, "", ""))
        except Exception as error:
            seen.append((None, "", type(error).__name__, str(error)[:{chars}]))
    return seen
"""
"""Source that is loaded before a module: it defines the function that looks at a value, and one for several checks.

Their parameters hold the built-in functions, so that a module which defines some of the same names changes nothing.
"""


def prelude(name: str) -> str:
    """Return the prelude, with `name` for its function."""
    return PRELUDE.format(name=name, chars=MAX_SHOWN_CHARS)


def call_of_all(name: str, checks: Sequence[Check]) -> str:
    """Return the expression that evaluates several checks without a setup, each with its own exceptions."""
    each = [
        f"(lambda: (\n{check.expression}\n), lambda: (\n{check.expected or 'None'}\n), {check.expected is not None})"
        for check in checks
    ]
    return f"{name}_all([{', '.join(each)}])"


def call_of(name: str, check: Check) -> str:
    """Return the expression that evaluates a check by the prelude's function."""
    expected = "None" if check.expected is None else check.expected
    return f"{name}((\n{check.expression}\n), (\n{expected}\n), {check.expected is not None})"
