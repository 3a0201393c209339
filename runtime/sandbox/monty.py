"""Run trials in Monty, an interpreter of a subset of Python, in a pool of worker processes.

Monty (https://github.com/pydantic/monty) is written in Rust and has no way to files, sockets, processes or the
environment: isolation is by construction, and so it works without privileges on every system. What it lacks
(`yield`, class inheritance, many modules) is UNKNOWN here. Its workers are processes that it bounds in time and memory;
here they are under the kernel's limits as well, by monty_worker.sh, except on Windows.
"""

import ast
import asyncio
import builtins
import importlib
import os
import re
import secrets
import string
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from runtime.sandbox.flatten import flatten
from runtime.sandbox.monty_gaps import find_gap
from runtime.sandbox.trials import (
    LOADED,
    Check,
    Kind,
    Limits,
    Observation,
    Report,
    SandboxError,
    Trial,
    call_of,
    call_of_all,
    failure,
    fill,
    prelude,
    unknown,
)

if TYPE_CHECKING:
    from pydantic_monty import AsyncMonty, AsyncMontySession

NAME = "monty"

_MAX_PROCESSES = 4
_CHECKOUTS_PER_WORKER = 64  # at a second each, the processor time that monty_worker.sh allows
_WAIT_S = 3.0
_GRACE_S = 0.2  # for an operation that does not look at the clock, such as 10**10**7
_MAX_OUTPUT_BYTES = 2**20
_MAX_SOURCE_CHARS = 100_000
_RECURSION = 1000  # CPython's own
_SUSPENSIONS = 16  # imports of _modules() and sleeps; nothing else asks the pool for anything

_NAME = re.compile(r"(?<![\w.])__name__(?!\w)")

_WORD = re.compile(r"[A-Za-z_]\w*")
_WILDCARD = re.compile(r"^(?P<indent>[ \t]*)from[ \t]+(?P<module>\w+)[ \t]+import[ \t]+\*", re.MULTILINE)
_WITH_WILDCARD = frozenset(
    {
        "bisect",
        "collections",
        "copy",
        "datetime",
        "functools",
        "heapq",
        "itertools",
        "json",
        "math",
        "operator",
        "random",
    }
    | {"re", "statistics", "string", "typing"}
)

# What Monty says when it lacks something; a module that raises the same words itself counts as unknown too.
_LACKS = re.compile(r"monty|(?:is|are) not supported|not yet support", re.IGNORECASE)
_NO_NAME = re.compile(r"name '(\w+)' is not defined")
_NO_ATTRIBUTE = re.compile(r"(?:'([\w.]+)' object|type object '(\w+)') has no attribute '(\w+)'")
_NO_MODULE_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_CANNOT_CREATE = re.compile(r"cannot create '(\w+)' instances")
_WITH_ATTRIBUTES = frozenset({"function", "method", "builtin_function_or_method", "module", "generator", "coroutine"})
_NO_BYTES = "object to bytes"  # of more than numbers and bytes
_LIMITS = {"TimeoutError": "time limit exceeded", "MemoryError": "memory limit"}


class MontySandbox:
    """A pool of Monty workers, started with the first trial. `binary` is Monty's program, found if None.

    A trial waits at most `wait_s` seconds for a free worker, and for each of its replies: more than a step may take.
    Belongs to the loop that it is first used in.
    """

    name = NAME

    def __init__(
        self, *, max_processes: int | None = None, binary: Path | None = None, wait_s: float = _WAIT_S
    ) -> None:
        self._max_processes = max_processes or min(os.cpu_count() or 1, _MAX_PROCESSES)
        self._binary = binary
        self._wait_s = wait_s
        self._starting = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._pool: AsyncMonty | None = None

    @asynccontextmanager
    async def session(self) -> AsyncGenerator["MontySandbox"]:
        """Return the sandbox itself: its workers are shared, and each trial has a fresh interpreter."""
        yield self

    async def close(self) -> None:
        """End the workers."""
        self._pool = None
        await self._stack.aclose()

    async def observe(self, trial: Trial, limits: Limits) -> Report:
        """Return what a trial shows. Raises SandboxError if no worker can be started."""
        if trial.files:
            trial = Trial(flatten(trial.source, dict(trial.files)), trial.checks)
        if len(trial.source) > _MAX_SOURCE_CHARS:
            return Report(unknown("the module is too long"))
        if gap := find_gap(trial.source):
            return Report(unknown(f"Monty does not call {gap}"))
        pool = self._pool or await self._start()
        return await _Run(pool, trial, limits).report()

    async def _start(self) -> "AsyncMonty":
        async with self._starting:
            if self._pool is None:
                try:
                    # Imported here: it takes 30 ms, which a gateway that runs no code need not spend.
                    monty = await asyncio.to_thread(importlib.import_module, "pydantic_monty")
                    pool = monty.AsyncMonty(
                        binary_path=self._limited_binary(),
                        max_processes=self._max_processes,
                        checkout_timeout=self._wait_s,
                        request_timeout=self._wait_s,
                        max_checkouts_per_worker=_CHECKOUTS_PER_WORKER,
                        feed_duration_limit_grace=_GRACE_S,
                    )
                    self._pool = await self._stack.enter_async_context(pool)
                except (ImportError, OSError, RuntimeError) as error:
                    await self._stack.aclose()
                    raise SandboxError(f"Monty does not start: {error}; reinstall pydantic-monty") from error
        assert self._pool is not None  # noqa: S101 -- started above
        return self._pool

    def _limited_binary(self) -> str:
        """Return the path of the program that runs a worker under limits.

        It finds Monty beside itself, for the pool passes it no environment. Links put both into one folder: the script
        stays where it may be executed, even if temporary folders are mounted noexec.
        """
        from pydantic_monty._binary import find_monty_binary  # noqa: PLC0415 -- see above

        binary = Path(find_monty_binary(self._binary)).absolute()
        if not binary.is_file():
            raise FileNotFoundError(f"there is no {binary}")
        if sys.platform == "win32":
            return str(binary)
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="mom-monty-")))
        (folder / "monty").symlink_to(binary)
        (folder / "worker").symlink_to(Path(__file__).with_name("monty_worker.sh"))
        return str(folder / "worker")


