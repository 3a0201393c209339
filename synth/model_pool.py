"""The part of the pool of models that synthesis depends on, as a Protocol: tests put a scripted one in its place."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from config.settings import Model
from upstream.calls import Call
from upstream.gathering import Gathering


class ModelPool(Protocol):
    """Calls to the configured models. Implemented by `upstream.pool.Pool`; see there for the promises."""

    @property
    def clock(self) -> Callable[[], float]:
        """The monotonic clock of all deadlines, in seconds."""
        ...

    async def complete(self, call: Call) -> dict[str, Any]:
        """Return the completion of a call. Raises CallError if there is none after its last attempt."""
        ...

    def stream(self, call: Call) -> AsyncGenerator[dict[str, Any]]:
        """Yield the chunks of a call; a CallError ends the stream. Close the generator to close the connection."""
        ...

    def gather(self, calls: Sequence[Call]) -> Gathering:
        """Return the context in which the calls run at the same time."""
        ...

    def is_apart(self, model: str, others: Iterable[str]) -> bool:
        """Whether a model's upstream differs from the upstreams of all others."""
        ...

    def connected(self, model: Model) -> AbstractAsyncContextManager[None]:
        """Connect to a model's upstream while the block runs, without asking it anything."""
        ...
