"""Calls, recorded once and replayed byte for byte to everybody who asks the same."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Model
from upstream.calls import Attempt, Call
from upstream.openai import wire
from upstream.pool import EmbeddedEndpoints, Pool

FORMAT = 1
_PACE = 0.002  # a replay takes this share of the recorded time, so that candidates arrive in the recorded order


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call's completion as JSON text, how many seconds it took, and under what it was recorded."""

    completion: str
    seconds: float
    provenance: Mapping[str, Any]


class NotRecordedError(Exception):
    """A call is not in the record, and none may be made."""


class Record:
    """A JSONL file of recorded calls, by key; each line also names the provenance it was recorded under.

    A line that a killed run left unfinished is passed over, and so is one of another format. `used` holds the keys of
    all calls that were found or added.
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
        """Return the recorded call, None where there is none."""
        if key in self._calls:
            self.used.add(key)
        return self._calls.get(key)

    def put(self, key: str, model: str, recorded: Recorded) -> None:
        """Add a call at the end of the file."""
        row = {"format": FORMAT, "key": key, "model": model, "seconds": recorded.seconds}
        row |= {"completion": recorded.completion, "provenance": recorded.provenance}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        torn = self._path.exists() and not self._path.read_bytes().endswith(b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + json.dumps(row) + "\n")
        self._calls[key] = recorded
        self.used.add(key)

    def provenances(self) -> list[Mapping[str, Any]]:
        """Return what the used calls were recorded under, each once."""
        found = {json.dumps(self._calls[key].provenance, sort_keys=True) for key in self.used}
        return [json.loads(text) for text in sorted(found)]


def key_of(call: Call, runtime: str) -> str:
    """Return what is equal for two calls that ask the same of the same model, run by the same `runtime`."""
    asked = {
        "format": FORMAT,
        "runtime": runtime if call.model.weights else None,
        "model": identity(call.model),
        "messages": list(call.messages),
        "params": wire.merge_params(call.params, {**call.model.params, **call.overrides}),
    }
    return digest(asked)


def identity(model: Model) -> list[Any]:
    """Return what makes a model the one that it is, whatever its configured name; no key is in it."""
    weights = model.weights
    name = None if weights is None else [weights.name or str(weights.path), weights.context_tokens]
    return [model.base_url, model.model, name]


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class RecordedPool(Pool):
    """A pool whose whole calls are recorded, or replayed where they were recorded before.

    A replayed call has one attempt, which lasts as long as the recorded one did; it counts in full also where its
    reader does not wait for it. Failures are not recorded: whoever asks again, asks again. Streams are not replayed.
    With `asks` false nothing is asked, and NotRecordedError raised instead.
    """

    def __init__(
        self,
        models: Iterable[Model],
        record: Record,
        *,
        provenance: Mapping[str, Any],
        embedded: EmbeddedEndpoints | None = None,
        asks: bool = True,
    ) -> None:
        super().__init__(models, embedded=embedded)
        self._record = record
        self._provenance = provenance
        self._asks = asks

    async def complete(self, call: Call, *, on_retry: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Return the recorded completion, or ask and record; CallError as in Pool."""
        key = await asyncio.to_thread(key_of, call, str(self._provenance["runtime"]))
        recorded = self._record.get(key)
        if recorded is not None:
            return await self._replayed(call, recorded)
        if not self._asks:
            raise NotRecordedError(call.model.name)
        completion = await super().complete(call, on_retry=on_retry)
        seconds = (call.ended or 0.0) - (call.started or 0.0)
        row = Recorded(json.dumps(completion), seconds, self._provenance)
        await asyncio.to_thread(self._record.put, key, call.model.name, row)
        return completion

    async def _replayed(self, call: Call, recorded: Recorded) -> dict[str, Any]:
        completion: dict[str, Any] = json.loads(recorded.completion)
        call.started = self.clock()
        attempt = Attempt(call.started, call.started + recorded.seconds, outcome="ok", status=200, sent=True)
        attempt.usage = completion.get("usage")
        attempt.received_chars = wire.count_chars(completion["choices"][0]["message"])
        call.attempts.append(attempt)
        call.outcome = "cancelled"  # which it is, should the pause not come to its end
        try:
            await asyncio.sleep(recorded.seconds * _PACE)
            call.outcome = "ok"
        finally:
            call.ended = self.clock()
        return completion