class _LostError(Exception):
    """The session is lost: no further code may be fed to it."""


class _Run:
    """One trial: a session of a worker at a time, a new one when the last is lost or stopped in mid-operation."""

    def __init__(self, pool: "AsyncMonty", trial: Trial, limits: Limits) -> None:
        self._pool = pool
        self._trial = trial
        self._limits = limits
        self._look = f"look_{secrets.token_hex(8)}"
        self._deadline = asyncio.get_running_loop().time() + limits.trial_s
        self._was_tried_at_once = False

    async def report(self) -> Report:
        observations: list[Observation] = []
        checks = self._trial.checks
        while True:
            loaded, seen = await self._go_on(checks[len(observations) :])
            observations += seen
            if loaded.kind is not Kind.VALUE and not observations:
                return Report(loaded)
            if loaded.kind is not Kind.VALUE or len(observations) == len(checks):
                return Report(LOADED, fill(observations, len(checks), loaded.message))
            if asyncio.get_running_loop().time() > self._deadline:
                return Report(LOADED, fill(observations, len(checks), "the time for this code is over"))

    async def _go_on(self, checks: tuple[Check, ...]) -> tuple[Observation, list[Observation]]:
        """Load the module in a fresh session and check until the session is lost; return both outcomes."""
        seen: list[Observation] = []
        from pydantic_monty import MontyError  # noqa: PLC0415 -- loaded with the pool

        limits: Any = {
            "max_feed_duration_secs": self._limits.step_s,
            "max_memory": self._limits.memory_bytes,
            "max_recursion_depth": _RECURSION,
            "max_suspensions": _SUSPENSIONS,
        }
        policy: Any = {"sleep": "zero", "random_start": {"seed": 1}}
        try:
            async with self._pool.checkout(
                limits=limits,
                os_policy=policy,
                assert_message_annotations=False,
                external_modules=_modules(),
            ) as session:
                if self._goes_at_once(checks):
                    return LOADED, await self._run_at_once(session, checks)
                await self._feed(session, prelude(self._look))
                loaded, is_lost = await self._load(session)
                if loaded.kind is not Kind.VALUE:
                    return loaded, seen
                for check in checks:
                    observation, is_lost = await self._check(session, check)
                    seen.append(observation)
                    if is_lost or asyncio.get_running_loop().time() > self._deadline:
                        break
        except _LostError:
            return LOADED, seen
        except (MontyError, TimeoutError, OSError, RuntimeError) as error:
            return unknown(f"no worker for it: {error}"), seen
        return loaded, seen

    def _goes_at_once(self, checks: tuple[Check, ...]) -> bool:
        # A name that a check assigns would be the lambda's own, and lost to the checks after it.
        return (
            bool(checks)
            and not self._was_tried_at_once
            and not any(check.setup or ":=" in check.expression or ":=" in (check.expected or "") for check in checks)
        )

    async def _run_at_once(self, session: "AsyncMontySession", checks: tuple[Check, ...]) -> list[Observation]:
        """Load the module and make all checks in one round trip to the worker.

        The round trips are most of a trial's time. If anything but a check's exception ends this one (the module does
        not load, a limit is met, Monty lacks the syntax of a check), the part at fault is unknown: raises _LostError,
        and the next session does everything step by step.
        """
        self._was_tried_at_once = True
        code = f"{prelude(self._look)}{self._module()}\n{call_of_all(self._look, checks)}\n"
        value, observation, _ = await self._try(session, code)
        if observation is not None or not isinstance(value, list) or len(value) != len(checks):
            raise _LostError
        return [_read_result(each) for each in value]

    async def _load(self, session: "AsyncMontySession") -> tuple[Observation, bool]:
        # The last statement's value would be converted and sent; None ends that.
        value, observation, is_lost = await self._try(session, f"{self._module()}\nNone\n")
        if observation is not None and observation.error == "SyntaxError" and _parses(self._trial.source):
            observation = unknown("Monty does not read this syntax")
        return observation or LOADED, is_lost and value is None

    def _module(self) -> str:
        # __name__ cannot be set and is "__main__": what stands below `if __name__ == …` is no part of the module.
        return _NAME.sub('"candidate"', _expand_wildcards(self._trial.source))

    async def _check(self, session: "AsyncMontySession", check: Check) -> tuple[Observation, bool]:
        if check.setup:
            _, observation, is_lost = await self._try(session, f"{check.setup}\nNone\n")
            if observation is not None:
                return observation, is_lost
        value, observation, is_lost = await self._try(session, call_of(self._look, check))
        return observation or _read_value(value), is_lost

    async def _try(self, session: "AsyncMontySession", code: str) -> tuple[Any, Observation | None, bool]:
        """Feed code; return its value, the observation that took its place, and whether the session is lost."""
        from pydantic_monty import MontyCrashedError, MontyError  # noqa: PLC0415 -- loaded with the pool

        try:
            return await self._feed(session, code), None, False
        except MontyCrashedError as error:
            return None, unknown(str(error)), True
        except MontyError as error:
            raised = error.exception()
            name = type(raised).__name__
            message = "" if str(error) == name else str(error).removeprefix(f"{name}: ")
            limit = _LIMITS.get(name)
            if limit is not None and limit in message:
                return None, unknown(message), True
            return None, _judge_error(name, message), False

    async def _feed(self, session: "AsyncMontySession", code: str) -> Any:
        from pydantic_monty import CollectString  # noqa: PLC0415 -- loaded with the pool

        return await session.feed_run(code, print_callback=CollectString(max_bytes=_MAX_OUTPUT_BYTES))


