"""The store in a Redis or Valkey server: gateways on several machines share spend, rates, usage and feedback."""

import json
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from store import redis_scripts
from store.store import (
    ONCE_DAYS,
    USAGE_DAYS,
    WRITER_DAYS,
    Amount,
    Batch,
    Claim,
    Outcome,
    Refusal,
    Remembered,
    StoreError,
    Tally,
    Usage,
    UsageKey,
)

_DAY_S = 86_400
_MAX_CONNECTIONS = 32

_PERIOD, _SPENT, _RESERVED = "{mom}:period", "{mom}:spent", "{mom}:reserved"
_CLAIMS, _LEASES, _TALLIES = "{mom}:claims", "{mom}:leases", "{mom}:tallies"
_FIGURES = {"r": "requests", "p": "prompt", "c": "completion", "h": "cached", "m": "cost"}


class RedisStore:
    """Keeps everything under keys that begin with `{mom}:` in one database of a server.

    `url` is `redis://`, `rediss://` for TLS, or `unix://`; all parameters of redis-py's URLs apply. `timeout_s` bounds
    connecting, and each reply; a connection that the server has closed is replaced, and the command sent again, once.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
        self._url = url
        self._timeout_s = timeout_s
        self._client: Redis | None = None

    async def open(self) -> None:
        """Connect. Raises StoreError if the server does not answer, refuses the password, or cannot be written to."""
        await self.close()
        pool = BlockingConnectionPool.from_url(
            self._url,
            max_connections=_MAX_CONNECTIONS,
            timeout=2 * self._timeout_s,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self._client = client = Redis.from_pool(pool)
        self._scripts = {script: client.register_script(script) for script in redis_scripts.ALL}
        try:
            await self._await(client.set("{mom}:opened", 1, ex=_DAY_S))
        except StoreError:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            with suppress(RedisError, OSError):  # the server may be gone
                await client.aclose()

    async def share_clock(self, boot: str, offset: float, uptime: float) -> float:
        """Return the offset of the first process of this boot within 24 hours."""
        del uptime  # the server counts the 24 hours
        key = f"{{mom}}:clock:{boot}"
        known = await self._await(self._connected.set(key, repr(offset), ex=_DAY_S, nx=True, get=True))
        return offset if known is None else float(known)

    async def reserve(self, claim: Claim) -> Refusal | None:
        """Count a request in its rates and reserve its estimate; if that is refused, change nothing and return why."""
        keys = [_PERIOD, _SPENT, _RESERVED, _CLAIMS, _LEASES]
        keys += [f"{{mom}}:bucket:{rate.per_minute}:{rate.name}" for rate in claim.rates]
        expected = claim.expected
        arguments: list[Any] = [claim.id, claim.day, repr(claim.lifetime_s), expected.tokens, expected.cost]
        arguments.append(len(claim.rates))
        for rate in claim.rates:
            arguments += [rate.name, rate.per_minute]
        arguments.append(len(claim.limits))
        for limit in claim.limits:
            arguments += [limit.account, _encode_limit(limit.tokens), _encode_limit(limit.cost)]
        reply = await self._run(redis_scripts.RESERVE, keys, arguments)
        if reply is None:
            return None
        by, name, *figures = (each.decode() for each in reply)
        if by == "rate":
            return Refusal("rate", name, float(figures[0]))
        spent_tokens, spent_cost, held_tokens, held_cost = map(int, figures)
        return Refusal(by, name, spent=Amount(spent_tokens, spent_cost), reserved=Amount(held_tokens, held_cost))

    async def record(self, batch: Batch) -> None:
        """Add the usage of ended requests, and release their reservations."""
        days = list(dict.fromkeys(key.day for key in batch.usage))
        keys = [_PERIOD, _SPENT, _RESERVED, _CLAIMS, _LEASES, f"{{mom}}:writer:{batch.writer}"]
        keys += [_usage_key(day) for day in days]
        arguments: list[Any] = [batch.number, batch.day, WRITER_DAYS * _DAY_S, USAGE_DAYS * _DAY_S]
        arguments.append(len(batch.charges))
        for account, amount in batch.charges.items():
            arguments += [account, amount.tokens, amount.cost]
        arguments += [len(batch.released), *batch.released, len(batch.usage)]
        for key, used in batch.usage.items():
            name = json.dumps([key.client, key.mixture, key.model])
            figures = (used.requests, used.prompt, used.completion, used.cached, used.cost)
            arguments += [days.index(key.day) + 1, name, *figures]
        await self._run(redis_scripts.RECORD, keys, arguments)

    async def read_spent(self, day: int, now: float) -> Mapping[str, Amount]:
        """Return the spend of the requests that ended today, by account."""
        del now  # the server's clock is used
        flat = await self._run(redis_scripts.READ_SPENT, [_PERIOD, _SPENT], [day])
        figures = {name.decode(): int(value) for name, value in _list_pairs(flat)}
        accounts = {name[1:] for name in figures}
        return {each: Amount(figures.get(f"t{each}", 0), figures.get(f"c{each}", 0)) for each in accounts}

    async def read_usage(self, first_day: int, last_day: int) -> Mapping[UsageKey, Usage]:
        """Return the usage of these days."""
        days = range(first_day, last_day + 1)
        pipeline = self._connected.pipeline(transaction=False)
        for day in days:
            pipeline.hgetall(_usage_key(day))
        found: dict[UsageKey, dict[str, int]] = {}
        for day, fields in zip(days, await self._await(pipeline.execute()), strict=True):
            for field, value in fields.items():
                figure, name = field[:1].decode(), json.loads(field[1:])
                found.setdefault(UsageKey(day, *name), {})[_FIGURES[figure]] = int(value)
        return {key: Usage(**figures) for key, figures in found.items()}

    async def remember(self, answers: Sequence[Remembered], now: float) -> None:
        """Keep records under their hashes."""
        del now
        pipeline = self._connected.pipeline(transaction=False)
        for answer in answers:
            pipeline.set(_record_key(answer.hash), answer.record, px=max(1, int(answer.lifetime_s * 1000)))
        await self._await(pipeline.execute())

    async def recall(self, hashes: Sequence[str], now: float) -> Mapping[str, bytes]:
        """Return the records of the hashes that are known and have not expired."""
        del now
        if not hashes:
            return {}
        records = await self._await(self._connected.mget([_record_key(each) for each in hashes]))
        return {each: record for each, record in zip(hashes, records, strict=True) if record is not None}

    async def add_outcomes(self, once: str, outcomes: Sequence[Outcome], now: float, half_life_s: float) -> bool:
        """Add to the tallies; False and no change if `once` was counted before."""
        del now
        arguments: list[Any] = [ONCE_DAYS * _DAY_S, repr(half_life_s), len(outcomes)]
        for each in outcomes:
            arguments += [json.dumps([each.member, each.kind, each.name]), repr(each.amount)]
        return bool(await self._run(redis_scripts.ADD_OUTCOMES, [f"{{mom}}:once:{once}", _TALLIES], arguments))

    async def read_tallies(self) -> Sequence[Tally]:
        """Return every tally."""
        found: list[Tally] = []
        for name, value in (await self._await(self._connected.hgetall(_TALLIES))).items():
            (member, kind, outcome), (count, weight, at) = json.loads(name), json.loads(value)
            found.append(Tally(member, kind, outcome, int(count), float(weight), float(at)))
        return found

    async def reset_tallies(self, member: str | None = None) -> None:
        """Forget the tallies of one member, or of all."""
        if member is None:
            await self._await(self._connected.delete(_TALLIES))
        else:
            await self._run(redis_scripts.RESET_TALLIES, [_TALLIES], [member])

    @property
    def _connected(self) -> Redis:
        if self._client is None:
            raise StoreError(f"{self.name}: is not connected")
        return self._client

    async def _run(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script in one round trip; in two if the server has restarted and no longer knows it."""
        return await self._await(self._scripts[script](keys=keys, args=arguments, client=self._connected))

    async def _await(self, command: object) -> Any:
        try:
            return await cast("Awaitable[Any]", command)
        except (RedisError, OSError) as error:
            raise StoreError(f"{self.name}: {str(error) or type(error).__name__}") from error


def _encode_limit(limit: int | None) -> int | str:
    return "" if limit is None else limit


def _usage_key(day: int) -> str:
    return f"{{mom}}:usage:{day}"


def _record_key(hash_: str) -> str:
    return f"{{mom}}:record:{hash_}"


def _list_pairs(flat: Sequence[bytes] | Mapping[bytes, bytes]) -> Iterable[tuple[bytes, bytes]]:
    return flat.items() if isinstance(flat, Mapping) else zip(flat[::2], flat[1::2], strict=True)
