"""The Redis store: restarts, passwords, a server that is silent; the contract is in test_contract.py."""

from pathlib import Path

import pytest

from store.redis_store import RedisStore
from store.store import Amount, Batch, Claim, Limit, Refusal, StoreError
from tests.fakes.certificates import certified
from tests.redis_server import RedisServer, find_free_port

BATCH = Batch("w", 1, 10**6, 0.0, {"": Amount(1, 3)})
CLAIM = Claim("a", 10**6, 0.0, 60.0, Amount(0, 3), (Limit("", cost=5),))


async def test_a_restart_of_the_server_loses_nothing(redis_server: RedisServer) -> None:
    """Connections are replaced and scripts loaded again, unnoticed."""
    store = RedisStore(redis_server.url)
    await store.open()
    await store.record(BATCH)
    await redis_server.kill()
    with pytest.raises(StoreError, match="Connect"):
        await store.reserve(CLAIM)
    await redis_server.start()
    await store.record(BATCH)
    assert await store.reserve(CLAIM) == Refusal("cost", "", spent=Amount(1, 3))
    await store.close()


async def test_a_server_that_is_silent_is_an_error(redis_server: RedisServer) -> None:
    """After some seconds, not after minutes."""
    store = RedisStore(redis_server.url, timeout_s=0.2)
    await store.open()
    redis_server.pause()
    with pytest.raises(StoreError, match="Timeout"):
        await store.reserve(CLAIM)
    redis_server.resume()
    await store.close()


async def test_a_wrong_password_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    """Neither does the name of the store, nor one that is used before it is open."""
    async with RedisServer(tmp_path, "--requirepass", "right-password") as server:
        right = RedisStore(f"redis://:right-password@127.0.0.1:{server.port}/3")
        await right.open()
        assert right.name == f"redis://127.0.0.1:{server.port}/3"
        await right.close()
        wrong = RedisStore(f"redis://:wrong-password@127.0.0.1:{server.port}")
        with pytest.raises(StoreError) as failed:
            await wrong.open()
        assert "wrong-password" not in str(failed.value)
        with pytest.raises(StoreError, match="not connected"):
            await wrong.reserve(CLAIM)


async def test_a_server_without_memory_is_an_error(tmp_path: Path) -> None:
    """The server refuses to write."""
    async with RedisServer(tmp_path, "--maxmemory", "1") as server:
        with pytest.raises(StoreError, match=r"OOM|memory"):
            await RedisStore(server.url).open()


async def test_databases_of_one_server_are_apart(redis_server: RedisServer) -> None:
    """The number in the URL separates installations."""
    first, second = RedisStore(redis_server.url), RedisStore(redis_server.url.replace("/0", "/1"))
    await first.open()
    await second.open()
    await first.record(BATCH)
    assert await second.read_spent(10**6, 0.0) == {}
    await first.close()
    await second.close()


async def test_tls_needs_a_trusted_authority(tmp_path: Path) -> None:
    """With a private authority that the URL names; without it the server is not trusted."""
    _, trusted = certified(tmp_path)
    port = find_free_port()
    certificate = ("--tls-cert-file", str(trusted), "--tls-key-file", str(tmp_path / "key.pem"))
    authority = ("--tls-ca-cert-file", str(trusted), "--tls-auth-clients", "no")
    async with RedisServer(tmp_path, "--tls-port", str(port), *certificate, *authority):
        store = RedisStore(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={trusted}")
        await store.open()
        await store.record(BATCH)
        assert store.name == f"rediss://127.0.0.1:{port}/0"
        await store.close()
        with pytest.raises(StoreError, match="certificate"):
            await RedisStore(f"rediss://127.0.0.1:{port}/0").open()