def _expand_wildcards(source: str) -> str:
    """Return a module that imports by name what it uses, in place of `from math import *`, which Monty lacks."""
    if "import *" not in source:
        return source
    words = set(_WORD.findall(source))

    def by_name(line: re.Match[str]) -> str:
        if line["module"] not in _WITH_WILDCARD:
            return line[0]
        module = importlib.import_module(line["module"])
        public = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
        used = sorted(words & set(public))
        return f"{line['indent']}from {module.__name__} import {', '.join(used)}" if used else f"{line['indent']}pass"

    return _WILDCARD.sub(by_name, source)


def _read_value(value: Any) -> Observation:
    match value:
        case (bool() | None as equal, str() as shown):
            return Observation(Kind.VALUE, equal, shown)
        case _:
            return unknown("the code changed the way it is looked at")


def _read_result(value: Any) -> Observation:
    match value:
        case (equal, shown, "", ""):
            return _read_value((equal, shown))
        case (None, "", str() as error, str() as message):
            return _judge_error(error, message)
        case _:
            return unknown("the code changed the way it is looked at")


def _judge_error(error: str, message: str) -> Observation:
    """Return the observation of an exception: UNKNOWN if CPython might not have raised it."""
    if error in ("NotImplementedError", "RuntimeError", "TypeError") and _LACKS.search(message):
        return unknown(f"Monty lacks this: {message}")
    if error == "NameError" and (found := _NO_NAME.search(message)) and _is_given(found[1]):
        return unknown(f"Monty lacks the built-in {found[1]}")
    if error == "AttributeError" and _has_attribute(message):
        return unknown(f"Monty lacks this: {message}")
    if error == "TypeError" and message.endswith(_NO_BYTES):
        return unknown(f"Monty lacks this: {message}")
    if error == "TypeError" and (found := _CANNOT_CREATE.search(message)):
        return unknown(f"Monty lacks the built-in {found[1]}")
    return failure(error, message)


@cache
def _modules() -> Mapping[str, Any]:
    """Return modules that Monty lacks and that hold nothing but constants: no function of the host is reachable."""
    from pydantic_monty import ExternalModule  # noqa: PLC0415 -- loaded with the pool

    constants = {name: value for name, value in vars(string).items() if isinstance(value, str) and name[0] != "_"}
    return {"string": ExternalModule(constants)}


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_given(name: str) -> bool:
    """Whether CPython gives a name to every module."""
    return hasattr(builtins, name) or name in ("__builtins__", "__file__", "__cached__", "__annotations__")


def _has_attribute(message: str) -> bool:
    """Whether CPython knows the attribute that Monty does not; a type of a module's own is not looked at."""
    if found := _NO_ATTRIBUTE.search(message):
        name = found[1] or found[2]
        if "." in name or name in _WITH_ATTRIBUTES:
            return True
        owner = getattr(builtins, name, None)
        return isinstance(owner, type) and hasattr(owner, found[3])
    if found := _NO_MODULE_ATTRIBUTE.search(message):
        return found[1].split(".")[0] in sys.stdlib_module_names
    return False
