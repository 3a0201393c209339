"""Calls, recorded once and replayed byte for byte to every equal call."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Model
from upstream.calls import Attempt, Call
from upstream.errors import CallError
from upstream.gathering import Gathering
from upstream.openai import wire
from upstream.pool import Pool

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call's completion as JSON text, its duration in seconds, and its provenance."""

    completion: str
    seconds: float
    provenance: Mapping[str, Any]


class NotRecordedError(Exception):
    """A call is not in the record."""


class Record:
    """A JSONL file of recorded calls, by key; each line also names the provenance it was recorded under.

    A line that a killed run left unfinished is ignored, and so is one of another format. `used` holds the keys of all
    calls that were found or added.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._calls: dict[str, Recorded] = {}
        self.used: set[str] = set()
        if path.exists():
            for line in path.read_text(encoding="utf-8").split("\n"):
                self._take(line)

    def __len__(self) -> int:
        return len(self._calls)

    def _take(self, line: str) -> None:
        try:
            row = json.loads(line)
        except ValueError:
            return
        if row["format"] == FORMAT:
            self._calls[row["key"]] = Recorded(row["completion"], row["seconds"], row["provenance"])

    def get(self, key: str) -> Recorded | None:
        """Return the recorded call, or None."""
        if key in self._calls:
            self.used.add(key)
        return self._calls.get(key)

    def put(self, key: str, call: Call, recorded: Recorded) -> None:
        """Add a call at the end of the file; its model and parameters are written for readers."""
        row = {"format": FORMAT, "key": key, "model": call.model.name, "params": merged_params(call)}
        row |= {"seconds": recorded.seconds, "completion": recorded.completion, "provenance": recorded.provenance}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        torn = self._path.exists() and not self._path.read_bytes().endswith(b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + json.dumps(row) + "\n")
        self._calls[key] = recorded
        self.used.add(key)

    def provenances(self) -> list[Mapping[str, Any]]:
        """Return the provenances of the used calls, each once."""
        found = {json.dumps(self._calls[key].provenance, sort_keys=True) for key in self.used}
        return [json.loads(text) for text in sorted(found)]


def key_of(call: Call) -> str:
    """Return a key that is equal for two calls that ask the same of the same model.

    How the model is run (runtime, slots, context) is not part of the key but of the provenance: a record remains valid
    when these change, and names the versions that made it.
    """
    asked = {
        "format": FORMAT,
        "model": identity(call.model),
        "messages": list(call.messages),
        "params": merged_params(call),
    }
    return digest(asked)


def merged_params(call: Call) -> dict[str, Any]:
    """Return the parameters that a call sends."""
    return wire.merge_params(call.params, {**call.model.params, **call.overrides})


def identity(model: Model) -> list[Any]:
    """Return the identity of a model, independent of its configured name and without its key."""
    weights = model.weights
    return [model.base_url, model.model, None if weights is None else weights.name or str(weights.path)]


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class ReplayPool:
    """A ModelPool that answers from a record, and asks no model.

    A replayed call has one attempt, which lasts as long as the recorded one did on the loop's clock: run it in virtual
    time. It counts in full also if its reader does not wait for it. A call that is not recorded is kept in `missing`,
    by key, and raises NotRecordedError; one in `failed` raises its error. Streams are not replayed.
    """

    def __init__(self, models: Iterable[Model], record: Record, failed: Mapping[str, CallError]) -> None:
        self.clock = asyncio.get_running_loop().time
        self.missing: dict[str, Call] = {}
        self._upstreams = {model.name: (model.base_url, model.weights) for model in models}
        self._record = record
        self._failed = failed

    async def complete(self, call: Call, *, on_retry: Callable[[], None] = lambda: None) -> dict[str, Any]:  # noqa: ARG002
        """Return the recorded completion. Raises CallError if the call failed in this run, else NotRecordedError."""
        key = key_of(call)
        if key in self._failed:
            raise self._failed[key]
        recorded = self._record.get(key)
        if recorded is None:
            self.missing[key] = call
            raise NotRecordedError(call.model.name)
        return await self._replay(call, recorded)

    def stream(self, call: Call) -> AsyncGenerator[dict[str, Any]]:
        """Raise NotRecordedError: a measurement asks for whole answers only."""
        raise NotRecordedError(call.model.name)

    def gather(self, calls: Sequence[Call]) -> Gathering:
        """Return the context in which the calls are replayed side by side."""
        return Gathering(calls, self.complete, self.clock)

    def is_apart(self, model: str, others: Iterable[str]) -> bool:
        """Whether a model's upstream differs from the upstreams of all others."""
        return all(self._upstreams[other] != self._upstreams[model] for other in others)

    @asynccontextmanager
    async def connected(self, _model: Model) -> AsyncGenerator[None]:
        """Do nothing, because there are no connections."""
        yield

    async def _replay(self, call: Call, recorded: Recorded) -> dict[str, Any]:
        completion: dict[str, Any] = json.loads(recorded.completion)
        call.started = self.clock()
        attempt = Attempt(call.started, call.started + recorded.seconds, outcome="ok", status=200, sent=True)
        attempt.usage = completion.get("usage")
        attempt.received_chars = wire.count_chars(completion["choices"][0]["message"])
        call.attempts.append(attempt)
        call.outcome = "cancelled"  # unless the pause comes to its end
        try:
            await asyncio.sleep(recorded.seconds)
            call.outcome = "ok"
        finally:
            call.ended = self.clock()
        return completion


class Recorder:
    """Asks real models, and records their replies. Each model's calls run side by side up to its limit."""

    def __init__(self, pool: Pool, record: Record, provenance: Mapping[str, Any]) -> None:
        self._pool = pool
        self._record = record
        self._provenance = provenance

    async def ask(self, key: str, call: Call) -> CallError | None:
        """Repeat one call within the model's own timeouts; return why it failed, or None if it is recorded."""
        asked = Call(
            model=call.model,
            role=call.role,
            messages=call.messages,
            params=call.params,
            deadline=self._pool.clock() + call.model.timeout_s,
            overrides=call.overrides,
            alias=call.alias,
        )
        try:
            completion = await self._pool.complete(asked)
        except CallError as error:
            return error
        seconds = (asked.ended or 0.0) - (asked.started or 0.0)
        recorded = Recorded(json.dumps(completion), seconds, self._provenance)
        await asyncio.to_thread(self._record.put, key, asked, recorded)
        return None
